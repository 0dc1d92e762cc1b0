#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/db/session.h"
#include "parley/evidence/principal.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/identity_token.h"
#include "parley/identity/token_keys.h"
#include "parley/net/async.h"

namespace parley::identity {

/// A page makes one when it is shown; nobody needs it an hour later.
inline constexpr std::chrono::microseconds identity_token_life_max = std::chrono::hours(1);
/// A site has one backend, and two while it moves to another.
inline constexpr std::size_t identity_issuers_per_project_max = 5;
inline constexpr std::size_t identity_issuer_text_bytes_max = 512;

/// How tokens of an issuer are checked: by one of these.
struct SharedSecret {
  Secret text;  ///< its bytes are the HS256 key; at least 32. Empty: one is made
};
struct InlineKeys {
  std::string jwks;  ///< public keys as a JWK set
};
struct KeysAt {
  std::string url;  ///< where the JWK set is, https
};
using IssuerKeys = std::variant<SharedSecret, InlineKeys, KeysAt>;

struct NewIdentityIssuer {
  TenantId tenant;
  ProjectId project;
  std::string name;
  std::string issuer;    ///< what its tokens say in `iss`
  std::string audience;  ///< what they say in `aud`; empty: the project's id
  IssuerKeys keys;
  ReadableGroups groups = {};  ///< of those that its tokens name, the ones it is believed
};

/// An issuer as stored: everything but its secret.
struct IdentityIssuer {
  IdentityIssuerId id;
  TenantId tenant;
  ProjectId project;
  std::string name;
  std::string issuer;
  std::string audience;
  enum class Kind : std::uint8_t { shared_secret, inline_keys, keys_at } kind = Kind::shared_secret;
  std::string sealed_secret;  ///< an envelope
  std::string jwks;
  std::string jwks_url;
  Timestamp created_at;
  ReadableGroups groups;
};

/// An issuer at the only moment its secret is known.
struct CreatedIdentityIssuer {
  IdentityIssuer issuer;
  Secret secret;  ///< empty unless it is a shared one
};

/// A visitor whom the project's own site vouches for.
struct VerifiedVisitor {
  IdentityIssuerId issuer;
  std::string issuer_name;           ///< as its tokens say in `iss`
  std::string subject;               ///< the site's own name for them; unique within the issuer
  std::optional<std::string> email;  ///< in the spelling of `parse_email`
  std::vector<std::string> groups;   ///< at most `groups_held_max`
  Timestamp expires_at;              ///< of the token

  /// When what is made of the token must end at the latest: once the token would not be accepted any more.
  Timestamp holds_until() const { return expires_at + token_leeway; }
};

/// The same visitor each time, for issuer and subject in one project; not to be told from a random id without the key.
Uuid visitor_id_of(const VerifiedVisitor& visitor, ProjectId project, const crypto::SealKey& key);

/// Who may vouch for the visitors of a project: the site that the widget stands in signs a token with the visitor's
/// identity. Rows live in the control database; secrets are sealed and open only for their own row. Safe from any
/// thread.
class IdentityIssuers {
 public:
  /// `key`: the installation's, derived for this purpose alone. References must outlive this object.
  IdentityIssuers(db::ControlSession control, crypto::SealKey key, TokenKeys& keys, const Clock& clock,
                  crypto::Random& random = crypto::system_random());

  /// One that nobody knows of yet, so that the trail can name it before it is believed. `invalid_argument` for what no
  /// token could be checked with.
  Result<CreatedIdentityIssuer> draft(NewIdentityIssuer wanted) const;
  /// From now on it is believed. `not_found` if the project is not that tenant's; `conflict` if it has an issuer of
  /// that name, or with that `iss`, or too many.
  Async<CreatedIdentityIssuer> add(CreatedIdentityIssuer draft);
  Async<CreatedIdentityIssuer> create(NewIdentityIssuer wanted);
  Async<std::vector<IdentityIssuer>> list(TenantId tenant, ProjectId project);
  /// By what people call it.
  Async<IdentityIssuer> load(TenantId tenant, ProjectId project, std::string name);
  /// `not_found` for another tenant's or project's, as for one that does not exist. Visitors whom it has vouched for
  /// are nobody from now on: on this node at once, on others within `key_age_max`.
  Async<> remove(TenantId tenant, ProjectId project, IdentityIssuerId id);

  /// Whether visitors whom it has vouched for are still believed. From memory when asked a moment ago.
  Async<bool> holds(TenantId tenant, ProjectId project, IdentityIssuerId id);

  /// The visitor, if one of the project's issuers signed the token for it within the last hour. `unauthenticated`, one
  /// reason for all, unless the issuer's keys cannot be had (`unavailable` and the like). Never "no identity" for a
  /// token that does not hold.
  Async<VerifiedVisitor> verify(TenantId tenant, ProjectId project, std::string token);

 private:
  Result<Secret> open_secret(const IdentityIssuer& issuer) const;

  db::ControlSession control_;
  crypto::SealKey key_;
  TokenKeys& keys_;
  const Clock& clock_;
  crypto::Random& random_;
  FreshCache<IdentityIssuerId, IdentityIssuer> cache_;
};

}  // namespace parley::identity
