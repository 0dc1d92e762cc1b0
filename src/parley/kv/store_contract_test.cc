// What every store of counters promises, on each of them.
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "parley/kv/memory_store.h"
#include "parley/kv/test_redis.h"
#include "testing/wait.h"

namespace parley::kv {
namespace {

using namespace std::chrono_literals;

enum class Kind { memory, redis };

class StoreContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::memory) {
      store_ = std::make_unique<MemoryStore>(clock_);
      return;
    }
    const auto address = test_redis();
    if (!address) GTEST_SKIP() << no_redis;
    address_ = *address;
    store_ = std::make_unique<RedisStore>(
        RedisOptions{.address = address_, .prefix = prefix_, .reply_timeout = std::chrono::seconds(5)});
  }

  void advance(std::chrono::microseconds by) {
    if (GetParam() == Kind::memory) clock_.advance(by);
    else age(address_, prefix_, by);
  }
  Timestamp tomorrow() const {
    return GetParam() == Kind::memory ? clock_.now() + 24h
                                      : Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(
                                                      std::chrono::system_clock::now().time_since_epoch())
                                                      .count()} +
                                            24h;
  }

  std::optional<Exceeded> take(Counts counts) {
    auto taken = wait(store_->take(std::move(counts)));
    EXPECT_TRUE(taken) << describe_for_operator(taken.error());
    return taken ? *taken : std::nullopt;
  }
  void raise(const std::string& key, Micros settled) {
    const auto raised = wait(store_->raise({{key, settled, tomorrow()}}));
    EXPECT_TRUE(raised) << describe_for_operator(raised.error());
  }
  Claim claim(std::string id, Micros amount, std::vector<std::pair<std::string, Micros>> lines) {
    Claim made{.id = std::move(id), .amount = amount, .lines = {}, .expires_in = 60s};
    for (auto& [key, limit] : lines) made.lines.push_back({key, limit, tomorrow()});
    return made;
  }
  Reserved reserve(Claim what) {
    auto reserved = wait(store_->reserve(std::move(what)));
    EXPECT_TRUE(reserved) << describe_for_operator(reserved.error());
    return reserved ? *reserved : Reserved{Reserved::Outcome::over, 99};
  }
  BudgetState budget(const std::string& key) {
    auto state = wait(store_->budget(key));
    EXPECT_TRUE(state && *state);
    return state && *state ? **state : BudgetState{-1, -1};
  }

  ManualClock clock_;
  RedisAddress address_;
  std::string prefix_ = fresh_prefix();
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, a_count_allows_its_whole_burst_and_then_says_how_long_to_wait) {
  const Counts counts{{1, {15, 1h}}};
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(take(counts)) << i;
  const auto exceeded = take(counts);
  ASSERT_TRUE(exceeded);
  EXPECT_EQ(exceeded->which, 0U);
  EXPECT_LE(exceeded->wait, 4min);
  EXPECT_GT(exceeded->wait, 3min);
  advance(4min);
  EXPECT_FALSE(take(counts));
  EXPECT_TRUE(take(counts));
}

TEST_P(StoreContract, a_refused_request_takes_from_none_of_its_counts) {
  const Count wide{1, {4, 1h}}, narrow{2, {2, 1h}};
  EXPECT_FALSE(take({wide, narrow}));
  EXPECT_FALSE(take({wide, narrow}));
  for (int i = 0; i < 10; ++i) {
    const auto exceeded = take({wide, narrow});
    ASSERT_TRUE(exceeded);
    EXPECT_EQ(exceeded->which, 1U);
  }
  EXPECT_FALSE(take({wide}));
  EXPECT_FALSE(take({wide}));
  EXPECT_TRUE(take({wide}));
}

TEST_P(StoreContract, of_several_used_up_counts_the_longest_wait_is_told) {
  const Count soon{1, {1, 1min}}, late{2, {1, 1h}};
  EXPECT_FALSE(take({soon, late}));
  const auto exceeded = take({soon, late});
  ASSERT_TRUE(exceeded);
  EXPECT_EQ(exceeded->which, 1U);
  EXPECT_GT(exceeded->wait, 50min);
}

TEST_P(StoreContract, what_is_given_back_can_be_taken_again) {
  const Counts counts{{1, {2, 1h}}, {2, {2, 1h}}};
  EXPECT_FALSE(take(counts));
  EXPECT_FALSE(take(counts));
  EXPECT_TRUE(take(counts));
  store_->give_back(counts);
  EXPECT_FALSE(take(counts));
  EXPECT_TRUE(take(counts));
  // Nor does giving back make more than there was.
  advance(2h);
  store_->give_back(counts);
  EXPECT_FALSE(take(counts));
  EXPECT_FALSE(take(counts));
  EXPECT_TRUE(take(counts));
}

TEST_P(StoreContract, a_clock_that_jumps_back_a_day_locks_nobody_out_for_a_day) {
  const Counts counts{{1, {2, 1s}}};
  EXPECT_FALSE(take(counts));
  advance(-24h);
  const auto now = take(counts);
  if (now) {
    EXPECT_LE(now->wait, 1s);
  }
  advance(2s);
  EXPECT_FALSE(take(counts));
}

TEST_P(StoreContract, many_threads_take_exactly_what_there_is) {
  const Counts counts{{1, {50, 1h}}, {2, {60, 1h}}};
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 30; ++i)
        if (!take(counts)) ++taken;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 50);
}

