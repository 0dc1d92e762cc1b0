#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/passkey.h"
#include "parley/identity/session_store.h"
#include "parley/identity/sign_in.h"
#include "parley/identity/sign_in_ticket.h"
#include "parley/net/async.h"

namespace parley::identity {

using PasskeyId = Id<struct PasskeyTag>;

/// Long enough to find the authenticator.
inline constexpr std::chrono::microseconds passkey_challenge_life = std::chrono::minutes(5);
/// A person has some machines and a key in a drawer.
inline constexpr std::size_t passkeys_per_account_max = 20;
inline constexpr std::size_t passkey_name_bytes_max = 100;

/// A passkey as its owner sees it.
struct Passkey {
  PasskeyId id;
  AccountId account;
  std::string name;
  std::vector<std::string> transports;
  Timestamp created_at;
  std::optional<Timestamp> last_used_at;
};

/// What a page needs to ask the browser for a passkey, and to hand back with the answer.
struct PasskeyRequest {
  std::string options;  ///< JSON for parseCreationOptionsFromJSON or parseRequestOptionsFromJSON
  std::string ticket;
};

/// A passkey that was just made, and so was shown.
struct MadePasskey {
  Passkey passkey;
  ProvenFactor factor;  ///< for `SessionStore::raise`
};

/// Somebody showed just now that they hold one of the account's passkeys.
struct PasskeyProof {
  AccountId account;
  PasskeyId passkey;
  bool user_verified = false;  ///< the authenticator also knew the person: two factors in one
  /// The passkey is right but for its counter: somebody has a copy. Then neither of the two below is there, and the
  /// caller records it and lets nobody in.
  bool copied = false;
  std::optional<ProvenAccount> proven = {};  ///< after `finish_sign_in`: for `SessionStore::begin`
  std::optional<ProvenFactor> factor = {};   ///< after `finish_factor`: for `SessionStore::raise`
};

/// Passkeys of accounts: made, listed, removed, signed in with. Rows live in the control database. All of
/// `unauthenticated` here has one of two reasons, so nothing tells an unknown credential from a wrong signature. Safe
/// from any thread; must outlive the operations it started.
class PasskeyStore {
 public:
  /// Without a site (the server is reached by a number, or without TLS) nothing can be begun: `unsupported`. What was
  /// made under an earlier address is still listed and removed. All references must outlive this object.
  PasskeyStore(db::ControlSession control, const SignInTickets& tickets, std::optional<PasskeySite> site,
               const Clock& clock, crypto::Random& random = crypto::system_random());

  /// Begins to make one, for the account of this session. In a full session or one that owes an enrolment:
  /// `unauthenticated` while a factor is owed. An account that has a factor already needs a fresh one:
  /// `permission_denied`. `conflict` if they have `passkeys_per_account_max`; `not_found` for no such account.
  Async<PasskeyRequest> begin_registration(OpenSession session, std::optional<ProvenFactor> factor);
  /// In the same session, with the ticket that says that it was begun rightly. The account's other sessions end if it
  /// is its first factor; `SessionStore::forget_account` (or `raise`) has to follow. `conflict` if the credential
  /// exists, whosever it is. `name`: what the owner calls it; empty is "Passkey".
  Async<MadePasskey> finish_registration(OpenSession session, std::string ticket, std::string response,
                                         std::string name);

  /// Begins to sign in with a passkey alone. Names no account, so that nothing is told about who has one; the browser
  /// offers what it holds for this site. User verification is required.
  Result<PasskeyRequest> begin_sign_in(std::string binding = {}) const;
  /// `unauthenticated` also if the account is disabled.
  Async<PasskeyProof> finish_sign_in(std::string binding, std::string ticket, std::string response);

  /// Begins to present a passkey as second factor, after the account is known. `not_found` if it has none.
  Async<PasskeyRequest> begin_factor(OpenSession session);
  /// `unauthenticated` also for a passkey of another account.
  Async<PasskeyProof> finish_factor(OpenSession session, std::string ticket, std::string response);

  /// Oldest first.
  Async<std::vector<Passkey>> list(AccountId account);
  /// Another account's is `not_found`, as one that does not exist. `invalid_argument` for an empty or too long name.
  Async<> rename(AccountId account, PasskeyId id, std::string name);
  /// One of the account whose factor this is, if it is fresh (`permission_denied`). `conflict` for the last factor of
  /// an account whose organisation requires one.
  Async<> remove(ProvenFactor factor, PasskeyId id);

 private:
  Async<PasskeyProof> finish(TicketPurpose purpose, std::string binding, std::string ticket, std::string response,
                             UserVerification verification, std::optional<AccountId> account);
  std::string make_challenge() const;
  Result<PasskeySite> require_site() const;

  db::ControlSession control_;
  const SignInTickets& tickets_;
  const std::optional<PasskeySite> site_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::identity
