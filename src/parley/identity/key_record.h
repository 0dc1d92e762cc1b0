#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"
#include "parley/evidence/scopes.h"
#include "parley/identity/api_key.h"

namespace parley::identity {

/// A key as stored: everything but its text.
struct KeyRecord {
  KeyId id;
  crypto::Digest digest;
  TenantId tenant;
  std::optional<ProjectId> project;  ///< none: every project of the tenant
  KeyKind kind = KeyKind::secret;
  std::string name;
  ScopeSet scopes;
  std::vector<std::string> origins;  ///< in the spelling of `parse_origin_pattern`; none for a secret key
  Timestamp created_at;
  Timestamp expires_at;
  std::optional<Timestamp> revoked_at;
  std::optional<Timestamp> last_used_at;  ///< to about a minute
  std::string last4;

  bool holds_at(Timestamp now) const { return !revoked_at && now < expires_at; }
};

}  // namespace parley::identity