TEST_P(StoreContract, a_budget_that_nobody_raised_is_unknown) {
  const auto reserved = reserve(claim("a", 10, {{"known", 100}, {"other", 100}}));
  EXPECT_EQ(reserved.outcome, Reserved::Outcome::unknown);
  raise("known", 0);
  const auto again = reserve(claim("a", 10, {{"known", 100}, {"other", 100}}));
  EXPECT_EQ(again.outcome, Reserved::Outcome::unknown);
  EXPECT_EQ(again.which, 1U);
  raise("other", 0);
  EXPECT_EQ(reserve(claim("a", 10, {{"known", 100}, {"other", 100}})).outcome, Reserved::Outcome::reserved);
}

TEST_P(StoreContract, a_claim_is_set_aside_in_every_line_or_in_none) {
  raise("wide", 0);
  raise("narrow", 95);
  const auto reserved = reserve(claim("a", 6, {{"wide", 100}, {"narrow", 100}}));
  EXPECT_EQ(reserved.outcome, Reserved::Outcome::over);
  EXPECT_EQ(reserved.which, 1U);
  EXPECT_EQ(budget("wide").reserved, 0);
  EXPECT_EQ(reserve(claim("b", 5, {{"wide", 100}, {"narrow", 100}})).outcome, Reserved::Outcome::reserved);
  EXPECT_EQ(budget("wide").reserved, 5);
  EXPECT_EQ(budget("narrow").reserved, 5);
}

TEST_P(StoreContract, settling_frees_the_claim_and_adds_the_real_cost) {
  raise("a", 10);
  const auto first = claim("1", 50, {{"a", 100}});
  EXPECT_EQ(reserve(first).outcome, Reserved::Outcome::reserved);
  EXPECT_EQ(reserve(claim("2", 50, {{"a", 100}})).outcome, Reserved::Outcome::over);
  store_->settle(first, 20);
  EXPECT_EQ(budget("a").settled, 30);
  EXPECT_EQ(budget("a").reserved, 0);
  const auto second = claim("2", 70, {{"a", 100}});
  EXPECT_EQ(reserve(second).outcome, Reserved::Outcome::reserved);
  store_->release(second);
  EXPECT_EQ(budget("a").settled, 30);
  EXPECT_EQ(budget("a").reserved, 0);
}

TEST_P(StoreContract, a_claim_that_nobody_ends_expires_and_a_late_settlement_still_counts) {
  raise("a", 0);
  const auto lost = claim("lost", 100, {{"a", 100}});
  EXPECT_EQ(reserve(lost).outcome, Reserved::Outcome::reserved);
  EXPECT_EQ(reserve(claim("next", 1, {{"a", 100}})).outcome, Reserved::Outcome::over);
  advance(61s);
  const auto next = claim("next", 40, {{"a", 100}});
  EXPECT_EQ(reserve(next).outcome, Reserved::Outcome::reserved);
  store_->settle(lost, 30);
  EXPECT_EQ(budget("a").settled, 30);
  EXPECT_EQ(budget("a").reserved, 40);
}

TEST_P(StoreContract, raising_never_lowers) {
  raise("a", 10);
  raise("a", 5);
  EXPECT_EQ(budget("a").settled, 10);
  raise("a", 9'000'000'000'000'000);
  EXPECT_EQ(budget("a").settled, 9'000'000'000'000'000);
}

TEST_P(StoreContract, settling_a_budget_that_is_not_known_does_not_make_it_known) {
  store_->settle(claim("1", 50, {{"a", 100}}), 20);
  const auto state = wait(store_->budget("a"));
  ASSERT_TRUE(state);
  EXPECT_FALSE(*state);
}

TEST_P(StoreContract, two_hundred_at_once_on_a_budget_for_a_hundred_spend_exactly_it) {
  raise("key", 0);
  raise("organisation", 0);
  std::atomic<int> reserved = 0, over = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const auto one = claim(std::to_string(t * 100 + i), 1, {{"key", 100}, {"organisation", 1'000}});
        if (reserve(one).outcome == Reserved::Outcome::reserved) {
          ++reserved;
          store_->settle(one, 1);
        } else {
          ++over;
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(reserved, 100);
  EXPECT_EQ(over, 100);
  EXPECT_EQ(budget("key").settled, 100);
  EXPECT_EQ(budget("key").reserved, 0);
  EXPECT_EQ(budget("organisation").settled, 100);
}

TEST_P(StoreContract, a_signal_reaches_its_topic_on_this_node_before_publish_returns) {
  std::vector<std::string> heard;
  std::mutex mutex;
  const auto listen = [&](const Heard& what) {
    const std::scoped_lock lock(mutex);
    if (what.kind == Heard::Kind::message) heard.emplace_back(what.payload);
  };
  {
    const auto subscription = store_->subscribe("keys", listen);
    const auto other = store_->subscribe("sessions", [&](const Heard& what) {
      if (what.kind == Heard::Kind::message) ADD_FAILURE() << what.payload;
    });
    EXPECT_TRUE(wait(store_->publish({"keys", "one\ntwo"})));
    const std::scoped_lock lock(mutex);
    EXPECT_EQ(heard, std::vector<std::string>{"one\ntwo"});
  }
  EXPECT_TRUE(wait(store_->publish({"keys", "three"})));
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(heard.size(), 1U);
}

TEST_P(StoreContract, a_signal_that_is_too_large_is_refused) {
  const auto published = wait(store_->publish({"keys", std::string(signal_bytes_max + 1, 'x')}));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code(), Code::too_large);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values(Kind::memory, Kind::redis),
                         [](const testing::TestParamInfo<Kind>& info) {
                           return info.param == Kind::memory ? "memory" : "redis";
                         });

}  // namespace
}  // namespace parley::kv
