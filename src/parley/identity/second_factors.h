#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/db/session.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/session_store.h"
#include "parley/identity/sign_in.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Wrong codes of an authenticator app in `factor_tries_window`, before all are refused until it is over. Whoever has a
/// password and may try for ever finds one in about 1,400 days: three codes in a million hold at any time.
inline constexpr std::int64_t totp_tries_max = 5;
/// Recovery codes cannot be guessed (80 bits); this bounds the work. Counted apart, so that a recovery code is a way in
/// while somebody else is guessing.
inline constexpr std::int64_t recovery_tries_max = 20;
inline constexpr std::chrono::microseconds factor_tries_window = std::chrono::minutes(30);

/// One for each way of losing a telephone in some years.
inline constexpr std::size_t recovery_codes_count = 10;
/// Of 32 characters each 5 bits: 80 bits, which nobody who copied the table can search for either.
inline constexpr std::size_t recovery_code_characters = 16;

/// What an authenticator app needs to begin: shown once, as text and as a picture.
struct TotpEnrolment {
  Secret text;    ///< base32, to type
  Secret uri;     ///< otpauth://totp/…
  Secret qr_svg;  ///< the same as an SVG picture
};

struct TotpEnrolled {
  ProvenFactor factor;  ///< for `SessionStore::raise`
  /// "xxxx-xxxx-xxxx-xxxx", shown once. None if the account has recovery codes already.
  std::vector<Secret> recovery_codes;
};

/// Second factors by authenticator app, and the recovery codes behind all kinds. Every operation takes the session it
/// is asked in and acts on that session's account alone. Safe from any thread.
class SecondFactors {
 public:
  /// `key`: the installation's, derived for this purpose alone. `issuer`: what apps show above the code.
  SecondFactors(db::ControlSession control, crypto::SealKey key, SessionStore& sessions, const Clock& clock,
                crypto::Random& random = crypto::system_random(), std::string issuer = "Parley");

  /// Which kinds this account has, `recovery_code` among them while there are unused ones.
  Async<std::vector<FactorKind>> kinds_of(AccountId account);
  Async<std::size_t> recovery_codes_left(AccountId account);

  /// A new secret, good for nothing before it is confirmed; one begun before is replaced, an app in use goes on until
  /// then. In a full session or one that owes an enrolment: `unauthenticated` while a factor is owed. An account that
  /// has a factor already needs a fresh one: `permission_denied`.
  Async<TotpEnrolment> begin_totp(OpenSession session, std::optional<ProvenFactor> factor);
  /// With the app's first code. The account has a second factor from now on, and its other sessions end if it is the
  /// first. `unauthenticated` for a wrong code, `rate_limited` after too many, `not_found` if nothing was begun.
  Async<TotpEnrolled> confirm_totp(OpenSession session, std::string code);

  /// `unauthenticated` for a wrong code and for one that was accepted before, `rate_limited` after too many.
  Async<ProvenFactor> verify_totp(OpenSession session, std::string code);
  /// Uses the code up. Read without regard to case, blanks and dashes. Errors as above.
  Async<ProvenFactor> verify_recovery_code(OpenSession session, std::string code);

  /// Replaces all recovery codes, used or not. Needs a fresh factor (`permission_denied`), and a second factor to stand
  /// in for (`conflict`).
  Async<std::vector<Secret>> make_recovery_codes(FullSession session, ProvenFactor factor);
  /// Needs a fresh factor. `conflict` if it is the account's last and an organisation of theirs requires one.
  Async<> remove_totp(FullSession session, ProvenFactor factor);

  /// For the operator, when somebody lost everything: removes the app, the recovery codes and the passkeys, and
  /// ends all sessions. Where a factor is required the next sign-in leads to enrolment.
  Async<> reset(LocalOperator by, AccountId account);

 private:
  crypto::SealKey key_;
  db::ControlSession control_;
  SessionStore& sessions_;
  const Clock& clock_;
  crypto::Random& random_;
  const std::string issuer_;
};

}  // namespace parley::identity
