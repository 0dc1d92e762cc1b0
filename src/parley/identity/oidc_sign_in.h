#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/time.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/oidc.h"
#include "parley/identity/sign_in.h"
#include "parley/identity/sign_in_ticket.h"
#include "parley/identity/token_keys.h"
#include "parley/net/async.h"
#include "parley/net/fetch.h"
#include "parley/net/workers.h"

namespace parley::identity {

/// Long enough to find a password and a telephone at the provider.
inline constexpr std::chrono::microseconds provider_attempt_life = std::chrono::minutes(10);
inline constexpr std::size_t providers_per_tenant_max = 10;

/// What a session that a provider began may do. An organisation's administrator runs, or at least configures, the
/// provider, and so can sign in as anybody it names.
enum class ProviderSessions : std::uint8_t {
  /// They may act for any organisation of the account, or change how it signs in. Then nobody who belongs to another
  /// organisation is let in by a provider: one organisation's provider would be a way into the other.
  are_whole,
  /// The composition holds them to the provider's organisation, and away from the account's own passwords, passkeys and
  /// factors.
  are_confined,
};

/// Takes up an invitation of this address to the organisation, if its administrator made one that still holds: gives
/// the invited role, and marks it as used. Runs inside the transaction of the sign-in.
using TakeInvitation =
    std::function<Result<std::optional<Role>>(TenantId, std::string_view email, Timestamp now, db::ControlWriter&)>;

/// By the invitations of `Invitations`: a pending one to exactly this address. One that also gives a role on one
/// project is taken up by its link alone.
Result<std::optional<Role>> take_pending_invitation(TenantId tenant, std::string_view email, Timestamp now,
                                                    db::ControlWriter& writer);

/// Called once a provider's word holds, whomever it is about, and before anything is changed by it: for the trail.
using BeforeLettingIn = std::function<Async<>(const SignInProvider&)>;

struct ProviderSignInOptions {
  /// Address of ours that providers send people back to. Empty: there is none, and nothing can be begun
  /// (`unsupported`).
  std::string redirect_uri;
  ProviderSessions sessions = ProviderSessions::are_whole;
  TakeInvitation take_invitation = &take_pending_invitation;
};

/// Where to send the browser, and what it keeps until it returns: in a cookie that scripts cannot read.
struct ProviderRequest {
  std::string address;
  std::string ticket;
};

/// Somebody whom a provider signed in, as an account of ours.
struct ProviderProof {
  AccountId account;
  std::optional<ProvenAccount> proven;  ///< what `SessionStore::begin` asks for; always there
  TenantId tenant;                      ///< whose provider it was: what the session acts for
  Role role = Role::viewer;             ///< there
  std::optional<Role> role_before;      ///< none: no member until now
  bool used_factor = false;             ///< the provider says so
  enum class Made : std::uint8_t { nothing, link, account } made = Made::nothing;  ///< for the trail
  bool asked_to_link = false;  ///< begun by its owner, who is signed in already, to link the provider
  SignIn said;
  std::string return_to;  ///< a path of ours
};

/// An identity at a provider that an account can sign in with.
struct LinkedIdentity {
  SignInProviderId provider;
  std::string provider_name;
  std::string issuer;
  std::string subject;
  Timestamp created_at;
  Timestamp last_used_at;
};

/// Signing in by way of an organisation's provider (OpenID Connect, code flow with PKCE).
///
/// Whose account it is: the provider's word on the subject, never on the address alone.
///
/// | the subject is linked | an account has the address | invited | rule                                              |
/// |-----------------------|----------------------------|---------|---------------------------------------------------|
/// | yes                   |                            |         | that account, if it is a member or may become one |
/// | no                    | yes                        | yes     | linked, if it belongs to no other organisation    |
/// | no                    | yes                        | no      | `conflict`: its owner signs in and links it       |
/// | no                    | no                         | either  | made, if invited or the provider creates accounts |
///
/// An invitation is of exactly that address, by that organisation's administrator. A disabled account is refused.
/// Without a role (no group gives one, no default, no invitation) nobody is let in.
///
/// Rows live in the control database. Safe from any thread; must outlive the operations it started.
class ProviderSignIns {
 public:
  /// All references must outlive this object.
  ProviderSignIns(db::ControlSession control, net::Web& web, TokenKeys& keys, const SignInTickets& tickets,
                  SecretReferences secrets, net::Workers& workers, ProviderSignInOptions options, const Clock& clock,
                  crypto::Random& random = crypto::system_random());

