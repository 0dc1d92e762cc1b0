#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"
#include "parley/identity/key_record.h"

namespace parley::identity {

/// What a lookup in the cache says.
struct CachedKey {
  enum class State { unknown, present, absent };
  State state = State::unknown;
  std::shared_ptr<const KeyRecord> key;  ///< set when present
  std::uint64_t generation = 0;          ///< to be handed back to `put`
};

struct KeyCacheLimits {
  /// About 500 bytes each. An installation with more keys in use than this reads the rest from the database.
  std::size_t keys_max = 16'384;
  /// Digests known not to exist. Kept apart from the keys, so that a flood of invented keys cannot push out real ones.
  std::size_t absent_max = 4'096;
  /// How long an entry serves. Bounds how long a key revoked by another node can go on working here; one look-up a
  /// second for each key in use costs nothing.
  std::chrono::microseconds age_max = std::chrono::seconds(1);
};

/// Digest to key, in memory. It says what the table said a moment ago; whether the key still holds (expiry) is checked
/// by `KeyStore::require` on each use. Split into shards by digest, so that event loops seldom meet; safe from any
/// thread.
class KeyCache {
 public:
  explicit KeyCache(KeyCacheLimits limits = {});

  CachedKey find(const crypto::Digest& digest, Timestamp now);

  /// Remembers what the table said (null for "no such key"). `generation` is from the `find` that came before the read:
  /// if anything was forgotten in between the answer may be older than the revocation, so it is not kept.
  void put(const crypto::Digest& digest, std::shared_ptr<const KeyRecord> key, std::uint64_t generation, Timestamp now);

  /// Forgets one key, present or absent; called after each change to its row.
  void forget(const crypto::Digest& digest);
  void forget_tenant(TenantId tenant);

  std::size_t size() const;

 private:
  static constexpr std::size_t shards_count = 16;

  struct Entry {
    crypto::Digest digest;
    std::shared_ptr<const KeyRecord> key;
    Timestamp read_at;
  };
  using Entries = std::list<Entry>;  // most recently used first
  struct Shard {
    mutable std::mutex mutex;
    std::uint64_t generation = 0;
    Entries present;
    Entries absent;
    std::unordered_map<crypto::Digest, Entries::iterator> index;
  };

  Shard& shard_of(const crypto::Digest& digest) { return shards_[digest.bytes[31] % shards_count]; }
  static void erase(Shard& shard, const crypto::Digest& digest);

  const KeyCacheLimits limits_;
  std::array<Shard, shards_count> shards_;
};

}  // namespace parley::identity
