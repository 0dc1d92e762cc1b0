#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "parley/base/time.h"
#include "parley/kv/store.h"

namespace parley::kv {

/// Counts by the generic cell rate algorithm: one number per subject, no windows whose edges can be played.
/// Sharded, bounded: a subject whose allowance is whole again needs no place, so the table holds only those that are
/// being limited now. Nothing is swept: an entry that has become needless is overwritten by the next that needs its
/// place. Safe from any thread; never waits for more than another take.
class GcraTable {
 public:
  /// One unit from all, or from none: see Store::take.
  std::optional<Exceeded> take(const Counts& counts, Timestamp now);
  void give_back(const Counts& counts);

  /// Subjects that are being limited at `now`; looks at everything, so for tests and metrics.
  std::size_t size(Timestamp now) const;
  /// What the table takes up.
  std::size_t bytes() const;

 private:
  static constexpr std::size_t shard_count = 16;
  // Two cache lines: a subject is looked for in these places and nowhere else, so a lookup has a bound.
  static constexpr std::size_t bucket_slots = 8;
  static constexpr std::size_t slots_min = 64;
  // 16 shards of 128 Ki slots of 16 bytes: 32 MB. When a subject's bucket is full of others that are all being
  // limited, it is refused rather than the table grown: an attacker with many addresses gets 429, not memory.
  static constexpr std::size_t slots_max = 128 * 1024;

  struct Slot {
    std::uint64_t key = 0;
    std::int64_t full_at = 0;  ///< when the subject's allowance is whole again, micros; 0: an empty place
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Slot> slots;
  };

  static std::size_t shard_of(std::uint64_t key) { return key >> 60; }
  static Slot* find(Shard& shard, std::uint64_t key);
  static Slot* place(Shard& shard, std::uint64_t key, std::int64_t now);

  std::array<Shard, shard_count> shards_;
};

}  // namespace parley::kv
