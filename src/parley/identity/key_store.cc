#include "parley/identity/key_store.h"

#include <algorithm>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/origin.h"

namespace parley::identity {

using namespace db::literals;

namespace {

// Uses noted between two flushes. One more key than this is noted the next time it is used.
constexpr std::size_t used_keys_max = 65'536;

Result<std::vector<std::string>> checked_origins(const NewKey& key) {
  if (key.kind == KeyKind::secret && !key.origins.empty())
    return fail(Code::invalid_argument, "a secret key has no origins: it must not stand in a web page");
  if (key.kind == KeyKind::public_key && key.origins.empty())
    return fail(Code::invalid_argument, "a public key needs at least one origin");
  return parse_origin_patterns(key.origins);
}

Result<void> check(const NewKey& key) {
  if (key.scopes.empty()) return fail(Code::invalid_argument, "a key needs at least one scope");
  if (key.kind == KeyKind::public_key && !ScopeSet::public_keys().contains_all(key.scopes))
    return fail(Code::invalid_argument, "a public key may hold only project_read, project_search and chat_create");
  if (!ScopeSet::secret_keys().contains_all(key.scopes))
    return fail(Code::invalid_argument, "no key may hold members_read, members_manage or organisation_manage");
  if (key.lifetime <= std::chrono::microseconds::zero() || key.lifetime > key_lifetime_max)
    return fail(Code::invalid_argument, "a key lives at most 90 days");
  if (key.name.size() > key_name_bytes_max) return fail(Code::invalid_argument, "the key's name is too long");
  return {};
}

Result<void> insert(db::ControlWriter& writer, const KeyRecord& key) {
  if (!PARLEY_TRY(by_tenant::find_tenant(key.tenant, writer))) return fail(Code::not_found, "there is no such tenant");
  if (key.project && !PARLEY_TRY(by_tenant::has_project(key.tenant, *key.project, writer)))
    return fail(Code::not_found, "there is no such project");
  if (PARLEY_TRY(by_tenant::count_keys(key.tenant, writer)) >= static_cast<std::int64_t>(keys_per_tenant_max))
    return fail(Code::conflict, "this tenant has too many keys");
  std::string origins;
  for (const auto& origin : key.origins) {
    if (!origins.empty()) origins += '\n';
    origins += origin;
  }
  PARLEY_TRY(writer.run(
      "INSERT INTO api_keys (id, digest, tenant_id, project_id, kind, name, scopes, origins, created_at, expires_at, "
      "last4) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"_sql,
      key.id, db::Blob{key.digest.view()}, key.tenant, key.project, name(key.kind), key.name, key.scopes.to_string(),
      origins, key.created_at, key.expires_at, key.last4));
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

KeyStore::KeyStore(db::ControlSession control, const Clock& clock, crypto::Random& random, KeyCacheLimits limits)
    : control_(std::move(control)), clock_(clock), random_(random), cache_(limits) {}

Async<CreatedKey> KeyStore::create(NewKey key) {
  PARLEY_CO_TRY(check(key));
  const auto now = clock_.now();
  KeyRecord record;
  record.tenant = key.tenant;
  record.project = key.project;
  record.kind = key.kind;
  record.name = key.name;
  record.scopes = key.scopes;
  record.origins = PARLEY_CO_TRY(checked_origins(key));
  record.created_at = now;
  record.expires_at = now + key.lifetime;
  CreatedKey created = PARLEY_CO_TRY(make(std::move(record), random_));
  auto work = [&created](db::ControlWriter& writer) { return insert(writer, created.record); };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  // Somebody may have tried this very digest before it existed, and "absent" may be remembered.
  cache_.forget(created.record.digest);
  co_return std::move(created);
}

Async<std::shared_ptr<const KeyRecord>> KeyStore::require(PresentedKey presented) {
  return require(presented.digest(), presented.kind());
}

Async<std::shared_ptr<const KeyRecord>> KeyStore::require_voucher(crypto::Digest digest) {
  return require(digest, std::nullopt);
}

Async<std::shared_ptr<const KeyRecord>> KeyStore::require(crypto::Digest digest, std::optional<KeyKind> kind) {
  const auto now = clock_.now();
  const auto cached = cache_.find(digest, now);
  auto key = cached.key;
  if (cached.state == CachedKey::State::unknown) {
    auto work = [digest](db::ControlReader& reader) {
      return reader.find(
          "SELECT id, digest, tenant_id, project_id, kind, name, scopes, origins, created_at, expires_at, revoked_at, "
          "last_used_at, last4 FROM api_keys WHERE digest = $1"_sql,
          by_tenant::key_from, db::Blob{digest.view()});
    };
    auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
    if (found) key = std::make_shared<const KeyRecord>(std::move(*found));
    cache_.put(digest, key, cached.generation, now);
  }
  if (!key) co_return fail(Code::unauthenticated, "the API key is not valid", "no such key");
  if (kind && key->kind != *kind)
    co_return fail(Code::unauthenticated, "the API key is not valid", "stored with another kind");
  if (key->revoked_at) co_return fail(Code::unauthenticated, "the API key is not valid", "revoked");
  if (!key->holds_at(now)) co_return fail(Code::unauthenticated, "the API key is not valid", "expired");
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

Async<CreatedKey> KeyStore::rotate(TenantId tenant, KeyId id, std::chrono::microseconds overlap) {
  if (overlap < std::chrono::microseconds::zero() || overlap > key_overlap_max)
    co_return fail(Code::invalid_argument, "a rotated key goes on for at most 7 days");
  const auto now = clock_.now();
  const auto old = PARLEY_CO_TRY(co_await load(tenant, id));
  if (!old.holds_at(now)) co_return fail(Code::conflict, "the key no longer holds; create a new one");

  KeyRecord record = old;
  record.created_at = now;
  record.expires_at = now + std::min(old.expires_at - old.created_at, key_lifetime_max);
  record.last_used_at.reset();
  CreatedKey created = PARLEY_CO_TRY(make(std::move(record), random_));
  auto work = [&created, tenant, id, end = now + overlap](db::ControlWriter& writer) -> Result<void> {
    // Read again inside the transaction: revoked meanwhile, it must not live on as another key.
    const auto key = PARLEY_TRY(by_tenant::find_key(tenant, id, writer));
    if (!key || key->revoked_at) return fail(Code::conflict, "the key no longer holds; create a new one");
    PARLEY_TRY(insert(writer, created.record));
    PARLEY_TRY(by_tenant::shorten_key(tenant, id, end, writer));
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  cache_.forget(old.digest);
  cache_.forget(created.record.digest);
  co_return std::move(created);
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

void KeyStore::note_used(KeyId id, Timestamp now) {
  const std::scoped_lock lock(used_mutex_);
  if (const auto found = used_.find(id); found != used_.end()) found->second = std::max(found->second, now);
  else if (used_.size() < used_keys_max) used_.emplace(id, now);
}

}  // namespace parley::identity
