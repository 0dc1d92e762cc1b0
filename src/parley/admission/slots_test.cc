#include "parley/admission/slots.h"

#include <deque>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace parley::admission {
namespace {

using namespace std::chrono_literals;

TenantId tenant(std::uint8_t n) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[15] = n;
  bytes[8] = n;
  return TenantId(Uuid(bytes));
}

/// One caller, as far as it has come.
struct Caller {
  TenantId whose;
  std::optional<Slots::Slot> slot;
  std::optional<Error> error;
  asio::cancellation_signal cancel;

  bool runs() const { return slot.has_value(); }
  bool waits() const { return !slot && !error; }
};

asio::awaitable<void> call(Slots* slots, Caller* caller) {
  auto entered = co_await slots->enter(caller->whose);
  if (entered) caller->slot.emplace(*std::move(entered));
  else caller->error = entered.error();
}

class SlotsTest : public testing::Test {
 protected:
  SlotLimits limits{.running_max = 4, .running_per_organisation_max = 3, .waiting_max = 40, .wait_max = 1h};

  Caller& enter(TenantId whose) {
    if (!slots_) slots_.emplace(limits);
    Caller& caller = callers_.emplace_back(whose);
    asio::co_spawn(io_, call(&*slots_, &caller),
                   asio::bind_cancellation_slot(caller.cancel.slot(), [](std::exception_ptr) {}));
    turn();
    return caller;
  }
  /// Everything that can happen now.
  void turn() {
    io_.restart();
    io_.poll();
  }
  void finish(Caller& caller) {
    caller.slot.reset();
    turn();
  }

  asio::io_context io_;
  std::optional<Slots> slots_;
  std::deque<Caller> callers_;
};

TEST_F(SlotsTest, places_are_given_until_there_are_none_and_then_in_the_order_of_waiting) {
  limits = {.running_max = 2, .running_per_organisation_max = 2, .waiting_max = 8, .wait_max = 1h};
  Caller& a = enter(tenant(1));
  Caller& b = enter(tenant(1));
  Caller& c = enter(tenant(1));
  Caller& d = enter(tenant(1));
  EXPECT_TRUE(a.runs() && b.runs() && c.waits() && d.waits());
  finish(a);
  EXPECT_TRUE(c.runs() && d.waits());
  finish(b);
  EXPECT_TRUE(d.runs());
  finish(c);
  finish(d);
  EXPECT_EQ(slots_->counts().running, 0U);
  EXPECT_EQ(slots_->counts().waiting, 0U);
}

TEST_F(SlotsTest, no_organisation_takes_the_last_place) {
  for (int i = 0; i < 10; ++i) enter(tenant(1));
  EXPECT_EQ(slots_->counts().running, 3U);
  EXPECT_TRUE(enter(tenant(2)).runs());
}

TEST_F(SlotsTest, one_organisation_at_twenty_times_its_share_makes_another_wait_for_one_place_at_most) {
  limits.running_per_organisation_max = 4;
  std::vector<Caller*> flood;
  for (int i = 0; i < 20 * 2; ++i) flood.push_back(&enter(tenant(1)));
  EXPECT_EQ(slots_->counts().running, 4U);
  // Each of the other's requests gets the very next place, however many of the flood wait.
  for (int round = 0; round < 2; ++round) {
    Caller& other = enter(tenant(2));
    ASSERT_TRUE(other.waits());
    const auto running = std::ranges::find_if(flood, [](const Caller* caller) { return caller->runs(); });
    finish(**running);
    EXPECT_TRUE(other.runs()) << round;
  }
  // With two each, they take turns: neither starves.
  Caller& third = enter(tenant(2));
  const auto running = std::ranges::find_if(flood, [](const Caller* caller) { return caller->runs(); });
  finish(**running);
  EXPECT_TRUE(third.waits()) << "one runs of the flood, two of the other: the flood's turn";
}

