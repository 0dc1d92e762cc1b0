#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/static_vector.hpp>

#include "parley/base/literal.h"
#include "parley/base/time.h"
#include "parley/kv/rate.h"
#include "parley/net/async.h"

namespace parley::kv {

/// One subject's allowance at one rate. The key is a keyed hash of what is counted and of whom: two that share one
/// would share a limit, never widen it. Nodes that share a store make keys with the same secret.
struct Count {
  std::uint64_t key = 0;
  Rate rate;
};
/// Enough for a request's whole nest: address, person, key, project, organisation, chat, and room for two more.
inline constexpr std::size_t counts_max = 8;
using Counts = boost::container::static_vector<Count, counts_max>;

/// Which of several counts was used up, and how long until all of them have a unit again.
struct Exceeded {
  std::size_t which = 0;
  std::chrono::microseconds wait{0};
};

/// Money in millionths of the unit that prices are given in.
using Micros = std::int64_t;

/// One budget that a piece of work is charged to. The key is readable: two budgets must never share one.
struct BudgetLine {
  std::string key;
  Micros limit = 0;   ///< what may be spent in its period; reserved and settled together never pass it
  Timestamp ends_at;  ///< end of the period: some time after it the store forgets the budget
};

/// An amount set aside in every budget of a nest. `id` is unique for ever (122 random bits do).
struct Claim {
  std::string id;
  Micros amount = 1;  ///< at least 1: what costs nothing needs no claim
  std::vector<BudgetLine> lines;
  /// How long it stands if nobody settles or releases it: what a crash leaves behind goes by itself.
  std::chrono::microseconds expires_in{0};
};
/// A claim has at most this many lines: four kinds of subject, two periods.
inline constexpr std::size_t budget_lines_max = 8;

struct Reserved {
  enum class Outcome : std::uint8_t {
    reserved,  ///< the amount is set aside in every line
    over,      ///< line `which` has no room; nothing was set aside
    unknown,   ///< line `which` is one the store knows nothing of: `raise` it to what was spent and try again
  };
  Outcome outcome = Outcome::reserved;
  std::size_t which = 0;
};

/// After a period has ended, work that began in it may still settle; then its budget is forgotten.
inline constexpr std::chrono::microseconds budget_kept_after = std::chrono::hours(1);

/// What a budget knows to be spent, e.g. from the database.
struct Spent {
  std::string key;
  Micros settled = 0;
  Timestamp ends_at;
};

struct BudgetState {
  Micros settled = 0;
  Micros reserved = 0;
};

/// A small message to every node: "this key was revoked".
struct Signal {
  std::string topic;
  std::string payload;
};
/// A payload is an id or two, so that an invalidation costs nothing.
inline constexpr std::size_t signal_bytes_max = 1024;

/// What a subscriber is told. `missed` has no message: messages may have been lost, so everything that such messages
/// keep right must be forgotten. While other nodes cannot be heard, it comes about once a second.
struct Heard {
  enum class Kind : std::uint8_t { message, missed };
  Kind kind = Kind::message;
  std::string_view payload;  ///< valid during the call
};
/// Runs on the publisher's thread or on one of the store's: must be quick, and must be safe from any thread.
using OnSignal = std::function<void(const Heard&)>;

class SignalHub;

/// Ends with the value; its function is not running any more once the destructor has returned (unless the destructor
/// was called by that very function). So do not destroy one under a lock that its function takes.
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  Subscription(std::shared_ptr<SignalHub> hub, std::uint64_t number) : hub_(std::move(hub)), number_(number) {}
  Subscription(Subscription&& other) noexcept : hub_(std::move(other.hub_)), number_(other.number_) {}
  Subscription& operator=(Subscription&& other) noexcept {
    std::swap(hub_, other.hub_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Subscription();

 private:
  std::shared_ptr<SignalHub> hub_;
  std::uint64_t number_ = 0;
};

/// Counters and signals that several nodes may share. In memory for one node, in Redis for many; both pass one contract
/// suite. Safe from any thread; no function waits for the network on its caller's thread.
///
/// `unavailable` means that nobody knows whether the operation took place. What to do then is the caller's choice:
/// budgets refuse, rates go on with the node's own counts.
class Store {
 public:
  virtual ~Store() = default;

  /// Takes one unit from every count, or none from any: a refused request must not use up the counts it passed. None
  /// if that was within all rates. One clock decides for all nodes.
  virtual Async<std::optional<Exceeded>> take(Counts counts) = 0;
  /// Gives a unit back to each count, for work that turned out not to happen. Goes out without waiting, in the order of
  /// the calls; may be lost with the connection.
  virtual void give_back(Counts counts) = 0;

  /// Sets the amount aside in all lines, or in none.
  virtual Async<Reserved> reserve(Claim claim) = 0;
  /// Ends a claim: frees what it set aside and adds the real cost to what is spent, also when the claim has expired
  /// meanwhile. Call it once. Goes out like `give_back`; a budget that the store does not know is left alone, as
  /// whoever keeps the durable sums will `raise` it.
  virtual void settle(Claim claim, Micros cost) = 0;
  /// Ends a claim without cost. Likewise.
  void release(Claim claim) { settle(std::move(claim), 0); }
  /// Makes known that at least this much is spent; never lowers a sum.
  virtual Async<> raise(std::vector<Spent> spent) = 0;
  /// What is settled and set aside now; none for a budget the store does not know.
  virtual Async<std::optional<BudgetState>> budget(std::string key) = 0;

  /// Tells every subscriber of the topic, on this node before it returns, on the others within a second. An error says
  /// that the others were not told by this; they forget by `missed`.
  virtual Async<> publish(Signal signal) = 0;
  virtual Subscription subscribe(Literal topic, OnSignal on_signal) = 0;

  /// Whether other nodes can be reached now. Always, for a store that has none.
  virtual bool connected() const = 0;
};

}  // namespace parley::kv
