#include "parley/llm/chain.h"

#include <type_traits>

#include <gtest/gtest.h>

#include "parley/llm/builtin.h"
#include "parley/net/workers.h"
#include "testing/scripted_model.h"
#include "testing/wait.h"

namespace parley::llm {
namespace {

using namespace std::chrono_literals;
using testing::CountingPurse;
using testing::HearingListener;
using testing::ScriptedModel;
using Script = ScriptedModel::Script;

// What the types promise: a call that nobody pays for cannot be written down.
static_assert(!std::is_default_constructible_v<PaidRequest>);
static_assert(!std::is_copy_constructible_v<PaidRequest>);
static_assert(!std::is_constructible_v<PaidRequest, Request>);
static_assert(
    !std::is_constructible_v<PaidRequest, std::shared_ptr<const Request>, std::unique_ptr<Reservation>, Micros>);
static_assert(!std::is_invocable_v<decltype(&Chain::run), const Chain&, Request, Listener&>);

class FixedExtract final : public Extractor {
 public:
  Async<Extract> extract() override {
    ++asked;
    co_return Extract{.answered = true, .text = text};
  }
  std::string text = "It stands in the documents.";
  int asked = 0;
};

constexpr Prices prices{.input = 1'000'000, .cached_input = 100'000, .output = 2'000'000};

class Chains : public ::testing::Test {
 protected:
  Link link(std::shared_ptr<Model> model) { return {std::move(model), std::make_shared<Breaker>(clock)}; }
  std::shared_ptr<ScriptedModel> scripted(std::string name, std::vector<Script> scripts) {
    return std::make_shared<ScriptedModel>(
        ModelCard{.name = std::move(name), .context_tokens = 10'000, .output_tokens_max = 100, .prices = prices},
        std::move(scripts));
  }
  Chain chain_of(std::vector<std::shared_ptr<Model>> models) {
    std::vector<Link> links;
    for (auto& model : models) links.push_back(link(std::move(model)));
    return Chain(std::move(links), crypto::system_random(), {.wait_min = 1ms, .wait_max = 5ms});
  }
  Request question() { return {.messages = {{.role = Role::user, .text = "How?"}}, .extractor = &extractor}; }
  Result<Completion> ask(const Chain& chain) { return wait(ask_async(chain, question())); }
  Async<Completion> ask_async(const Chain& chain, Request request) {
    auto paid = PARLEY_CO_TRY(co_await chain.reserve(std::move(request), purse));
    co_return co_await chain.run(std::move(paid), listener);
  }

  ManualClock clock;
  FixedExtract extractor;
  CountingPurse purse;
  HearingListener listener;
};

Script text_of(std::string text, Usage usage = {.input = 10, .cached_input = 0, .output = 5}) {
  return {.events = {TextDelta{std::move(text)}}, .usage = usage};
}
Script failing(Failure failure, bool accepted = false, int status = 500) {
  return {.events = {}, .failure = failure, .reported = false, .accepted = accepted, .status = status};
}

TEST_F(Chains, the_first_model_answers_and_is_paid_what_it_used) {
  const auto chain = chain_of({scripted("first", {text_of("so", {.input = 10, .cached_input = 4, .output = 5})}),
                               std::make_shared<BuiltinModel>()});
  const auto done = ask(chain);
  ASSERT_TRUE(done) << describe_for_operator(done.error());
  EXPECT_EQ(done->model, "first");
  EXPECT_EQ(listener.heard, "so");
  EXPECT_TRUE(done->setbacks.empty());
  // 6 at 1, 4 at 0.1, 5 at 2, rounded up once.
  EXPECT_EQ(done->cost, 17);
  EXPECT_EQ(purse.settled, (std::vector<Micros>{17}));
  // 4 letters and the overhead of a message at most, and the longest answer.
  EXPECT_EQ(purse.reserved, (std::vector<Micros>{12 + 200}));
  EXPECT_EQ(extractor.asked, 0);
}

TEST_F(Chains, a_purse_without_money_means_no_call) {
  CountingPurse empty(1);
  const auto model = scripted("first", {text_of("so")});
  const auto chain = chain_of({model});
  EXPECT_EQ(wait(chain.reserve(question(), empty)).error().code(), Code::budget_exceeded);
  EXPECT_TRUE(model->requests().empty());
}

TEST_F(Chains, a_reservation_that_is_never_used_is_given_back) {
  const auto chain = chain_of({scripted("first", {text_of("so")})});
  {
    const auto paid = wait(chain.reserve(question(), purse));
  }
  EXPECT_EQ(purse.given_back, 1);
  EXPECT_TRUE(purse.settled.empty());
}

TEST_F(Chains, what_was_refused_is_tried_again_and_then_the_next_model_answers_with_the_reason_on_record) {
  const auto first = scripted("first", {failing(Failure::overloaded, false, 503)});
  const auto second = scripted("second", {failing(Failure::rate_limited, false, 429), text_of("so")});
  const auto done = ask(chain_of({first, second, std::make_shared<BuiltinModel>()}));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->model, "second");
  EXPECT_EQ(first->requests().size(), 3U);
  EXPECT_EQ(second->requests().size(), 2U);
  ASSERT_EQ(done->setbacks.size(), 4U);
  EXPECT_EQ(done->setbacks[2].model, "first");
  EXPECT_EQ(done->setbacks[2].failure, Failure::overloaded);
  EXPECT_EQ(done->setbacks[2].status, 503);
  EXPECT_EQ(done->setbacks[3].failure, Failure::rate_limited);
  EXPECT_EQ(done->cost, 20) << "what was refused cost nothing";
}

TEST_F(Chains, the_built_in_answers_in_the_end) {
  const auto done =
      ask(chain_of({scripted("first", {failing(Failure::key_refused, false, 401)}), std::make_shared<BuiltinModel>()}));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->model, "builtin");
  EXPECT_EQ(listener.heard, "It stands in the documents.");
  EXPECT_EQ(done->setbacks.at(0).failure, Failure::key_refused);
  EXPECT_EQ(done->cost, 0);
  extractor.text = std::string(700, 'x') + " \xE2\x82\xAC";
  listener = {};
  ASSERT_TRUE(ask(chain_of({std::make_shared<BuiltinModel>()})));
  EXPECT_EQ(listener.heard, extractor.text);
  EXPECT_GT(listener.pieces, 3);
}

TEST_F(Chains, a_call_that_may_be_charged_for_is_not_made_twice_and_is_paid_by_guess) {
  const auto first = scripted("first", {failing(Failure::timed_out, true, 0)});
  const auto done = ask(chain_of({first, std::make_shared<BuiltinModel>()}));
  ASSERT_TRUE(done);
  EXPECT_EQ(first->requests().size(), 1U);
  EXPECT_EQ(done->model, "builtin");
  EXPECT_EQ(purse.settled.size(), 1U);
}

TEST_F(Chains, nobody_else_answers_once_a_word_was_heard) {
  auto half = text_of("ha");
  half.failure = Failure::interrupted;
  half.reported = false;
  const auto first = scripted("first", {half});
  const auto second = scripted("second", {text_of("so")});
  const auto done = ask(chain_of({first, second, std::make_shared<BuiltinModel>()}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::unavailable);
  EXPECT_EQ(listener.heard, "ha");
  EXPECT_EQ(first->requests().size(), 1U);
  EXPECT_TRUE(second->requests().empty());
  EXPECT_EQ(purse.settled.size(), 1U);
}

TEST_F(Chains, a_provider_that_asks_for_a_long_wait_is_left_at_once) {
  auto later = failing(Failure::rate_limited, false, 429);
  later.retry_after = 30s;
  const auto first = scripted("first", {later});
  ASSERT_TRUE(ask(chain_of({first, std::make_shared<BuiltinModel>()})));
  EXPECT_EQ(first->requests().size(), 1U);
}

TEST_F(Chains, a_listener_that_has_gone_ends_the_call_with_its_own_error) {
  listener.fails_with = Error(Code::cancelled, "gone");
  const auto second = scripted("second", {text_of("so")});
  const auto done = ask(chain_of({scripted("first", {text_of("so")}), second}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::cancelled);
  EXPECT_TRUE(second->requests().empty());
  EXPECT_EQ(purse.settled.size(), 1U);
}

TEST_F(Chains, a_conversation_that_fits_no_model_is_too_large) {
  const auto done = ask(chain_of({scripted("first", {failing(Failure::too_long)})}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::too_large);
}

TEST_F(Chains, tool_calls_arrive_whole) {
  Script script;
  script.events = {TextDelta{"Let me see."}, ToolCall{"c1", "look_up", "{\"word\":\"x\"}"}};
  script.finish = Finish::tool_calls;
  const auto done = ask(chain_of({scripted("first", {script})}));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->finish, Finish::tool_calls);
  EXPECT_EQ(listener.calls.at(0), (ToolCall{"c1", "look_up", "{\"word\":\"x\"}"}));
}

TEST_F(Chains, runs_on_a_pool_of_threads_too) {
  net::Workers workers{4};
  const auto chain = chain_of({scripted("first", {text_of("so")})});
  std::promise<Result<Completion>> done;
  asio::co_spawn(workers.executor(), ask_async(chain, question()),
                 [&](std::exception_ptr, Result<Completion> outcome) { done.set_value(std::move(outcome)); });
  EXPECT_TRUE(done.get_future().get());
}

TEST_F(Chains, an_upstream_that_fails_is_left_alone_for_a_while) {
  const auto first = scripted("first", {failing(Failure::provider_broken)});
  const auto chain = chain_of({first, std::make_shared<BuiltinModel>()});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(chain));
  EXPECT_EQ(first->requests().size(), 5U) << "five failures in all, and no call after them";
  EXPECT_EQ(ask(chain)->setbacks.at(0).failure, Failure::circuit_open);
  clock.advance(Breaker::open_min);
  ASSERT_TRUE(ask(chain));
  EXPECT_EQ(first->requests().size(), 6U) << "one try";
  clock.advance(Breaker::open_min);
  ASSERT_TRUE(ask(chain));
  EXPECT_EQ(first->requests().size(), 6U) << "after it failed the wait is longer";
}

TEST(Breakers, one_call_at_a_time_tries_and_success_closes) {
  ManualClock clock;
  Breaker breaker(clock);
  for (int i = 0; i < Breaker::failures_to_open; ++i) breaker.ask()->failed();
  EXPECT_FALSE(breaker.ask());
  clock.advance(Breaker::open_min);
  {
    auto trying = breaker.ask();
    ASSERT_TRUE(trying);
    EXPECT_FALSE(breaker.ask()) << "somebody is trying";
  }
  auto again = breaker.ask();
  ASSERT_TRUE(again) << "the one before said nothing";
  again->went_well();
  EXPECT_TRUE(breaker.ask());
  EXPECT_TRUE(breaker.ask());
  for (int i = 0; i < Breaker::failures_to_open - 1; ++i) breaker.ask()->failed();
  breaker.ask()->went_well();
  breaker.ask()->failed();
  EXPECT_TRUE(breaker.ask()) << "only failures in a row count";
}

}  // namespace
}  // namespace parley::llm
