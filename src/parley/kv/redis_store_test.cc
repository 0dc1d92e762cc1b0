// What only a store that others share must do: other nodes, and a server that goes away.
#include "parley/kv/redis_store.h"

#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "parley/kv/test_redis.h"
#include "testing/process.h"
#include "testing/wait.h"

namespace parley::kv {
namespace {

using namespace std::chrono_literals;

/// What a subscriber hears, waited for.
class Ear {
 public:
  OnSignal listener() {
    return [this](const Heard& heard) {
      const std::scoped_lock lock(mutex_);
      if (heard.kind == Heard::Kind::missed) ++missed_;
      else messages_.emplace_back(heard.payload);
      changed_.notify_all();
    };
  }
  bool hears(std::string_view message, std::chrono::milliseconds within) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, within, [&] { return std::ranges::find(messages_, message) != messages_.end(); });
  }
  bool misses_more(std::chrono::milliseconds within, int times = 1) {
    std::unique_lock lock(mutex_);
    const int before = missed_;
    return changed_.wait_for(lock, within, [&] { return missed_ >= before + times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> messages_;
  int missed_ = 0;
};

/// Looks until it holds, for ten seconds at most.
template <class Condition>
bool becomes(Condition condition) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  return never.wait_until(lock, std::chrono::steady_clock::now(), [] { return false; }) || [&] {
    for (int i = 0; i < 1'000; ++i) {
      if (condition()) return true;
      never.wait_for(lock, 10ms);
    }
    return false;
  }();
}

RedisOptions options(const RedisAddress& address, const std::string& prefix) {
  return {.address = address, .prefix = prefix, .reply_timeout = 2s, .retry_pause = 50ms, .heartbeat = 100ms};
}

/// A server of this test alone, for what would disturb others on a shared one.
class OwnRedis {
 public:
  OwnRedis() {
    const auto started = parley::testing::run_program({"scripts/lib/redis", "start"});
    EXPECT_EQ(started.status, 0) << started.err;
    url_ = started.out;
    while (!url_.empty() && url_.back() == '\n') url_.pop_back();
  }
  ~OwnRedis() { stop(); }
  void stop() {
    if (!url_.empty()) EXPECT_EQ(parley::testing::run_program({"scripts/lib/redis", "stop", url_}).status, 0);
    url_.clear();
  }
  RedisAddress address() const { return parse_redis_url(url_).value_or(RedisAddress()); }

 private:
  std::string url_;
};

class RedisStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto address = test_redis();
    if (!address) GTEST_SKIP() << no_redis;
    address_ = *address;
  }
  RedisAddress address_;
  std::string prefix_ = fresh_prefix();
};

TEST_F(RedisStoreTest, two_nodes_share_counts_and_budgets) {
  RedisStore one(options(address_, prefix_)), two(options(address_, prefix_));
  const Counts counts{{1, {4, 1h}}};
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(*wait(one.take(counts)));
    EXPECT_FALSE(*wait(two.take(counts)));
  }
  EXPECT_TRUE(*wait(one.take(counts)));
  EXPECT_TRUE(*wait(two.take(counts)));

  const Timestamp ends{4'000'000'000'000'000};
  ASSERT_TRUE(wait(one.raise({{"a", 0, ends}})));
  const Claim claim{.id = "1", .amount = 60, .lines = {{"a", 100, ends}}, .expires_in = 60s};
  EXPECT_EQ(wait(one.reserve(claim))->outcome, Reserved::Outcome::reserved);
  Claim other = claim;
  other.id = "2";
  EXPECT_EQ(wait(two.reserve(other))->outcome, Reserved::Outcome::over);
}

TEST_F(RedisStoreTest, another_prefix_is_another_installation) {
  RedisStore one(options(address_, prefix_)), two(options(address_, prefix_ + "b"));
  const Counts counts{{1, {1, 1h}}};
  EXPECT_FALSE(*wait(one.take(counts)));
  EXPECT_FALSE(*wait(two.take(counts)));
}

TEST_F(RedisStoreTest, a_signal_reaches_other_nodes_within_a_second) {
  RedisStore one(options(address_, prefix_)), two(options(address_, prefix_));
  Ear ear;
  const auto subscription = two.subscribe("keys", ear.listener());
  ASSERT_TRUE(becomes([&] { return one.connected() && two.connected(); }));
  ASSERT_TRUE(wait(one.publish({"keys", "revoked 17"})));
  EXPECT_TRUE(ear.hears("revoked 17", 1s));
}

