#include "parley/admission/budgets.h"

#include <cstdlib>
#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/kv/memory_store.h"
#include "parley/kv/redis_store.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::admission {
namespace {

using namespace std::chrono_literals;

constexpr Micros unit = BudgetLimits::unit;

TEST(Money, is_read_as_people_write_it) {
  EXPECT_EQ(parse_money("5"), 5 * unit);
  EXPECT_EQ(parse_money("0.25"), unit / 4);
  EXPECT_EQ(parse_money("12.000001"), 12 * unit + 1);
  EXPECT_EQ(parse_money("1000000000"), money_max);
  for (const auto* bad :
       {"", "0", "0.0", "-1", "+1", "1.", ".5", "1.0000001", "1e3", "1,5", " 1", "1000000000.000001", "99999999999"})
    EXPECT_FALSE(parse_money(bad)) << bad;
}

TEST(Periods, are_days_and_months_of_the_calendar_in_utc) {
  const Timestamp leap{1'709'208'000'000'000};  // 2024-02-29T12:00:00Z
  EXPECT_EQ(to_rfc3339(span_of(Period::day, leap).starts_at), "2024-02-29T00:00:00Z");
  EXPECT_EQ(to_rfc3339(span_of(Period::day, leap).ends_at), "2024-03-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(span_of(Period::month, leap).starts_at), "2024-02-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(span_of(Period::month, leap).ends_at), "2024-03-01T00:00:00Z");
  const Timestamp midnight = span_of(Period::day, leap).starts_at;
  EXPECT_EQ(span_of(Period::day, midnight).starts_at, midnight);
  EXPECT_EQ(span_of(Period::day, midnight - 1us).ends_at, midnight);
}

/// Where counters are, and where sums are durable.
struct Where {
  enum class Counters : std::uint8_t { memory, redis } counters;
  db::Engine engine;
};

class BudgetsTest : public testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    if (GetParam().counters == Where::Counters::redis && !std::getenv("PARLEY_TEST_REDIS"))
      GTEST_SKIP() << "PARLEY_TEST_REDIS names no server: export PARLEY_TEST_REDIS=\"$(scripts/lib/redis start)\"";
    auto opened = db::TestStore::open(GetParam().engine, db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    ASSERT_TRUE(test_store_->store().create_tenant(acme));
    ASSERT_TRUE(test_store_->store().create_tenant(zeta));
    limits.of(Payer::key, Period::day) = 100;
    limits.of(Payer::key, Period::month) = 100;
    counters = make_counters();
    budgets = make_node(*counters);
    // Redis counts by its own clock, so the tests begin at the real time.
    if (GetParam().counters == Where::Counters::redis) {
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      clock.advance(Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(now).count()} - clock.now());
    }
  }

  std::unique_ptr<kv::Store> make_counters() {
    if (GetParam().counters == Where::Counters::memory) return std::make_unique<kv::MemoryStore>(clock);
    static std::atomic<int> number = 0;
    return std::make_unique<kv::RedisStore>(
        kv::RedisOptions{.address = kv::parse_redis_url(std::getenv("PARLEY_TEST_REDIS")).value(),
                         .prefix = fmt::format("budgets{}_{}", ::getpid(), ++number),
                         .reply_timeout = 5s});
  }
  std::unique_ptr<Budgets> make_node(kv::Store& counters_of_it) {
    return std::make_unique<Budgets>(test_store_->store(), counters_of_it, clock, limits);
  }
  Spender spender(TenantId tenant) const {
    return {.tenant = tenant, .project = project, .key = key.uuid(), .user = {}};
  }

  Result<Budgets::Reservation> reserve(Micros amount, TenantId tenant) {
    return wait(budgets->reserve(spender(tenant), amount));
  }
  Micros durable(Payer payer, Uuid id, TenantId tenant) {
    EXPECT_TRUE(wait(budgets->flush()));
    const auto sum = wait(budgets->spent(tenant, payer, id, Period::day, clock.now()));
    EXPECT_TRUE(sum) << describe_for_operator(sum.error());
    return sum.value_or(-1);
  }
  void expect_over(Micros amount) {
    const auto refused = reserve(amount, acme);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::budget_exceeded);
  }
  void expect_room(Micros amount) {
    const auto reserved = reserve(amount, acme);
    EXPECT_TRUE(reserved) << describe_for_operator(reserved.error());
  }

  std::unique_ptr<db::TestStore> test_store_;
  ManualClock clock;
  BudgetLimits limits;
  const TenantId acme = crypto::random_id<TenantId>(), zeta = crypto::random_id<TenantId>();
  const ProjectId project = crypto::random_id<ProjectId>();
  const KeyId key = crypto::random_id<KeyId>();
  std::unique_ptr<kv::Store> counters;
  std::unique_ptr<Budgets> budgets;
};

