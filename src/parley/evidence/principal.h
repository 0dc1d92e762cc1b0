#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parley/base/uuid.h"
#include "parley/evidence/scopes.h"

namespace parley {

enum class PrincipalKind : std::uint8_t {
  anonymous,   ///< no credential was sent
  secret_key,  ///< a server's API key
  public_key,  ///< a key that stands in a page
  visitor,     ///< a person on a page, by a short-lived token
  local_user,  ///< somebody at this machine's command line; `id` holds their user number
};

/// Who is calling, as far as their credential says.
struct Principal {
  PrincipalKind kind = PrincipalKind::anonymous;
  Uuid id;                           ///< of the key or visitor; nil for anonymous
  std::optional<TenantId> tenant;    ///< the credential's; none for anonymous. Never from the request itself
  std::optional<ProjectId> project;  ///< the only project the credential is good for, if it is bound to one
  ScopeSet scopes;
};

/// Who owns what this principal creates, e.g. "visitor:0189…": the key under which a chat finds its owner again.
inline std::string owner_name(const Principal& who) {
  switch (who.kind) {
    case PrincipalKind::anonymous: return "anonymous";
    case PrincipalKind::secret_key:
    case PrincipalKind::public_key: return "key:" + who.id.to_string();
    case PrincipalKind::visitor: return "visitor:" + who.id.to_string();
    case PrincipalKind::local_user: return "local_user:" + who.id.to_string();
  }
  std::unreachable();
}

/// Where a project lives, as found by its slug before any tenant's file is opened.
struct ProjectRef {
  TenantId tenant;
  ProjectId project;
  std::string slug;
  enum class Visibility : std::uint8_t { public_, private_ } visibility = Visibility::private_;
};

}  // namespace parley
