#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "parley/base/time.h"

namespace parley::admission {

/// So many in so long, e.g. 15 a minute. Bursts up to the whole count are allowed, then one each `per / count`.
struct Rate {
  std::uint32_t count = 1;  ///< at least 1
  std::chrono::microseconds per{std::chrono::minutes(1)};

  constexpr bool operator==(const Rate&) const = default;
};

/// Reads "15/min", "20/s", "3000/h". None for nought, a missing unit, or more than a million.
std::optional<Rate> parse_rate(std::string_view text);

/// Counts by the generic cell rate algorithm: one number per subject, no windows whose edges can be played.
/// In memory, sharded, bounded: a subject whose allowance is whole again is forgotten, so the table holds only those
/// that are being limited now. Safe from any thread.
class Gcra {
 public:
  /// 64 bits of a keyed hash of class and subject. Two subjects sharing one would share a limit, never widen it.
  using Key = std::uint64_t;

  /// Takes one unit. None if that was within `rate`; otherwise how long until the next would be.
  std::optional<std::chrono::microseconds> take(Key key, Rate rate, Timestamp now);

  /// Gives a unit back: for a request that was refused by a later limit, so that it does not count twice.
  void give_back(Key key, Rate rate);

  std::size_t size() const;

 private:
  static constexpr std::size_t shard_count = 16;
  // A subject costs about 40 bytes, so the whole table stays under 64 MB. When a shard is full of subjects that are all
  // being limited, new ones are refused rather than the table grown: an attacker with many addresses gets 429, not
  // memory.
  static constexpr std::size_t subjects_per_shard_max = 100'000;

  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Key, std::int64_t> full_at;  ///< when the subject's allowance is whole again, micros
    std::int64_t swept_at = 0;
  };
  Shard& shard(Key key) { return shards_[(key >> 32) % shard_count]; }

  std::array<Shard, shard_count> shards_;
};

}  // namespace parley::admission