TEST_P(BudgetsTest, two_hundred_at_once_on_a_budget_for_a_hundred_settle_to_exactly_it) {
  std::atomic<int> reserved = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        auto one = reserve(1, acme);
        if (one) {
          ++reserved;
          one->settle(1);
        } else if (one.error().code() == Code::budget_exceeded) {
          ++refused;
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(reserved, 100);
  EXPECT_EQ(refused, 100);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 100);
  EXPECT_EQ(durable(Payer::project, project.uuid(), acme), 100);
  EXPECT_EQ(durable(Payer::organisation, acme.uuid(), acme), 100);
  EXPECT_EQ(durable(Payer::key, key.uuid(), zeta), 0);
}

TEST_P(BudgetsTest, a_refusal_names_the_budget_and_when_its_period_ends) {
  expect_room(100);
  const auto refused = reserve(101, acme);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject(), "budget_per_key_per_day");
  EXPECT_EQ(refused.error().retry_after(),
            std::chrono::ceil<std::chrono::seconds>(span_of(Period::day, clock.now()).ends_at - clock.now()));
}

TEST_P(BudgetsTest, one_full_budget_of_the_nest_refuses_and_leaves_the_others_as_they_were) {
  ASSERT_TRUE(wait(budgets->set_limit(acme, Payer::project, project.uuid(), Period::month, 10)));
  const auto refused = reserve(11, acme);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject(), "budget_per_project_per_month");
  ASSERT_TRUE(wait(budgets->set_limit(acme, Payer::project, project.uuid(), Period::month, 1'000)));
  expect_room(100);
}

TEST_P(BudgetsTest, a_reservation_that_goes_gives_everything_back) {
  {
    const auto held = reserve(100, acme);
    ASSERT_TRUE(held);
    expect_over(1);
  }
  expect_room(100);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 0);
}

TEST_P(BudgetsTest, settling_counts_the_real_cost_once) {
  auto held = reserve(100, acme);
  ASSERT_TRUE(held);
  held->settle(30);
  held->settle(30);
  auto moved = *std::move(held);
  moved.settle(30);
  expect_over(71);
  expect_room(70);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 30);
}

TEST_P(BudgetsTest, a_cost_above_what_was_set_aside_is_counted_and_overdraws) {
  auto held = reserve(60, acme);
  ASSERT_TRUE(held);
  held->settle(130);
  expect_over(1);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 130);
}

TEST_P(BudgetsTest, what_was_spent_survives_a_restart_that_forgets_the_counters) {
  auto held = reserve(80, acme);
  ASSERT_TRUE(held);
  held->settle(80);
  ASSERT_TRUE(wait(budgets->flush()));
  budgets.reset();
  counters = make_counters();
  budgets = make_node(*counters);
  expect_over(21);
  expect_room(20);
}

/// Counters that can be made to forget everything, as a restarted Redis does.
class Forgetful final : public kv::Store {
 public:
  explicit Forgetful(std::unique_ptr<kv::Store> inner) : inner_(std::move(inner)) {}
  void forget(std::unique_ptr<kv::Store> fresh) { inner_ = std::move(fresh); }

  Async<std::optional<kv::Exceeded>> take(kv::Counts counts) override { return inner_->take(counts); }
  void give_back(kv::Counts counts) override { inner_->give_back(counts); }
  Async<kv::Reserved> reserve(kv::Claim claim) override { return inner_->reserve(std::move(claim)); }
  void settle(kv::Claim claim, kv::Micros cost) override { inner_->settle(std::move(claim), cost); }
  Async<> raise(std::vector<kv::Spent> spent) override { return inner_->raise(std::move(spent)); }
  Async<std::optional<kv::BudgetState>> budget(std::string key) override { return inner_->budget(std::move(key)); }
  Async<> publish(kv::Signal signal) override { return inner_->publish(std::move(signal)); }
  kv::Subscription subscribe(Literal topic, kv::OnSignal on_signal) override {
    return inner_->subscribe(topic, std::move(on_signal));
  }
  bool connected() const override { return inner_->connected(); }

 private:
  std::unique_ptr<kv::Store> inner_;
};

TEST_P(BudgetsTest, counters_that_forget_while_running_are_told_what_is_written_and_what_is_not_yet) {
  Forgetful forgetful(make_counters());
  budgets = make_node(forgetful);
  auto written = reserve(30, acme);
  ASSERT_TRUE(written);
  written->settle(30);
  ASSERT_TRUE(wait(budgets->flush()));
  auto pending = reserve(50, acme);
  ASSERT_TRUE(pending);
  pending->settle(50);
  forgetful.forget(make_counters());
  expect_over(21);
  expect_room(20);
  ASSERT_TRUE(wait(budgets->flush()));
  expect_over(21);
  expect_room(20);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 80);
  budgets.reset();
}

