#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"
#include "parley/evidence/principal.h"
#include "parley/evidence/scopes.h"
#include "parley/identity/api_key.h"
#include "parley/net/network_range.h"

namespace parley::identity {

/// A key that nobody has used for so long is switched off: it does no work, and is most likely forgotten where somebody
/// else will find it. A month takes in what runs once a month, if it keeps its day.
inline constexpr std::chrono::microseconds key_idle_max = std::chrono::days(30);

/// Why a key may live for longer than others, and when somebody took responsibility for that.
struct KeyException {
  std::string reason;
  Timestamp since;
};

/// What becomes of a key that is presented now.
enum class KeyState : std::uint8_t { active, idle, expired, revoked };
/// "active", "idle", "expired", "revoked", as in lists.
std::string_view name(KeyState state);

/// A key as stored: everything but its text.
struct KeyRecord {
  KeyId id;
  crypto::Digest digest;
  TenantId tenant;
  std::optional<ProjectId> project;  ///< none: every project of the tenant
  KeyKind kind = KeyKind::secret;
  std::string name;
  ScopeSet scopes;
  std::vector<std::string> origins;          ///< in the spelling of `parse_origin_pattern`; none for a secret key
  std::vector<net::NetworkRange> addresses;  ///< where it may be used from; none: anywhere
  ReadableGroups groups;                     ///< a secret key's
  Timestamp created_at;
  std::chrono::microseconds lifetime{};  ///< as it was wanted; a rotation ends the key before
  std::optional<KeyException> exception;
  Timestamp expires_at;
  std::optional<Timestamp> revoked_at;
  std::optional<Timestamp> last_used_at;  ///< to about a minute
  std::optional<Timestamp> enabled_at;    ///< when it was last switched on again
  std::string last4;

  /// Since when nothing has happened to it.
  Timestamp idle_since() const {
    return std::max({created_at, last_used_at.value_or(created_at), enabled_at.value_or(created_at)});
  }
  /// By the row alone: uses of the last minute may not have been written yet.
  KeyState state_at(Timestamp now) const {
    if (revoked_at) return KeyState::revoked;
    if (now >= expires_at) return KeyState::expired;
    return now - idle_since() >= key_idle_max ? KeyState::idle : KeyState::active;
  }
  /// Neither revoked nor expired: it may be rotated, and switched on again.
  bool holds_at(Timestamp now) const { return !revoked_at && now < expires_at; }

  bool may_be_used_from(const boost::asio::ip::address& client) const {
    return addresses.empty() ||
           std::ranges::any_of(addresses, [&](const net::NetworkRange& range) { return range.contains(client); });
  }
};

}  // namespace parley::identity
