#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/crypto/random.h"
#include "parley/llm/breaker.h"
#include "parley/llm/model.h"

namespace parley::llm {

/// Money set aside for one call; how a reservation looks from here. Given back when it goes without being settled.
class Reservation {
 public:
  virtual ~Reservation() = default;
  /// Ends it with the real cost. Once. Does not wait.
  virtual void settle(Micros cost) = 0;
};

/// Whoever pays. `chat/purse.h` has the one that keeps budgets.
class Purse {
 public:
  virtual ~Purse() = default;
  /// Sets that much aside, or says why it cannot be had (`budget_exceeded`).
  virtual Async<std::unique_ptr<Reservation>> reserve(Micros most) = 0;
};

/// A request whose greatest cost has been set aside. Only `Chain::reserve` makes one and only `Chain::run` takes it, so
/// that a call that nobody pays for cannot be written down. Settled with what the call has used when it ends in any
/// way: with an answer, an error, or an exception of its cancelled coroutine; with nothing if it never ran.
class PaidRequest {
 public:
  PaidRequest(PaidRequest&&) = default;
  PaidRequest& operator=(PaidRequest&&) = default;

  const Request& request() const { return *request_; }
  Micros most() const { return most_; }

 private:
  friend class Chain;
  PaidRequest(std::shared_ptr<const Request> request, std::unique_ptr<Reservation> reservation, Micros most)
      : request_(std::move(request)), reservation_(std::move(reservation)), most_(most) {}

  std::shared_ptr<const Request> request_;
  std::unique_ptr<Reservation> reservation_;
  Micros most_;
};

/// An attempt that did not lead to the answer, for the record: no word of it is a provider's.
struct Setback {
  std::string model;
  Failure failure;
  int status = 0;  ///< of HTTP, where there was an answer
};

/// How a call ended that has an answer.
struct Completion {
  std::string model;  ///< whose answer it is, by its name in the configuration
  Finish finish = Finish::stop;
  Usage usage;                    ///< of all attempts
  Micros cost = 0;                ///< of all attempts
  bool usage_reported = false;    ///< by the provider; guessed otherwise
  std::vector<Setback> setbacks;  ///< in order; the last one of another model is why that one was left
};

/// A model with its breaker, shared by all chains that it is in.
struct Link {
  std::shared_ptr<Model> model;
  std::shared_ptr<Breaker> breaker;
};

struct ChainOptions {
  /// Attempts at one model before the next is asked.
  int attempts_max = 3;
  /// Waits between them grow from the first to the second, each a random part of it: callers that failed together must
  /// not come back together. A provider that asks for a longer wait is left instead.
  std::chrono::milliseconds wait_min{200};
  std::chrono::milliseconds wait_max{2'000};
};

/// Models in the order of preference. The first that begins to answer answers; once somebody has heard a word of it,
/// nobody else does. What may be tried again is tried again: a request that never arrived, or was refused because of
/// load. One that was taken and then went silent is not, since it may be charged for twice; the next model is asked.
class Chain {
 public:
  /// `links` must not be empty; its last should be the built-in. `random` must outlive this object.
  Chain(std::vector<Link> links, crypto::Random& random, ChainOptions options = {})
      : links_(std::move(links)), random_(random), options_(options) {}

  /// The first model's: what a prompt is made to fit.
  const ModelCard& card() const { return links_.front().model->card(); }
  std::vector<std::string> names() const;

  /// The most that this request may cost, whichever model answers: as many tokens of input as it has bytes, and an
  /// answer of the greatest length.
  Micros cost_max(const Request& request) const;

  /// Sets that aside. Errors are the purse's. `purse` must outlive the call.
  Async<PaidRequest> reserve(Request request, Purse& purse) const;

  /// Makes the call. `listener` must outlive it. Errors have no word of a provider in them:
  ///   - the listener's own, as it gave it (`cancelled` for a caller who has left);
  ///   - `too_large` if the request fits no model;
  ///   - `unavailable` if no model answered, or one broke off after it had begun; `timeout` if it did so by silence.
  /// A coroutine that is cancelled ends with `cancelled` or by its exception; the upstream call ends at once.
  /// Safe from any thread, on any executor.
  Async<Completion> run(PaidRequest paid, Listener& listener) const;

 private:
  struct Bill;
  Async<Completion> run_here(PaidRequest paid, Listener* listener) const;
  asio::awaitable<Attempt> try_model(const Link* link, std::shared_ptr<const Request> request, Listener* listener,
                                     Bill* bill) const;
  std::chrono::milliseconds wait_before(int attempt) const;

  const std::vector<Link> links_;
  crypto::Random& random_;
  const ChainOptions options_;
};

}  // namespace parley::llm
