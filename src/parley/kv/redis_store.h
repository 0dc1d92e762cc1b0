#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "parley/kv/redis_link.h"
#include "parley/kv/store.h"

namespace parley::kv {

struct RedisOptions {
  RedisAddress address;
  /// In front of every key and channel, so that installations can share a server.
  std::string prefix = "parley";
  /// How long a reply may take. Loopback answers in a tenth of a millisecond and another machine in one; a server that
  /// takes longer than this would hold up every request by as much.
  std::chrono::milliseconds reply_timeout{250};
  /// Between attempts to connect again; also how often subscribers hear `missed` meanwhile.
  std::chrono::milliseconds retry_pause{500};
  /// How often the connection that listens is asked whether it is still there.
  std::chrono::milliseconds heartbeat{300};
};

/// Counters that all nodes share, in Redis 7. One thread of its own sends: commands that wait are sent together, so one
/// round trip serves many requests. Another listens. A request is never sent twice unless Redis said that it did not
/// run, so nothing is counted double.
///
/// While the connection is away every operation fails with `unavailable` at once, without waiting for a timeout each.
/// Opening does not fail: a server that starts while Redis is away starts, and says so in its log.
class RedisStore final : public Store {
 public:
  explicit RedisStore(RedisOptions options);
  /// Tells everything that still waits `unavailable`, after what `give_back` and `settle` have queued has gone out if
  /// the connection is there.
  ~RedisStore() override;

  Async<std::optional<Exceeded>> take(Counts counts) override;
  void give_back(Counts counts) override;
  Async<Reserved> reserve(Claim claim) override;
  void settle(Claim claim, Micros cost) override;
  Async<> raise(std::vector<Spent> spent) override;
  Async<std::optional<BudgetState>> budget(std::string key) override;
  Async<> publish(Signal signal) override;
  Subscription subscribe(Literal topic, OnSignal on_signal) override;
  bool connected() const override;

 private:
  class Sender;
  class Listener;

  std::string rate_key(std::uint64_t key) const;
  std::string budget_key(std::string_view key) const;
  std::string claims_key(std::string_view key) const;

  RedisOptions options_;
  std::string node_;  ///< random for each start: a node does not listen to itself
  std::shared_ptr<SignalHub> hub_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Sender> sender_;
};

}  // namespace parley::kv
