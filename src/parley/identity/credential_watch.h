#pragma once

#include <chrono>
#include <utility>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/identity/authenticator.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Looks again, while a reply goes on for long, whether the credential that opened it still holds: one that was revoked
/// ends the streams it opened, too. For one reply, so for one coroutine at a time.
class CredentialWatch {
 public:
  /// Both must outlive this object.
  CredentialWatch(const Authenticator& authenticator, const Clock& clock)
      : authenticator_(authenticator), clock_(clock), checked_at_(clock.now()) {}

  /// Together with `key_age_max`, after which a revocation by another node is seen, within the promised second.
  static constexpr std::chrono::microseconds check_every = std::chrono::milliseconds(250);

  /// To be called before each part of the reply. The error that `authenticate` gives by now; `unauthenticated` if it
  /// gives somebody else. Asks at most every `check_every`, so it costs nothing worth counting.
  Async<> require_still(Credentials credentials, Uuid who) {
    const auto now = clock_.now();
    // A clock that was set back must not put the next look off.
    if (now >= checked_at_ && now - checked_at_ < check_every) co_return Result<void>();
    checked_at_ = now;
    auto caller = co_await authenticator_.authenticate(std::move(credentials));
    if (!caller) co_return std::unexpected(std::move(caller).error().error);
    if (caller->who().id != who) co_return fail(Code::unauthenticated, "the credential is not valid");
    co_return Result<void>();
  }

 private:
  const Authenticator& authenticator_;
  const Clock& clock_;
  Timestamp checked_at_;
};

}  // namespace parley::identity
