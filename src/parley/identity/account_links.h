#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/account_store.h"
#include "parley/identity/password_hasher.h"
#include "parley/identity/session_store.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Whoever asks for a new password is waiting for the letter.
inline constexpr std::chrono::microseconds reset_link_lifetime = std::chrono::hours(1);
/// Confirming an address is nobody's emergency.
inline constexpr std::chrono::microseconds confirmation_link_lifetime = std::chrono::days(3);
/// Letters of a kind to one account within an hour: an address must not be flooded through us.
inline constexpr std::int64_t letters_per_hour_max = 3;

/// What goes into a letter. The token belongs behind '#' in the link, so that no server's log gets it.
struct Letter {
  std::string email;
  Secret token;
};

/// Links by mail, each good once: to choose a new password, to confirm an address. Sending them is the caller's matter,
/// and so is the trail, before.
class AccountLinks {
 public:
  AccountLinks(db::ControlSession control, PasswordHasher& hasher, SessionStore& sessions, const Clock& clock,
               crypto::Random& random = crypto::system_random());

  /// A letter, or none: for an unknown address, a disabled account, or one that was written to often enough. The work
  /// is the same, up to a row that is written; for the answer to be, the caller must answer before it sends.
  Async<std::optional<Letter>> create_reset(std::string email);
  /// For an operator who hands it over themselves. `not_found`, `conflict` for a disabled account.
  Async<Letter> create_reset(LocalOperator by, AccountId account);

  /// `not_found` for a token that is unknown, used or expired, alike; here and below. Whose it is.
  Async<AccountId> require_reset(Secret token);
  /// Sets the password, uses the link up, and ends all sessions and all other links of the account. A second factor is
  /// owed as before. `invalid_argument` for a weak password; the link survives that.
  Async<AccountId> reset_password(Secret token, Secret password);

  /// None if it is confirmed already or was written to often enough.
  Async<std::optional<Letter>> create_confirmation(AccountId account);
  Async<AccountId> confirm(Secret token);

 private:
  db::ControlSession control_;
  PasswordHasher& hasher_;
  SessionStore& sessions_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::identity
