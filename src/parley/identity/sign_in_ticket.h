#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/db/session.h"
#include "parley/net/async.h"

namespace parley::identity {

/// What a ticket was given out for. It opens for nothing else.
enum class TicketPurpose : std::uint8_t { passkey_registration, passkey_sign_in, passkey_factor, provider_sign_in };

/// A passkey's challenge and a provider's state fit many times over.
inline constexpr std::size_t ticket_bytes_max = 4096;

/// What a sign-in that takes two requests remembers between them, carried by the browser: sealed, so that it can be
/// neither read nor made elsewhere, and good once. Beginning costs no write, so a flood of beginnings fills nothing;
/// presenting one writes its digest, so that every node refuses it from then on.
class SignInTickets {
 public:
  /// `key`: the installation's, derived for this purpose alone. The clock must outlive this object.
  SignInTickets(crypto::SealKey key, db::ControlSession control, const Clock& clock,
                crypto::Random& random = crypto::system_random());

  /// base64url, to be handed back with the second request. `binding`: who it is for (a session's id, an account's; or
  /// empty where the ticket itself is in the browser's cookie).
  std::string make(TicketPurpose purpose, std::string_view binding, const Secret& content,
                   std::chrono::microseconds life) const;

  /// The content, once. `unauthenticated`, alike, for a ticket that is none of ours, was changed, is for another
  /// purpose or binding, has expired, or was presented before; the difference in the detail.
  Async<Secret> take(TicketPurpose purpose, std::string binding, std::string ticket) const;

 private:
  crypto::SealKey key_;
  db::ControlSession control_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::identity
