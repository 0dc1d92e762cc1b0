#include "parley/identity/key_store.h"

#include <algorithm>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/names.h"
#include "parley/identity/origin.h"

namespace parley::identity {

using namespace db::literals;

namespace {

// Uses noted between two flushes. One more key than this is noted the next time it is used.
constexpr std::size_t used_keys_max = 65'536;

// What has been dead for so long is deleted when its place is needed. Until then lists tell what became of it.
constexpr std::chrono::microseconds dead_keys_kept = std::chrono::days(90);

constexpr Literal not_valid = "the API key is not valid";
constexpr Literal no_longer_holds = "the key no longer holds; create a new one";

Result<void> check(const NewKey& key) {
  if (key.scopes.empty()) return fail(Code::invalid_argument, "a key needs at least one scope");
  if (key.kind == KeyKind::public_key && !ScopeSet::public_keys().contains_all(key.scopes))
    return fail(Code::invalid_argument, "a public key may hold only project_read, project_search and chat_create");
  if (!ScopeSet::secret_keys().contains_all(key.scopes))
    return fail(Code::invalid_argument, "no key may hold members_read, members_manage or organisation_manage");
  if (key.kind == KeyKind::secret && !key.origins.empty())
    return fail(Code::invalid_argument, "a secret key has no origins: it must not stand in a web page");
  if (key.kind == KeyKind::public_key && key.origins.empty())
    return fail(Code::invalid_argument, "a public key needs at least one origin");
  if (key.name.size() > key_name_bytes_max || !is_line_of_text(key.name))
    return fail(Code::invalid_argument, "the key's name is too long, or not one line of text");
  return {};
}

Result<std::optional<KeyException>> checked_exception(std::chrono::microseconds lifetime, std::string reason,
                                                      Timestamp now) {
  if (lifetime <= std::chrono::microseconds::zero()) return fail(Code::invalid_argument, "a key's life has a length");
  if (lifetime <= key_lifetime_max) {
    if (!reason.empty()) return fail(Code::invalid_argument, "a key that lives for at most 90 days needs no exception");
    return std::nullopt;
  }
  if (reason.empty()) return fail(Code::invalid_argument, "a key lives for at most 90 days without an exception");
  if (lifetime > key_exception_lifetime_max)
    return fail(Code::invalid_argument, "a key lives for at most 365 days, with an exception");
  if (reason.size() > key_exception_reason_bytes_max || !is_line_of_text(reason) ||
      reason.find_first_not_of(' ') == std::string::npos)
    return fail(Code::invalid_argument, "the reason of the exception is too long, or not one line of text");
  return KeyException{.reason = std::move(reason), .since = now};
}

Result<std::vector<net::NetworkRange>> checked_addresses(const std::vector<std::string>& texts) {
  if (texts.size() > key_addresses_max) return fail(Code::invalid_argument, "more than 20 ranges of addresses");
  std::vector<net::NetworkRange> ranges;
  for (const auto& text : texts) {
    const auto range = PARLEY_TRY(net::parse_network_range(text));
    if (std::ranges::find(ranges, range) == ranges.end()) ranges.push_back(range);
  }
  return ranges;
}

Result<ReadableGroups> checked_groups(const NewKey& key) {
  ReadableGroups groups{.extent = key.groups.extent, .names = {}};
  const bool all = groups.extent == ReadableGroups::Extent::all;
  // Whoever opens the page reads what its key reads, so a group would guard nothing.
  if (key.kind == KeyKind::public_key && (all || !key.groups.names.empty()))
    return fail(Code::invalid_argument, "a public key reads only documents that are in no group");
  if (all && !key.groups.names.empty())
    return fail(Code::invalid_argument, "a key reads all groups or those that are named, not both");
  groups.names = PARLEY_TRY(checked_group_names(key.groups.names));
  return groups;
}

std::string in_lines(const auto& items, auto text_of) {
  std::string lines;
  for (const auto& item : items) {
    if (!lines.empty()) lines += '\n';
    lines += text_of(item);
  }
  return lines;
}

Result<void> insert(db::ControlWriter& writer, const KeyRecord& key) {
  if (!PARLEY_TRY(by_tenant::find_tenant(key.tenant, writer))) return fail(Code::not_found, "there is no such tenant");
  if (key.project && !PARLEY_TRY(by_tenant::has_project(key.tenant, *key.project, writer)))
    return fail(Code::not_found, "there is no such project");
  constexpr auto most = static_cast<std::int64_t>(keys_per_tenant_max);
  if (PARLEY_TRY(by_tenant::count_keys(key.tenant, writer)) >= most) {
    PARLEY_TRY(by_tenant::delete_dead_keys(key.tenant, key.created_at - dead_keys_kept, writer));
    if (PARLEY_TRY(by_tenant::count_keys(key.tenant, writer)) >= most)
      return fail(Code::conflict, "this tenant has too many keys");
  }
  const auto origins = lines_from(key.origins);
  const auto groups = lines_from(key.groups.names);
  const auto addresses = in_lines(key.addresses, [](const net::NetworkRange& range) { return range.to_string(); });
  const auto reason = key.exception ? std::optional(key.exception->reason) : std::nullopt;
  const auto since = key.exception ? std::optional(key.exception->since) : std::nullopt;
  PARLEY_TRY(writer.run(
      "INSERT INTO api_keys (id, digest, tenant_id, project_id, kind, name, scopes, origins, created_at, expires_at, "
      "last4, lifetime, exception_reason, exception_at, addresses, document_groups, all_groups) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"_sql,
      key.id, db::Blob{key.digest.view()}, key.tenant, key.project, name(key.kind), key.name, key.scopes.to_string(),
      origins, key.created_at, key.expires_at, key.last4, key.lifetime.count(), reason, since, addresses, groups,
      key.groups.extent == ReadableGroups::Extent::all));
  return {};
}

// Fills in what only the making of the text can tell.
Result<CreatedKey> make(KeyRecord record, crypto::Random& random) {
  Secret text = make_api_key(record.kind, random);
  const auto presented = PARLEY_TRY(parse_api_key(text.reveal()));
  record.id = crypto::random_id<KeyId>(random);
  record.digest = presented.digest();
  record.last4 = presented.last4();
  return CreatedKey{.record = std::move(record), .text = std::move(text)};
}

}  // namespace

std::string_view name(KeyState state) {
  switch (state) {
    case KeyState::active: return "active";
    case KeyState::idle: return "idle";
    case KeyState::expired: return "expired";
    case KeyState::revoked: return "revoked";
  }
  std::unreachable();
}

KeyStore::KeyStore(db::ControlSession control, const Clock& clock, crypto::Random& random, FreshCacheLimits limits)
    : control_(std::move(control)), clock_(clock), random_(random), cache_(limits) {}

Result<CreatedKey> KeyStore::draft(NewKey key) const {
  PARLEY_TRY(check(key));
  const auto now = clock_.now();
  KeyRecord record;
  record.tenant = key.tenant;
  record.project = key.project;
  record.kind = key.kind;
  record.scopes = key.scopes;
  record.origins = PARLEY_TRY(parse_origin_patterns(key.origins));
  record.addresses = PARLEY_TRY(checked_addresses(key.addresses));
  record.groups = PARLEY_TRY(checked_groups(key));
  record.exception = PARLEY_TRY(checked_exception(key.lifetime, std::move(key.exception), now));
  record.name = std::move(key.name);
  record.created_at = now;
  record.lifetime = key.lifetime;
  record.expires_at = now + key.lifetime;
  return make(std::move(record), random_);
}

Async<CreatedKey> KeyStore::add(CreatedKey draft) {
  auto work = [&draft](db::ControlWriter& writer) { return insert(writer, draft.record); };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  // Somebody may have tried this very digest before it existed, and "absent" may be remembered.
  cache_.forget(draft.record.digest);
  co_return std::move(draft);
}

Async<CreatedKey> KeyStore::create(NewKey key) {
  auto drafted = PARLEY_CO_TRY(draft(std::move(key)));
  co_return co_await add(std::move(drafted));
}

asio::awaitable<RequiredKey> KeyStore::require(PresentedKey presented, boost::asio::ip::address client) {
  return require(presented.digest(), presented.kind(), std::move(client));
}

asio::awaitable<RequiredKey> KeyStore::require_voucher(crypto::Digest digest, boost::asio::ip::address client) {
  return require(digest, std::nullopt, std::move(client));
}

asio::awaitable<RequiredKey> KeyStore::require(crypto::Digest digest, std::optional<KeyKind> kind,
                                               boost::asio::ip::address client) {
  const auto now = clock_.now();
  const auto cached = cache_.find(digest, now);
  auto key = cached.record;
  if (cached.state == FreshCache<crypto::Digest, KeyRecord>::Found::State::unknown) {
    auto work = [digest](db::ControlReader& reader) {
      return reader.find("SELECT " PARLEY_KEY_COLUMNS " FROM api_keys WHERE digest = $1"_sql, by_tenant::key_from,
                         db::Blob{digest.view()});
    };
    auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
    if (found) key = std::make_shared<const KeyRecord>(std::move(*found));
    cache_.put(digest, key, cached.generation, now);
  }
  if (!key) co_return fail(Code::unauthenticated, not_valid, "no such key");
  if (kind && key->kind != *kind) co_return fail(Code::unauthenticated, not_valid, "stored with another kind");
  if (key->revoked_at) co_return fail(Code::unauthenticated, not_valid, "revoked");
  if (!key->holds_at(now)) co_return fail(Code::unauthenticated, not_valid, "expired");
  if (is_idle(*key, now))
    co_return std::unexpected(KeyRefused(Error(Code::unauthenticated, not_valid, "idle"), "key_idle", key));
  const bool held_to_addresses = kind || key->kind == KeyKind::public_key;
  if (held_to_addresses && !key->may_be_used_from(client))
    co_return std::unexpected(KeyRefused(Error(Code::unauthenticated, not_valid, "used from an address it is not for"),
                                         "address_not_allowed", key));
  note_used(key->id, now);
  co_return key;
}

Async<std::vector<KeyRecord>> KeyStore::list(TenantId tenant) {
  auto work = [tenant](db::ControlReader& reader) { return by_tenant::list_keys(tenant, reader); };
  co_return co_await control_.read(std::move(work));
}

Async<KeyRecord> KeyStore::load(TenantId tenant, KeyId id) {
  auto work = [tenant, id](db::ControlReader& reader) { return by_tenant::find_key(tenant, id, reader); };
  auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such key");
  co_return std::move(*found);
}

Async<> KeyStore::revoke(TenantId tenant, KeyId id) {
  const auto now = clock_.now();
  auto work = [tenant, id, now](db::ControlWriter& writer) -> Result<crypto::Digest> {
    const auto key = PARLEY_TRY(by_tenant::find_key(tenant, id, writer));
    if (!key) return fail(Code::not_found, "there is no such key");
    PARLEY_TRY(by_tenant::revoke_key(tenant, id, now, writer));
    return key->digest;
  };
  const auto digest = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  cache_.forget(digest);
  co_return Result<void>();
}

Async<> KeyStore::enable(TenantId tenant, KeyId id) {
  const auto now = clock_.now();
  auto work = [tenant, id, now](db::ControlWriter& writer) -> Result<crypto::Digest> {
    const auto key = PARLEY_TRY(by_tenant::find_key(tenant, id, writer));
    if (!key) return fail(Code::not_found, "there is no such key");
    if (!key->holds_at(now)) return fail(Code::conflict, no_longer_holds);
    PARLEY_TRY(by_tenant::enable_key(tenant, id, now, writer));
    return key->digest;
  };
  const auto digest = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  cache_.forget(digest);
  co_return Result<void>();
}

Async<KeyRotation> KeyStore::draft_rotation(TenantId tenant, KeyId id, std::chrono::microseconds overlap,
                                            std::string exception) {
  if (overlap < std::chrono::microseconds::zero() || overlap > key_overlap_max)
    co_return fail(Code::invalid_argument, "a rotated key goes on for at most 7 days");
  const auto now = clock_.now();
  auto old = PARLEY_CO_TRY(co_await load(tenant, id));
  if (!old.holds_at(now)) co_return fail(Code::conflict, no_longer_holds);

  KeyRecord record = old;
  // An exception was made once, for one key. Who wants it again says so again.
  if (exception.empty()) record.lifetime = std::min(record.lifetime, key_lifetime_max);
  record.exception = PARLEY_CO_TRY(checked_exception(record.lifetime, std::move(exception), now));
  record.created_at = now;
  record.expires_at = now + record.lifetime;
  record.last_used_at.reset();
  record.enabled_at.reset();
  auto successor = PARLEY_CO_TRY(make(std::move(record), random_));
  co_return KeyRotation{.old = std::move(old), .successor = std::move(successor), .old_ends_at = now + overlap};
}

Async<CreatedKey> KeyStore::rotate(KeyRotation rotation) {
  auto work = [&rotation](db::ControlWriter& writer) -> Result<void> {
    const KeyRecord& old = rotation.old;
    // Read again inside the transaction: revoked meanwhile, it must not live on as another key.
    const auto key = PARLEY_TRY(by_tenant::find_key(old.tenant, old.id, writer));
    if (!key || key->revoked_at) return fail(Code::conflict, no_longer_holds);
    PARLEY_TRY(insert(writer, rotation.successor.record));
    PARLEY_TRY(by_tenant::shorten_key(old.tenant, old.id, rotation.old_ends_at, writer));
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  cache_.forget(rotation.old.digest);
  cache_.forget(rotation.successor.record.digest);
  co_return std::move(rotation.successor);
}

Async<CreatedKey> KeyStore::rotate(TenantId tenant, KeyId id, std::chrono::microseconds overlap) {
  auto rotation = PARLEY_CO_TRY(co_await draft_rotation(tenant, id, overlap));
  co_return co_await rotate(std::move(rotation));
}

Async<TenantId> KeyStore::load_tenant_of(KeyId id) {
  auto work = [id](db::ControlReader& reader) {
    return reader.find(
        "SELECT tenant_id FROM api_keys WHERE id = $1"_sql, [](const db::Row& row) { return row.id<TenantId>(0); }, id);
  };
  const auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such key");
  co_return *found;
}

Async<> KeyStore::flush_last_used() {
  std::unordered_map<KeyId, Timestamp> used;
  {
    const std::scoped_lock lock(used_mutex_);
    used.swap(used_);
  }
  if (used.empty()) co_return Result<void>();
  auto work = [&used](db::ControlWriter& writer) -> Result<void> {
    for (const auto& [id, at] : used) {
      PARLEY_TRY(
          writer.run("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR "
                     "last_used_at < $2)"_sql,
                     id, at));
    }
    return {};
  };
  auto written = co_await control_.write(std::move(work));
  if (!written) {
    // Kept for the next time; what was noted meanwhile is newer.
    const std::scoped_lock lock(used_mutex_);
    used_.merge(used);
  }
  co_return written;
}

void KeyStore::forget_tenant(TenantId tenant) {
  cache_.forget_if([&](const auto&, const KeyRecord* key) { return key && key->tenant == tenant; });
}

bool KeyStore::is_idle(const KeyRecord& key, Timestamp now) {
  if (key.state_at(now) != KeyState::idle) return false;
  // The row may lack the uses of the last minute.
  const std::scoped_lock lock(used_mutex_);
  const auto used = used_.find(key.id);
  return used == used_.end() || now - used->second >= key_idle_max;
}

void KeyStore::note_used(KeyId id, Timestamp now) {
  const std::scoped_lock lock(used_mutex_);
  if (const auto found = used_.find(id); found != used_.end()) found->second = std::max(found->second, now);
  else if (used_.size() < used_keys_max) used_.emplace(id, now);
}

}  // namespace parley::identity
