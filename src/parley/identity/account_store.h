#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/password_hasher.h"
#include "parley/identity/role.h"
#include "parley/identity/session_store.h"
#include "parley/identity/sign_in.h"
#include "parley/net/async.h"

namespace parley::identity {

struct Account {
  AccountId id;
  std::string email;  ///< in the spelling of `parse_email`
  Timestamp created_at;
  std::optional<Timestamp> confirmed_at;  ///< somebody read a letter at the address
  std::optional<Timestamp> disabled_at;
};

struct Membership {
  AccountId account;
  TenantId tenant;
  Role role = Role::viewer;
};

inline constexpr std::size_t email_bytes_max = 254;
/// Below this every password falls to guessing, however odd its characters.
inline constexpr std::size_t password_characters_min = 10;
/// zxcvbn's 0 to 4; 3 is "safely unguessable" against an attacker who has stolen a slow hash.
inline constexpr int password_score_min = 3;
/// A set-up token is for the person who just started the server and reads its output.
inline constexpr std::chrono::microseconds setup_token_lifetime = std::chrono::hours(1);

/// An e-mail address in its one spelling: ASCII, lower case. `invalid_argument` for what is none. Whether it receives
/// mail only a letter can tell.
Result<std::string> parse_email(std::string_view text);

/// `invalid_argument` unless the password is long and unusual enough. Words of the account itself (its e-mail address)
/// count as easily guessed. Takes milliseconds: for a worker.
Result<void> check_password_strength(const Secret& password, std::string_view email);

/// People who sign in. Rows live in the control database: a person may belong to several tenants.
///
/// Safe from any thread; must outlive the operations it started. No operation writes the trail: its caller does,
/// before, on the trails of the organisations that `Members::list_of` names.
class AccountStore {
 public:
  AccountStore(db::ControlSession control, PasswordHasher& hasher, SessionStore& sessions, const Clock& clock,
               crypto::Random& random = crypto::system_random());

  /// A token that makes the first administrator, once, within `setup_token_lifetime`. Making one ends those made
  /// before. `conflict` once any account exists. For the server's own console, never an answer to a request.
  Async<Secret> create_setup_token();

  /// `unauthenticated` for a token that is unknown, used or expired (alike); `conflict` once any account exists.
  Async<> require_setup_token(Secret token);

  /// Whether an account could be made of these: `invalid_argument` for what is no address or too weak a password.
  Async<> check_candidate(std::string email, Secret password);

  /// Uses up the token and makes the account, administrator of `tenant`, in one transaction. `unauthenticated` for a
  /// token that is unknown, used or expired (alike); `conflict` once any account exists. The token survives a refused
  /// password.
  Async<Account> create_first_administrator(Secret token, std::string email, Secret password, TenantId tenant);

  /// `conflict` if the address has an account.
  Async<Account> create(std::string email, Secret password);
  /// One that no password opens until one is chosen by a link (`AccountLinks`); a sign-in takes as long as with
  /// another.
  Async<Account> create_without_password(std::string email);

  /// That this is who they say, or `unauthenticated`: alike, in words and in work, for an unknown address, a wrong
  /// password and a disabled account.
  Async<ProvenAccount> verify_password(std::string email, Secret password);

  /// `unauthenticated` if the old one is wrong, `invalid_argument` if the new one is weak. Ends the account's other
  /// sessions and the links to choose a password.
  Async<> change_password(FullSession session, Secret old_password, Secret new_password);

  /// For the operator: ends all sessions, links and invitations of the account, which opens nothing until it is
  /// enabled. `conflict` for the last administrator of an organisation. Twice is no error.
  Async<> disable(LocalOperator by, AccountId id);
  /// What disabling ended stays ended.
  Async<> enable(LocalOperator by, AccountId id);

  Async<Account> load(AccountId id);
  Async<std::optional<Account>> find_by_email(std::string email);
  /// All accounts by address, for the operator. Never behind HTTP.
  Async<std::vector<Account>> list(LocalOperator by);

 private:
  db::ControlSession control_;
  PasswordHasher& hasher_;
  SessionStore& sessions_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::identity
