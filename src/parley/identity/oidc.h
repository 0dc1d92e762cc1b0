#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/identity/identity_token.h"
#include "parley/identity/role.h"
#include "parley/net/egress.h"

namespace parley::identity {

// OpenID Connect as the party that relies on a provider: what can be said without asking anybody. `oidc_sign_in.h` does
// the asking.

using SignInProviderId = Id<struct SignInProviderTag>;

/// How the program shows the provider that it is the client.
enum class ClientAuthentication : std::uint8_t { secret_basic, secret_post, none };
/// "client_secret_basic", "client_secret_post", "none", as the standard calls them.
std::string_view name(ClientAuthentication authentication);
std::optional<ClientAuthentication> parse_client_authentication(std::string_view text);

inline constexpr std::size_t provider_text_bytes_max = 512;
inline constexpr std::size_t provider_list_max = 100;

/// How the people of one organisation sign in elsewhere.
struct SignInProvider {
  SignInProviderId id;
  TenantId tenant;
  std::string name;    ///< on the button
  std::string issuer;  ///< https address; compared to the letter with what the provider and its tokens say
  std::string client_id;
  std::string client_secret;  ///< where it is, see `SecretReferences`; never the secret itself. Empty for `none`
  ClientAuthentication authentication = ClientAuthentication::secret_basic;
  std::vector<std::string> scopes = {"openid", "email", "profile"};
  std::string group_claim = "groups";
  /// Which group gives which role; the highest of several counts. With entries, the provider decides: a member's role
  /// is set at each sign-in.
  std::map<std::string, Role> group_roles;
  std::vector<std::string> email_domains;  ///< whose addresses are let in; empty: any
  std::optional<Role> default_role;        ///< where no group gives one; none: not let in
  bool creates_accounts = false;           ///< for people who have none yet ("just in time")
  Timestamp created_at;
  Timestamp updated_at;
};

/// The provider in its one spelling. `invalid_argument`, the reason saying what: an issuer that is no https address
/// (plain http is for places the operator lists, and decided when asked), a secret in place of a reference, no `openid`
/// or no `email` among the scopes, texts or lists beyond the limits, and accounts for everybody (made just in time,
/// with a default role, from any domain).
Result<SignInProvider> check_provider(SignInProvider provider);

/// Secrets of clients. A provider is set up by an organisation's administrator, so its reference may only lead to that
/// organisation's own secrets, or it would be a way to read any file and variable and send it to an address of one's
/// choice:
///   `env:NAME`   the environment variable PARLEY_OIDC_<ID>_NAME
///   `file:NAME`  the file FOLDER/<id>/NAME
/// where <id> is the organisation's (in NAME, <ID>: in capitals, without hyphens), and NAME is letters, digits and
/// underscores (in a file's also hyphens and dots, not in front).
class SecretReferences {
 public:
  explicit SecretReferences(std::string folder) : folder_(std::move(folder)) {}

  /// `invalid_argument` for anything that is not one of the two: a secret somebody pasted, most of all.
  static Result<void> check(std::string_view reference);

  /// The secret, without white space around it. `not_found` if it is not there. Reads a file: for a worker.
  Result<Secret> load(TenantId tenant, std::string_view reference) const;

 private:
  std::string folder_;
};

inline constexpr std::size_t provider_metadata_bytes_max = 256 * 1024;

/// What a provider publishes about itself.
struct ProviderMetadata {
  std::string issuer;
  net::HttpUrl authorization_endpoint;
  net::HttpUrl token_endpoint;
  net::HttpUrl jwks_uri;
  std::optional<net::HttpUrl> userinfo_endpoint;
  bool names_itself = false;  ///< it puts `iss` into its answers (RFC 9207)
};

/// Where the metadata of an issuer is.
Result<net::HttpUrl> discovery_address(std::string_view issuer);

/// `unavailable` if it is not the metadata of exactly this issuer: another name is how one provider passes for another.
/// Also for endpoints that are no addresses, http where the issuer is https, and a provider that signs with neither
/// RS256 nor ES256.
Result<ProviderMetadata> parse_provider_metadata(std::string_view json, std::string_view issuer);

/// What begins a sign-in and ends it: made here, remembered in the browser's ticket, compared when the person returns.
struct SignInAttempt {
  SignInProviderId provider;
  std::string state;
  std::string nonce;
  Secret verifier;                   ///< of PKCE
  std::string return_to = "/";       ///< a path of ours
  std::optional<AccountId> link_to;  ///< somebody signed in who links the provider's identity to this account

  Secret to_text() const;
  static Result<SignInAttempt> from_text(std::string_view text);
};

/// A path of this site: begins with one slash, and is no other host however a browser reads it. "/" for anything else.
std::string local_path(std::string_view text);

/// Where to send the browser.
std::string authorization_address(const ProviderMetadata& metadata, const SignInProvider& provider,
                                  const SignInAttempt& attempt, std::string_view redirect_uri);

/// The code, out of the query of the request that came back. `unauthenticated` if the state is not the attempt's, if
/// the answer is another provider's (`iss`, where the metadata announces it or it is there), or if the provider says
/// no.
Result<Secret> check_authorization_answer(std::string_view query, const ProviderMetadata& metadata,
                                          const SignInAttempt& attempt);

/// What a provider said about a person, checked.
struct SignIn {
  std::string issuer;
  std::string subject;
  std::string email;  ///< verified by the provider, in the spelling of `parse_email`
  std::vector<std::string> groups;
  std::optional<Role> role;  ///< from the groups, else the default; none: not let in
  bool used_factor = false;  ///< the provider says that a second factor was presented there
};

/// Providers' tokens are made for this moment.
inline constexpr std::chrono::microseconds id_token_age_max = std::chrono::minutes(10);
/// Some providers' tokens live a day.
inline constexpr std::chrono::microseconds id_token_life_max = std::chrono::hours(25);

/// The claims of an ID token whose signature held, checked: issuer, audience, `azp` (must be us where it is there or
/// there are several audiences), the attempt's nonce, times, and `at_hash` where it is there. `unauthenticated`.
Result<TokenClaims> check_id_token(const crypto::VerifiedJws& token, const SignInProvider& provider,
                                   const SignInAttempt& attempt, const Secret& access_token, Timestamp now);

/// A sign-in out of the claims of the ID token and, for what that does not say, of the userinfo answer (whose `sub`
/// must be the same). `unauthenticated` without an address that the provider says it verified; `permission_denied` for
/// one of another domain than the provider's.
Result<SignIn> make_sign_in(const SignInProvider& provider, const TokenClaims& claims,
                            const std::optional<boost::json::object>& userinfo);

/// Whether the userinfo answer has to be asked for.
bool needs_userinfo(const SignInProvider& provider, const TokenClaims& claims);

}  // namespace parley::identity
