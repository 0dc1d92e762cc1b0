#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "parley/kv/gcra_table.h"
#include "parley/kv/signal_hub.h"
#include "parley/kv/store.h"

namespace parley::kv {

/// The counters of one node. Nothing in it survives the process: sums that must are raised from the database.
class MemoryStore final : public Store {
 public:
  /// The clock must outlive this object.
  explicit MemoryStore(const Clock& clock) : clock_(clock) {}

  /// `take` without a coroutine, for a caller that needs no other store.
  std::optional<Exceeded> take_now(const Counts& counts) { return rates_.take(counts, clock_.now()); }

  Async<std::optional<Exceeded>> take(Counts counts) override;
  void give_back(Counts counts) override { rates_.give_back(counts); }
  Async<Reserved> reserve(Claim claim) override;
  void settle(Claim claim, Micros cost) override;
  Async<> raise(std::vector<Spent> spent) override;
  Async<std::optional<BudgetState>> budget(std::string key) override;
  Async<> publish(Signal signal) override;
  Subscription subscribe(Literal topic, OnSignal on_signal) override;
  bool connected() const override { return true; }

 private:
  struct Part {
    Micros amount;
    Timestamp expires_at;
  };
  struct Budget {
    Micros settled = 0;
    Micros reserved = 0;
    Timestamp ends_at;
    std::unordered_map<std::string, Part> parts;
  };
  // Some hundred bytes each: 20 MB. Four for each subject that spends; what goes beyond is refused until periods end.
  static constexpr std::size_t budgets_max = 100'000;

  static void drop_expired(Budget& budget, Timestamp now);
  void drop_ended(Timestamp now);

  const Clock& clock_;
  GcraTable rates_;
  const std::shared_ptr<SignalHub> hub_ = std::make_shared<SignalHub>();
  // One lock: work that costs money is rare beside the work itself.
  std::mutex mutex_;
  std::unordered_map<std::string, Budget> budgets_;
};

}  // namespace parley::kv
