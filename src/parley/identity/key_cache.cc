#include "parley/identity/key_cache.h"

namespace parley::identity {

KeyCache::KeyCache(KeyCacheLimits limits) : limits_(limits) {}

CachedKey KeyCache::find(const crypto::Digest& digest, Timestamp now) {
  Shard& shard = shard_of(digest);
  const std::scoped_lock lock(shard.mutex);
  const auto found = shard.index.find(digest);
  if (found == shard.index.end()) return {.generation = shard.generation};
  const auto entry = found->second;
  if (now - entry->read_at >= limits_.age_max || now < entry->read_at) {
    erase(shard, digest);
    return {.generation = shard.generation};
  }
  Entries& list = entry->key ? shard.present : shard.absent;
  list.splice(list.begin(), list, entry);
  return {.state = entry->key ? CachedKey::State::present : CachedKey::State::absent,
          .key = entry->key,
          .generation = shard.generation};
}

void KeyCache::put(const crypto::Digest& digest, std::shared_ptr<const KeyRecord> key, std::uint64_t generation,
                   Timestamp now) {
  Shard& shard = shard_of(digest);
  const std::scoped_lock lock(shard.mutex);
  if (shard.generation != generation) return;
  erase(shard, digest);
  Entries& list = key ? shard.present : shard.absent;
  const auto most = (key ? limits_.keys_max : limits_.absent_max) / shards_count;
  if (most == 0) return;
  if (list.size() >= most) {
    shard.index.erase(list.back().digest);
    list.pop_back();
  }
  list.push_front({.digest = digest, .key = std::move(key), .read_at = now});
  shard.index.emplace(digest, list.begin());
}

void KeyCache::forget(const crypto::Digest& digest) {
  Shard& shard = shard_of(digest);
  const std::scoped_lock lock(shard.mutex);
  ++shard.generation;
  erase(shard, digest);
}

void KeyCache::forget_tenant(TenantId tenant) {
  for (Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    ++shard.generation;
    for (auto entry = shard.present.begin(); entry != shard.present.end();) {
      if (entry->key->tenant == tenant) {
        shard.index.erase(entry->digest);
        entry = shard.present.erase(entry);
      } else {
        ++entry;
      }
    }
  }
}

std::size_t KeyCache::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    total += shard.index.size();
  }
  return total;
}

void KeyCache::erase(Shard& shard, const crypto::Digest& digest) {
  const auto found = shard.index.find(digest);
  if (found == shard.index.end()) return;
  Entries& list = found->second->key ? shard.present : shard.absent;
  list.erase(found->second);
  shard.index.erase(found);
}

}  // namespace parley::identity
