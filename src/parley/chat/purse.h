#pragma once

#include <memory>

#include "parley/admission/budgets.h"
#include "parley/llm/chain.h"

namespace parley::chat {

/// Pays for calls of models out of budgets: of the caller's key or account, the project and the organisation.
///   `BudgetPurse purse(budgets, admission::spender_of(permit));`
///   `auto paid = PARLEY_CO_TRY(co_await chain->reserve(std::move(request), purse));`
class BudgetPurse final : public llm::Purse {
 public:
  /// `budgets` must outlive this object and every reservation of it.
  BudgetPurse(admission::Budgets& budgets, admission::Spender spender) : budgets_(budgets), spender_(spender) {}

  Async<std::unique_ptr<llm::Reservation>> reserve(llm::Micros most) override {
    auto held = PARLEY_CO_TRY(co_await budgets_.reserve(spender_, most));
    co_return std::unique_ptr<llm::Reservation>(std::make_unique<Held>(std::move(held)));
  }

 private:
  class Held final : public llm::Reservation {
   public:
    explicit Held(admission::Budgets::Reservation held) : held_(std::move(held)) {}
    void settle(llm::Micros cost) override { held_.settle(cost); }

   private:
    admission::Budgets::Reservation held_;
  };

  admission::Budgets& budgets_;
  const admission::Spender spender_;
};

}  // namespace parley::chat
