#include "parley/chat/purse.h"

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/kv/memory_store.h"
#include "testing/scripted_model.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::chat {
namespace {

Async<llm::Completion> ask(const llm::Chain& chain, llm::Purse& purse, llm::Listener& listener) {
  llm::Request request{.messages = {{.role = llm::Role::user, .text = "How?"}}};
  auto paid = PARLEY_CO_TRY(co_await chain.reserve(std::move(request), purse));
  co_return co_await chain.run(std::move(paid), listener);
}

TEST(BudgetPurse, a_call_is_paid_from_the_budget_and_refused_when_it_is_used_up) {
  auto opened = db::TestStore::open(db::Engine::sqlite, db::compiled_migrations());
  ASSERT_TRUE(opened) << describe_for_operator(opened.error());
  auto& store = (*opened)->store();
  const auto tenant = crypto::random_id<TenantId>();
  ASSERT_TRUE(store.create_tenant(tenant));
  ManualClock clock;
  kv::MemoryStore counters(clock);
  admission::BudgetLimits limits;
  limits.of(admission::Payer::project, admission::Period::day) = 300;
  admission::Budgets budgets(store, counters, clock, limits);
  const admission::Spender spender{.tenant = tenant, .project = crypto::random_id<ProjectId>(), .key = {}, .user = {}};

  const auto model = std::make_shared<testing::ScriptedModel>(
      llm::ModelCard{.name = "m",
                     .context_tokens = 1'000,
                     .output_tokens_max = 100,
                     .prices = {.input = 1'000'000, .cached_input = 1'000'000, .output = 2'000'000}},
      std::vector<testing::ScriptedModel::Script>{
          {.events = {llm::TextDelta{"so"}}, .usage = {.input = 10, .cached_input = 0, .output = 30}}});
  const llm::Chain chain({{model, std::make_shared<llm::Breaker>(clock)}}, crypto::system_random());
  BudgetPurse purse(budgets, spender);
  testing::HearingListener listener;

  ASSERT_EQ(wait(ask(chain, purse, listener)).value().cost, 70);
  // 212 may be asked for at once, 230 are left, then 160.
  ASSERT_TRUE(wait(ask(chain, purse, listener)));
  const auto refused = wait(ask(chain, purse, listener));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::budget_exceeded);
  EXPECT_EQ(refused.error().subject(), "budget_per_project_per_day");
  EXPECT_EQ(model->requests().size(), 2U);
  ASSERT_TRUE(wait(budgets.flush()));
  EXPECT_EQ(wait(budgets.spent(tenant, admission::Payer::project, spender.project.uuid(), admission::Period::day,
                               clock.now()))
                .value(),
            140);
}

}  // namespace
}  // namespace parley::chat