TEST_F(RedisStoreTest, scripts_that_the_server_forgot_are_given_to_it_again) {
  RedisStore store(options(address_, prefix_));
  const Counts counts{{1, {1, 1h}}};
  EXPECT_FALSE(*wait(store.take(counts)));
  auto link = *RedisLink::connect(address_, 1s);
  ASSERT_TRUE(link->call({"SCRIPT", "FLUSH"}));
  const auto taken = wait(store.take(counts));
  ASSERT_TRUE(taken) << describe_for_operator(taken.error());
  EXPECT_TRUE(*taken);
}

TEST_F(RedisStoreTest, without_a_server_everything_fails_at_once_and_subscribers_are_told_again_and_again) {
  RedisAddress nowhere;
  nowhere.socket = "/nonexistent/parley.sock";
  RedisStore store(options(nowhere, prefix_));
  Ear ear;
  const auto subscription = store.subscribe("keys", ear.listener());
  EXPECT_FALSE(store.connected());
  const auto taken = wait(store.take({{1, {1, 1h}}}));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Code::unavailable);
  EXPECT_EQ(wait(store.reserve({.id = "1", .amount = 1, .lines = {{"a", 1, {}}}, .expires_in = 1s})).error().code(),
            Code::unavailable);
  EXPECT_FALSE(wait(store.publish({"keys", "x"})));
  EXPECT_TRUE(ear.hears("x", 0ms)) << "this node is told all the same";
  EXPECT_TRUE(ear.misses_more(5s, 3));
}

TEST_F(RedisStoreTest, a_server_that_goes_and_comes_back_is_used_again) {
  OwnRedis own;
  const RedisAddress address = own.address();
  {
    RedisStore store(options(address, prefix_));
    Ear ear;
    const auto subscription = store.subscribe("keys", ear.listener());
    ASSERT_TRUE(becomes([&] { return store.connected(); }));
    EXPECT_TRUE(wait(store.take({{1, {1, 1h}}})));

    // Every connection is cut: as a restart does, without the wait for one.
    auto link = *RedisLink::connect(address, 1s);
    ASSERT_TRUE(link->call({"CLIENT", "KILL", "TYPE", "pubsub"}));
    EXPECT_TRUE(ear.misses_more(5s));
    ASSERT_TRUE(link->call({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}));
    ASSERT_TRUE(becomes([&] {
      const auto taken = wait(store.take({{1, {1, 1h}}}));
      return taken && *taken;  // connected again, and the count was kept by the server
    }));
    ASSERT_TRUE(becomes([&] { return store.connected(); }));

    own.stop();
    ASSERT_TRUE(becomes([&] { return !store.connected(); }));
    EXPECT_FALSE(wait(store.take({{1, {1, 1h}}})));
    EXPECT_TRUE(ear.misses_more(5s, 2));
  }
}

TEST_F(RedisStoreTest, a_server_that_hangs_costs_one_timeout_and_not_one_for_each_request) {
  OwnRedis own;
  auto hasty = options(own.address(), prefix_);
  hasty.reply_timeout = 100ms;
  RedisStore store(hasty);
  EXPECT_TRUE(wait(store.take({{1, {9, 1h}}})));
  auto link = *RedisLink::connect(own.address(), 5s);
  ASSERT_TRUE(link->call({"CLIENT", "PAUSE", "400", "ALL"}));
  const auto began = std::chrono::steady_clock::now();
  int failed = 0;
  for (int i = 0; i < 50; ++i)
    if (!wait(store.take({{1, {9, 1h}}}))) ++failed;
  EXPECT_EQ(failed, 50);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 400ms);
  (void)link->call({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(becomes([&] { return wait(store.take({{2, {9, 1h}}})).has_value(); }));
}

TEST(RedisUrl, is_read_and_holds_no_password) {
  EXPECT_EQ(parse_redis_url("redis://localhost")->port, 6379);
  EXPECT_EQ(parse_redis_url("redis://localhost:7000/3")->database, 3);
  EXPECT_EQ(parse_redis_url("redis://[::1]:7000")->host, "::1");
  EXPECT_EQ(parse_redis_url("unix:/run/redis.sock")->socket, "/run/redis.sock");
  for (const auto* bad : {"", "localhost:6379", "redis://", "redis://:6379", "redis://u:p@host", "redis://host:0",
                          "redis://host:x", "redis://host/x", "rediss://host", "redis://[::1", "unix:run"})
    EXPECT_FALSE(parse_redis_url(bad)) << bad;
}

}  // namespace
}  // namespace parley::kv
