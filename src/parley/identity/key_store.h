#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/key_record.h"
#include "parley/net/async.h"

namespace parley::identity {

/// What a key gets when nothing is said, and the most without an exception: one that leaked unnoticed stops by itself.
inline constexpr std::chrono::microseconds key_lifetime_max = std::chrono::days(90);
/// The most with one. Whoever needs longer looks at the reason again once a year.
inline constexpr std::chrono::microseconds key_exception_lifetime_max = std::chrono::days(365);
/// A sentence or two; it stands in lists.
inline constexpr std::size_t key_exception_reason_bytes_max = 300;
/// How long a rotated key goes on working, so that its users can be moved over without a gap.
inline constexpr std::chrono::microseconds key_overlap_default = std::chrono::hours(24);
inline constexpr std::chrono::microseconds key_overlap_max = std::chrono::days(7);
inline constexpr std::size_t key_name_bytes_max = 100;
/// Each is compared with the address of each request.
inline constexpr std::size_t key_addresses_max = 20;
/// Per tenant, revoked and expired ones included; far above use, and keeps a list one answer.
inline constexpr std::size_t keys_per_tenant_max = 1'000;

/// How long a key may be used after another node has revoked it; half of what is promised, since an open stream looks
/// again only now and then. Two look-ups a second for each key in use cost nothing.
inline constexpr std::chrono::microseconds key_age_max = std::chrono::milliseconds(500);

struct NewKey {
  TenantId tenant;
  std::optional<ProjectId> project;
  KeyKind kind = KeyKind::secret;
  std::string name;
  ScopeSet scopes;
  std::vector<std::string> origins;    ///< any spelling `parse_origin_pattern` reads
  std::vector<std::string> addresses;  ///< any that `net::parse_network_range` reads; none: from anywhere
  ReadableGroups groups;               ///< of documents; by default only what is in no group
  std::chrono::microseconds lifetime = key_lifetime_max;
  std::string exception;  ///< why it must live for more than `key_lifetime_max`; empty otherwise
};

/// A key at the only moment its text is known.
struct CreatedKey {
  KeyRecord record;
  Secret text;
};

/// A key and what shall follow it.
struct KeyRotation {
  KeyRecord old;
  CreatedKey successor;
  Timestamp old_ends_at;
};

/// Why a presented key does not hold. The error is the same for all, so that trying tells nothing.
struct KeyRefused {
  Error error;
  Literal rule = "credential_invalid";
  /// Set if the key would hold but for how or when it is used: its owner should hear of it.
  std::shared_ptr<const KeyRecord> key = {};

  // A store that does not answer is a refusal, too; so that failures of it pass through as they are.
  KeyRefused(Error why) : error(std::move(why)) {}  // NOLINT(google-explicit-constructor)
  KeyRefused(Error why, Literal by, std::shared_ptr<const KeyRecord> whose)
      : error(std::move(why)), rule(by), key(std::move(whose)) {}
};
using RequiredKey = std::expected<std::shared_ptr<const KeyRecord>, KeyRefused>;

/// API keys: made, found, rotated and revoked. Rows live in the control database, since a key must be found before its
/// tenant is known. Safe from any thread; must outlive the operations it started.
///
/// Making and rotating come in two steps, so that between them whoever asks can be held to what they hold themselves,
/// and the trail can name the key before it works.
class KeyStore {
 public:
  KeyStore(db::ControlSession control, const Clock& clock, crypto::Random& random = crypto::system_random(),
           FreshCacheLimits limits = {.age_max = key_age_max});

  /// A key that nobody knows of yet. `invalid_argument`: no scope, a scope its kind may not hold, a public key without
  /// origins or with groups, a secret key with origins, a range or origin that cannot be read, too many of them, a
  /// lifetime of zero, one over `key_lifetime_max` without an exception or over `key_exception_lifetime_max` with one,
  /// an exception that is not needed, a name or reason that is too long or not one line of text.
  Result<CreatedKey> draft(NewKey key) const;
  /// From when this returns it works. `not_found`: no such tenant, or the project is not that tenant's. `conflict`: too
  /// many keys.
  Async<CreatedKey> add(CreatedKey draft);
  /// Both steps.
  Async<CreatedKey> create(NewKey key);

  /// The key that was presented, if it exists, may be used from this address, has been used in the last 30 days, is not
  /// revoked and has not expired; else `unauthenticated` with one reason for all, the difference in the operator's
  /// detail. From memory when seen just now (`key_age_max`). The use is noted for `flush_last_used`.
  asio::awaitable<RequiredKey> require(PresentedKey presented, boost::asio::ip::address client);
  /// The same for the key, of either kind, that vouched for a visitor. A secret key's addresses are those of its server
  /// and not of its visitors; a public key's hold for them, too.
  asio::awaitable<RequiredKey> require_voucher(crypto::Digest digest, boost::asio::ip::address client);

  Async<std::vector<KeyRecord>> list(TenantId tenant);
  /// `not_found` for another tenant's key as for one that does not exist.
  Async<KeyRecord> load(TenantId tenant, KeyId id);

  /// Ends a key at once and for good; durable and gone from memory when this returns. Revoking twice is no error.
  Async<> revoke(TenantId tenant, KeyId id);

  /// Switches a key on again that was idle: its 30 days begin anew. `conflict` if it no longer holds.
  Async<> enable(TenantId tenant, KeyId id);

  /// A successor with the same project, kind, scopes, origins, addresses and groups, and the life that was wanted for
  /// the old one: of one with an exception 90 days, unless `exception` gives a reason for as long again. `conflict` if
  /// the old one no longer holds; `invalid_argument` for an overlap over `key_overlap_max`, and as for `draft`.
  Async<KeyRotation> draft_rotation(TenantId tenant, KeyId id, std::chrono::microseconds overlap,
                                    std::string exception = {});
  /// Adds the successor; the old one ends after the overlap (or earlier, if it was to expire). `conflict` if the old
  /// one has been revoked meanwhile.
  Async<CreatedKey> rotate(KeyRotation rotation);
  /// Both steps.
  Async<CreatedKey> rotate(TenantId tenant, KeyId id, std::chrono::microseconds overlap);

  /// Whose key this is, for an operator's command that names only the key. Never behind HTTP.
  Async<TenantId> load_tenant_of(KeyId id);

  /// Writes when keys were last used, all in one transaction. Call it about once a minute and at shutdown.
  Async<> flush_last_used();

  /// Drops a tenant's keys from memory; called when the tenant is being removed.
  void forget_tenant(TenantId tenant);

 private:
  asio::awaitable<RequiredKey> require(crypto::Digest digest, std::optional<KeyKind> kind,
                                       boost::asio::ip::address client);
  bool is_idle(const KeyRecord& key, Timestamp now);
  void note_used(KeyId id, Timestamp now);

  db::ControlSession control_;
  const Clock& clock_;
  crypto::Random& random_;
  FreshCache<crypto::Digest, KeyRecord> cache_;
  std::mutex used_mutex_;
  std::unordered_map<KeyId, Timestamp> used_;
};

}  // namespace parley::identity
