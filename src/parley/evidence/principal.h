#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parley/base/uuid.h"
#include "parley/evidence/scopes.h"

namespace parley {

enum class PrincipalKind : std::uint8_t {
  anonymous,   ///< no credential was sent
  secret_key,  ///< a server's API key
  public_key,  ///< a key that stands in a page
  visitor,     ///< a person on a page, by a short-lived token
  member,      ///< a person who has signed in, acting for one organisation
  local_user,  ///< somebody at this machine's command line; `id` holds their user number
};

/// Scopes that hold on one project alone.
struct Grant {
  ProjectId project;
  ScopeSet scopes;
};

/// Which documents a caller may read: those without groups, and those with at least one of these.
struct ReadableGroups {
  enum class Extent : std::uint8_t { listed, all } extent = Extent::listed;
  std::vector<std::string> names;
};

/// What a signed-in person has shown so far.
enum class Shown : std::uint8_t {
  everything,  ///< all that their organisation asks for
  must_enrol,  ///< their organisation asks for a second factor, and they have none yet: they may set one up, no more
};

using IdentityIssuerId = Id<struct IdentityIssuerTag>;

/// Who a visitor is, by the word of the customer's own server.
struct VerifiedIdentity {
  IdentityIssuerId issuer;  ///< which of the project's said so
  std::string subject;
  std::optional<std::string> email;
};

/// Who is calling, as far as their credential says.
struct Principal {
  PrincipalKind kind = PrincipalKind::anonymous;
  Uuid id;                           ///< of the key, visitor or account; nil for anonymous
  std::optional<TenantId> tenant;    ///< the credential's; none for anonymous. Never from the request itself
  std::optional<ProjectId> project;  ///< the only project the credential is good for, if it is bound to one
  ScopeSet scopes;
  std::vector<Grant> grants;  ///< a member's, beyond `scopes`
  ReadableGroups groups;
  Shown shown = Shown::everything;
  std::optional<KeyId> vouched_by;           ///< the key a visitor's token was traded for; none from our own page
  std::optional<Uuid> session;               ///< a member's
  std::optional<VerifiedIdentity> identity;  ///< a visitor's, if the customer's server says who they are

  ScopeSet scopes_on(const ProjectId& on) const {
    ScopeSet held = scopes;
    for (const auto& grant : grants)
      if (grant.project == on) held = held | grant.scopes;
    return held;
  }
};

/// Who owns what this principal creates, e.g. "visitor:0189…": the key under which a chat finds its owner again.
inline std::string owner_name(const Principal& who) {
  switch (who.kind) {
    // In a project with biel_compat: whoever knows the chat's random id, from a listed site, for a day.
    case PrincipalKind::anonymous:
    case PrincipalKind::public_key: return "anonymous";
    case PrincipalKind::secret_key: return "key:" + who.id.to_string();
    case PrincipalKind::visitor: return "visitor:" + who.id.to_string();
    case PrincipalKind::member: return "account:" + who.id.to_string();
    case PrincipalKind::local_user: return "local_user:" + who.id.to_string();
  }
  std::unreachable();
}

/// Whether asking a project needs a credential. A public one is one whose demo page anybody may use.
enum class Visibility : std::uint8_t { public_project, private_project };

/// From where a project may be reached. Closed by default.
struct ProjectAccess {
  Visibility visibility = Visibility::private_project;
  /// May programs, which send no Origin, read a public project without a credential?
  enum class ServerReads : bool { off, on } server_reads = ServerReads::off;
  /// May widgets that carry no visitor token chat, the random id of a chat being all that guards it?
  enum class BielCompat : bool { off, on } biel_compat = BielCompat::off;
  /// Must visitors be people whom the customer's server vouches for? Then a page without one of them gets the project's
  /// settings and nothing else. Excludes `biel_compat`, whose chats belong to nobody.
  enum class Visitors : bool { any, verified } visitors = Visitors::any;
  std::vector<std::string> origins;  ///< sites, in the spelling of `identity::parse_origin_pattern`
};

/// Where a project lives, as found by its slug before any tenant's file is opened.
struct ProjectRef {
  TenantId tenant;
  ProjectId project;
  std::string slug;
  std::shared_ptr<const ProjectAccess> access = std::make_shared<const ProjectAccess>();
};

}  // namespace parley
