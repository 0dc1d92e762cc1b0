#pragma once

#include <atomic>
#include <string>

#include "parley/base/secret.h"
#include "parley/crypto/password.h"
#include "parley/net/async.h"
#include "parley/net/workers.h"

namespace parley::identity {

/// Hashes that may wait. At two at once a full queue is about a second of work; whoever comes then is told to come back
/// rather than made to wait behind a flood.
inline constexpr int password_queue_max = 16;

/// Runs Argon2 on workers of its own. How many at once is the number of those workers: two, since each takes 64 MiB.
/// Safe from any thread; must outlive what it started.
class PasswordHasher {
 public:
  explicit PasswordHasher(net::Workers& workers, crypto::PasswordCost cost = {});

  /// `unavailable` if the queue is full; else as `crypto::hash_password`.
  Async<std::string> hash(Secret password);
  /// `unavailable` if the queue is full.
  Async<crypto::PasswordVerdict> verify(Secret password, std::string hash);

  const crypto::PasswordCost& cost() const { return cost_; }

  /// Runs something else that takes long by design (judging a password's strength) under the same bound.
  template <class Work>
  auto run(Work work) -> asio::awaitable<std::invoke_result_t<Work>> {
    const Place place(waiting_);
    if (!place.granted) co_return fail(Code::unavailable, "too many log-ins are being checked; try again shortly");
    co_return co_await workers_.run(std::move(work));
  }

 private:
  // A place in the queue for as long as it lives.
  struct Place {
    explicit Place(std::atomic<int>& count) : waiting(count), granted(++count <= password_queue_max) {}
    ~Place() { --waiting; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    std::atomic<int>& waiting;
    const bool granted;
  };

  net::Workers& workers_;
  const crypto::PasswordCost cost_;
  std::atomic<int> waiting_ = 0;
};

}  // namespace parley::identity