TEST_F(SlotsTest, a_full_queue_sheds_the_newest_of_whoever_waits_most) {
  limits = {.running_max = 1, .running_per_organisation_max = 1, .waiting_max = 4, .wait_max = 1h};
  (void)enter(tenant(1));
  std::vector<Caller*> flood;
  for (int i = 0; i < 4; ++i) flood.push_back(&enter(tenant(1)));
  Caller& more = enter(tenant(1));
  ASSERT_TRUE(more.error) << "its own newest";
  EXPECT_EQ(more.error->code(), Code::unavailable);
  EXPECT_EQ(more.error->subject(), "chats_at_once");
  EXPECT_TRUE(more.error->retry_after());

  Caller& first_of_other = enter(tenant(2));
  EXPECT_TRUE(first_of_other.waits());
  EXPECT_TRUE(flood[3]->error) << "the newest of the flood made room";
  EXPECT_TRUE(flood[2]->waits());
  Caller& second_of_other = enter(tenant(2));
  EXPECT_TRUE(second_of_other.waits());
  EXPECT_TRUE(flood[2]->error);
  // Two each: a newcomer of either would be the largest's newest.
  EXPECT_TRUE(enter(tenant(2)).error);
  EXPECT_TRUE(enter(tenant(1)).error);
  EXPECT_TRUE(flood[0]->waits() && flood[1]->waits());
  EXPECT_EQ(slots_->counts().waiting, 4U);
}

TEST_F(SlotsTest, a_cancelled_caller_leaves_the_queue_and_takes_no_place) {
  limits = {.running_max = 1, .running_per_organisation_max = 1, .waiting_max = 4, .wait_max = 1h};
  Caller& a = enter(tenant(1));
  Caller& b = enter(tenant(1));
  Caller& c = enter(tenant(1));
  b.cancel.emit(asio::cancellation_type::terminal);
  turn();
  EXPECT_EQ(slots_->counts().waiting, 1U);
  EXPECT_FALSE(b.runs());
  finish(a);
  EXPECT_TRUE(c.runs());
}

TEST_F(SlotsTest, a_place_granted_to_somebody_who_leaves_at_that_moment_goes_on_to_the_next) {
  limits = {.running_max = 1, .running_per_organisation_max = 1, .waiting_max = 4, .wait_max = 1h};
  Caller& a = enter(tenant(1));
  Caller& b = enter(tenant(1));
  Caller& c = enter(tenant(1));
  a.slot.reset();  // granted to b, whose loop has not run yet
  b.cancel.emit(asio::cancellation_type::terminal);
  turn();
  b.slot.reset();  // whoever is told of the place gives it back when it goes
  turn();
  EXPECT_TRUE(c.runs());
  finish(c);
  EXPECT_EQ(slots_->counts().running, 0U);
}

TEST_F(SlotsTest, nobody_waits_longer_than_the_limit) {
  limits = {.running_max = 1, .running_per_organisation_max = 1, .waiting_max = 4, .wait_max = 1ms};
  (void)enter(tenant(1));
  Caller& late = enter(tenant(1));
  io_.restart();
  io_.run();  // until nothing is left to wait for: the one timer
  ASSERT_TRUE(late.error);
  EXPECT_EQ(late.error->code(), Code::unavailable);
  EXPECT_EQ(slots_->counts().waiting, 0U);
  EXPECT_EQ(slots_->counts().shed, 1U);
}

asio::awaitable<void> come_and_go(Slots* slots, TenantId whose, int times, std::atomic<int>* now,
                                  std::atomic<int>* most, std::atomic<int>* done) {
  for (int i = 0; i < times; ++i) {
    auto slot = co_await slots->enter(whose);
    if (!slot) continue;
    const int running = ++*now;
    int seen = *most;
    while (running > seen && !most->compare_exchange_weak(seen, running)) {
    }
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    --*now;
    ++*done;
  }
}

TEST_F(SlotsTest, several_event_loops_share_the_places_and_lose_none) {
  Slots slots({.running_max = 3, .running_per_organisation_max = 3, .waiting_max = 1'000, .wait_max = 1h});
  std::atomic<int> now = 0, most = 0, done = 0;
  std::vector<std::thread> threads;
  for (std::uint8_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      asio::io_context io;
      for (int i = 0; i < 10; ++i)
        asio::co_spawn(io, come_and_go(&slots, tenant(t), 100, &now, &most, &done), asio::detached);
      io.run();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 3'000);
  EXPECT_LE(most, 3);
  EXPECT_EQ(slots.counts().running, 0U);
  EXPECT_EQ(slots.counts().waiting, 0U);
}

}  // namespace
}  // namespace parley::admission