TEST_P(BudgetsTest, nodes_without_shared_counters_learn_of_each_other_by_the_durable_sums) {
  if (GetParam().counters == Where::Counters::redis) GTEST_SKIP() << "they share counters";
  const auto other_counters = make_counters();
  const auto other = make_node(*other_counters);
  ASSERT_TRUE(wait(other->reserve(spender(acme), 1)));  // knows of the budget, so will not ask the database again
  auto held = reserve(60, acme);
  ASSERT_TRUE(held);
  held->settle(60);
  ASSERT_TRUE(wait(budgets->flush()));
  auto theirs = wait(other->reserve(spender(acme), 30));
  ASSERT_TRUE(theirs);
  theirs->settle(30);
  ASSERT_TRUE(wait(other->flush()));
  EXPECT_FALSE(wait(other->reserve(spender(acme), 11)));
  EXPECT_TRUE(wait(other->reserve(spender(acme), 10)));
}

TEST_P(BudgetsTest, an_organisations_own_limit_is_its_own) {
  ASSERT_TRUE(wait(budgets->set_limit(acme, Payer::key, key.uuid(), Period::day, 5)));
  ASSERT_TRUE(wait(budgets->set_limit(acme, Payer::key, key.uuid(), Period::day, 7)));
  expect_over(8);
  expect_room(7);
  EXPECT_TRUE(reserve(100, zeta));
}

TEST_P(BudgetsTest, work_that_costs_nothing_always_passes_and_what_it_costs_after_all_is_counted) {
  ASSERT_TRUE(wait(budgets->set_limit(acme, Payer::key, key.uuid(), Period::day, 0)));
  expect_over(1);
  auto free = reserve(0, acme);
  ASSERT_TRUE(free);
  free->settle(3);
  EXPECT_EQ(durable(Payer::key, key.uuid(), acme), 3);
}

TEST_P(BudgetsTest, a_tenant_that_is_not_there_reserves_nothing) {
  const auto refused = reserve(1, crypto::random_id<TenantId>());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().code(), Code::budget_exceeded);
}

TEST_P(BudgetsTest, a_new_day_is_a_new_budget_and_the_month_goes_on) {
  limits.of(Payer::key, Period::month) = 150;
  budgets = make_node(*counters);
  if (GetParam().counters == Where::Counters::redis) GTEST_SKIP() << "Redis has a clock of its own";
  auto held = reserve(100, acme);
  ASSERT_TRUE(held);
  held->settle(100);
  expect_over(1);
  clock.advance(24h);
  expect_room(50);
  const auto refused = reserve(51, acme);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject(), "budget_per_key_per_month");
}

TEST_P(BudgetsTest, a_crash_leaves_no_reservation_for_ever) {
  if (GetParam().counters == Where::Counters::redis) GTEST_SKIP() << "the contract suite ages claims in Redis";
  auto held = reserve(100, acme);
  ASSERT_TRUE(held);
  expect_over(1);
  clock.advance(reservation_expires_in);
  expect_room(100);
}

TEST(BudgetsWithoutCounters, fail_closed) {
  auto opened = db::TestStore::open(db::Engine::sqlite, db::compiled_migrations());
  ASSERT_TRUE(opened);
  ManualClock clock;
  kv::RedisAddress nowhere;
  nowhere.socket = "/nonexistent/parley.sock";
  kv::RedisStore counters({.address = nowhere});
  const auto tenant = crypto::random_id<TenantId>();
  ASSERT_TRUE((*opened)->store().create_tenant(tenant));
  Budgets budgets((*opened)->store(), counters, clock, {});
  const auto refused =
      wait(budgets.reserve({.tenant = tenant, .project = crypto::random_id<ProjectId>(), .key = {}, .user = {}}, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unavailable);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, BudgetsTest,
                         testing::Values(Where{Where::Counters::memory, db::Engine::sqlite},
                                         Where{Where::Counters::memory, db::Engine::postgres},
                                         Where{Where::Counters::redis, db::Engine::sqlite}),
                         [](const testing::TestParamInfo<Where>& info) {
                           return std::string(info.param.counters == Where::Counters::memory ? "memory" : "redis") +
                                  (info.param.engine == db::Engine::sqlite ? "_sqlite" : "_postgres");
                         });

}  // namespace
}  // namespace parley::admission