  /// `invalid_argument` as `check_provider`; `not_found` for no such organisation; `conflict` for too many. The id and
  /// times of what is handed in do not count.
  Async<SignInProvider> create(SignInProvider provider);
  /// `not_found` for another organisation's. The issuer cannot change: subjects of one are not those of another.
  Async<SignInProvider> update(SignInProvider provider);
  Async<std::vector<SignInProvider>> list(TenantId tenant);
  Async<SignInProvider> load(TenantId tenant, SignInProviderId id);
  /// Whosever it is: for the address by which people begin, which names no organisation.
  Async<SignInProvider> load_any(SignInProviderId id);
  /// With its links.
  Async<> remove(TenantId tenant, SignInProviderId id);

  /// Whether the provider's client secret is where it is said to be (`not_found`, the detail saying where), or none is
  /// needed. Reads a file: for a worker, or a command.
  Result<void> require_secret(const SignInProvider& provider) const;

  /// Whether there is an address of ours that a provider could send anybody back to.
  bool can_begin() const { return !options_.redirect_uri.empty(); }

  /// Begins. `binding`: empty, or what ties it to this browser besides the ticket. `return_to`: a path of ours;
  /// anything else is "/". `link_to`: an account whose owner is fully signed in, and asked for this just now.
  Async<ProviderRequest> begin(TenantId tenant, SignInProviderId id, std::string binding, std::string return_to,
                               std::optional<AccountId> link_to = std::nullopt);

  /// Ends it: the ticket from the cookie, the query of the request that came back. `unauthenticated`, with one reason,
  /// for whatever does not hold; `permission_denied` for somebody who may not in; `conflict` as above; `unavailable`,
  /// `timeout` and the like if the provider cannot be asked. What `before` fails with ends it unchanged.
  Async<ProviderProof> finish(std::string binding, std::string ticket, std::string query, BeforeLettingIn before = {});

  Async<std::vector<LinkedIdentity>> identities_of(AccountId account);
  /// `not_found` for what is not linked to this account. That another way in is left is the caller's concern.
  Async<> unlink(AccountId account, SignInProviderId provider);

 private:
  struct Tokens {
    Secret access_token;
    std::string id_token;
  };
  Async<ProviderMetadata> discover(std::string issuer);
  Async<Tokens> exchange(ProviderMetadata metadata, SignInProvider provider, Secret code, Secret verifier);
  Async<boost::json::object> ask_userinfo(net::HttpUrl endpoint, Secret access_token);
  Result<ProviderProof> resolve(const SignInProvider& provider, const SignInAttempt& attempt, const SignIn& said,
                                Timestamp now, db::ControlWriter& writer);

  // A provider that moves its endpoints is followed within an hour.
  static constexpr std::chrono::microseconds metadata_age_max = std::chrono::hours(1);
  static constexpr std::size_t metadata_entries_max = 1'000;

  struct Entry {
    ProviderMetadata metadata;
    Timestamp read_at;
  };

  db::ControlSession control_;
  net::Web& web_;
  TokenKeys& keys_;
  const SignInTickets& tickets_;
  const SecretReferences secrets_;
  net::Workers& workers_;
  const ProviderSignInOptions options_;
  const Clock& clock_;
  crypto::Random& random_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> metadata_;
};

}  // namespace parley::identity
