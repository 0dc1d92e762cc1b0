#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/key_cache.h"
#include "parley/identity/key_record.h"
#include "parley/net/async.h"

namespace parley::identity {

/// No key lives longer: one that leaked unnoticed stops by itself. Also what a key gets when nothing is said.
inline constexpr std::chrono::microseconds key_lifetime_max = std::chrono::days(90);
/// How long a rotated key goes on working, so that its users can be moved over without a gap.
inline constexpr std::chrono::microseconds key_overlap_default = std::chrono::hours(24);
inline constexpr std::chrono::microseconds key_overlap_max = std::chrono::days(7);
inline constexpr std::size_t key_name_bytes_max = 100;
/// Per tenant, revoked and expired ones included; far above use, and keeps a list one answer.
inline constexpr std::size_t keys_per_tenant_max = 1'000;

struct NewKey {
  TenantId tenant;
  std::optional<ProjectId> project;
  KeyKind kind = KeyKind::secret;
  std::string name;
  ScopeSet scopes;
  std::vector<std::string> origins;  ///< any spelling `parse_origin_pattern` reads
  std::chrono::microseconds lifetime = key_lifetime_max;
};

/// A key at the only moment its text is known.
struct CreatedKey {
  KeyRecord record;
  Secret text;
};

/// API keys: made, found, rotated and revoked. Rows live in the control database, since a key must be found before its
/// tenant is known. Safe from any thread; must outlive the operations it started.
class KeyStore {
 public:
  KeyStore(db::ControlSession control, const Clock& clock, crypto::Random& random = crypto::system_random(),
           KeyCacheLimits limits = {});

  /// `invalid_argument`: no scope, a scope a public key may not hold, a public key without origins, a secret key with
  /// them, a lifetime of zero or over `key_lifetime_max`, a name that is too long. `not_found`: no such tenant, or the
  /// project is not that tenant's. `conflict`: too many keys.
  Async<CreatedKey> create(NewKey key);

  /// The key that was presented, if it exists, is not revoked and has not expired; else `unauthenticated` with one
  /// reason for all three, the difference in the operator's detail. From memory when seen in the last seconds. The use
  /// is noted for `flush_last_used`.
  Async<std::shared_ptr<const KeyRecord>> require(PresentedKey presented);
  /// The same for the key, of either kind, that vouched for a visitor.
  Async<std::shared_ptr<const KeyRecord>> require_voucher(crypto::Digest digest);

  Async<std::vector<KeyRecord>> list(TenantId tenant);
  /// `not_found` for another tenant's key as for one that does not exist.
  Async<KeyRecord> load(TenantId tenant, KeyId id);

  /// Ends a key at once and for good; durable and gone from memory when this returns. Revoking twice is no error.
  Async<> revoke(TenantId tenant, KeyId id);

  /// A new key with the same project, kind, scopes, origins and length of life; the old one ends after `overlap` (or
  /// earlier, if it was to expire). `conflict` if the old one no longer holds.
  Async<CreatedKey> rotate(TenantId tenant, KeyId id, std::chrono::microseconds overlap);

  /// Whose key this is, for an operator's command that names only the key. Never behind HTTP.
  Async<TenantId> load_tenant_of(KeyId id);

  /// Writes when keys were last used, all in one transaction. Call it about once a minute and at shutdown.
  Async<> flush_last_used();

  /// Drops a tenant's keys from memory; called when the tenant is being removed.
  void forget_tenant(TenantId tenant) { cache_.forget_tenant(tenant); }

 private:
  Async<std::shared_ptr<const KeyRecord>> require(crypto::Digest digest, std::optional<KeyKind> kind);
  void note_used(KeyId id, Timestamp now);

  db::ControlSession control_;
  const Clock& clock_;
  crypto::Random& random_;
  KeyCache cache_;
  std::mutex used_mutex_;
  std::unordered_map<KeyId, Timestamp> used_;
};

}  // namespace parley::identity
