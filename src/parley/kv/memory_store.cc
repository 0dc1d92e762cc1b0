#include "parley/kv/memory_store.h"

#include <algorithm>

namespace parley::kv {

Async<std::optional<Exceeded>> MemoryStore::take(Counts counts) { co_return take_now(counts); }

void MemoryStore::drop_expired(Budget& budget, Timestamp now) {
  std::erase_if(budget.parts, [&](const auto& part) {
    if (part.second.expires_at > now) return false;
    budget.reserved -= part.second.amount;
    return true;
  });
}

void MemoryStore::drop_ended(Timestamp now) {
  std::erase_if(budgets_, [&](const auto& entry) { return entry.second.ends_at + budget_kept_after <= now; });
}

Async<Reserved> MemoryStore::reserve(Claim claim) {
  const Timestamp now = clock_.now();
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < claim.lines.size(); ++i)
    if (!budgets_.contains(claim.lines[i].key)) co_return Reserved{Reserved::Outcome::unknown, i};
  for (std::size_t i = 0; i < claim.lines.size(); ++i) {
    Budget& budget = budgets_[claim.lines[i].key];
    drop_expired(budget, now);
    // As a subtraction, so that no sum can overflow.
    const Micros room = claim.lines[i].limit - budget.settled - budget.reserved;
    if (claim.amount > room) co_return Reserved{Reserved::Outcome::over, i};
  }
  for (const BudgetLine& line : claim.lines) {
    Budget& budget = budgets_[line.key];
    budget.reserved += claim.amount;
    budget.parts.emplace(claim.id, Part{claim.amount, now + claim.expires_in});
  }
  co_return Reserved{};
}

void MemoryStore::settle(Claim claim, Micros cost) {
  const std::scoped_lock lock(mutex_);
  for (const BudgetLine& line : claim.lines) {
    const auto it = budgets_.find(line.key);
    if (it == budgets_.end()) continue;
    Budget& budget = it->second;
    if (const auto part = budget.parts.find(claim.id); part != budget.parts.end()) {
      budget.reserved -= part->second.amount;
      budget.parts.erase(part);
    }
    budget.settled += cost;
  }
}

Async<> MemoryStore::raise(std::vector<Spent> spent) {
  const Timestamp now = clock_.now();
  const std::scoped_lock lock(mutex_);
  for (Spent& one : spent) {
    if (budgets_.size() >= budgets_max && !budgets_.contains(one.key)) {
      drop_ended(now);
      if (budgets_.size() >= budgets_max) co_return fail(Code::unavailable, "too many budgets are in use");
    }
    Budget& budget = budgets_[one.key];
    budget.settled = std::max(budget.settled, one.settled);
    budget.ends_at = one.ends_at;
  }
  co_return Result<void>();
}

Async<std::optional<BudgetState>> MemoryStore::budget(std::string key) {
  const std::scoped_lock lock(mutex_);
  const auto it = budgets_.find(key);
  if (it == budgets_.end()) co_return std::nullopt;
  drop_expired(it->second, clock_.now());
  co_return BudgetState{it->second.settled, it->second.reserved};
}

Async<> MemoryStore::publish(Signal signal) {
  if (signal.payload.size() > signal_bytes_max) co_return fail(Code::too_large, "a signal is too large");
  hub_->tell(signal.topic, signal.payload);
  co_return Result<void>();
}

Subscription MemoryStore::subscribe(Literal topic, OnSignal on_signal) {
  return {hub_, hub_->add(std::string(topic.view()), std::move(on_signal))};
}

}  // namespace parley::kv
