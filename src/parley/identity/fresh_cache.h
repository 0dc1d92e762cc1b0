#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "parley/base/time.h"

namespace parley::identity {

/// What a lookup in a cache says.
template <class Record>
struct Cached {
  enum class State { unknown, present, absent };
  State state = State::unknown;
  std::shared_ptr<const Record> record;  ///< set when present
  std::uint64_t generation = 0;          ///< to be handed back to `put`
};

struct FreshCacheLimits {
  /// Rows held. An installation with more in use reads the rest from the database.
  std::size_t present_max = 16'384;
  /// Keys known to lead nowhere. Kept apart, so that a flood of invented ones cannot push out real ones.
  std::size_t absent_max = 4'096;
  /// How long an entry serves. Bounds how long a change made by another node can go unseen here.
  std::chrono::microseconds age_max = std::chrono::seconds(1);
};

/// Rows of a table in memory for moments. It says what the table said a moment ago; what depends on the time is checked
/// by its owner at each use. Split into shards, so that event loops seldom meet; safe from any thread.
///
/// A clock set back makes entries from before unusable, so it prolongs none.
template <class Key, class Record, class Hash = std::hash<Key>>
class FreshCache {
 public:
  using Found = Cached<Record>;

  explicit FreshCache(FreshCacheLimits limits = {}) : limits_(limits) {}

  Found find(const Key& key, Timestamp now) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.index.find(key);
    if (found == shard.index.end()) return {.generation = shard.generation};
    const auto entry = found->second;
    if (now - entry->read_at >= limits_.age_max || now < entry->read_at) {
      erase(shard, key);
      return {.generation = shard.generation};
    }
    Entries& list = entry->record ? shard.present : shard.absent;
    list.splice(list.begin(), list, entry);
    return {.state = entry->record ? Found::State::present : Found::State::absent,
            .record = entry->record,
            .generation = shard.generation};
  }

  /// Remembers what the table said (null for "no such row"). `generation` is from the `find` that came before the read:
  /// if anything was forgotten in between the answer may be older than the change, so it is not kept.
  void put(const Key& key, std::shared_ptr<const Record> record, std::uint64_t generation, Timestamp now) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    if (shard.generation != generation) return;
    erase(shard, key);
    Entries& list = record ? shard.present : shard.absent;
    const auto most = (record ? limits_.present_max : limits_.absent_max) / shards_count;
    if (most == 0) return;
    if (list.size() >= most) {
      shard.index.erase(list.back().key);
      list.pop_back();
    }
    list.push_front({.key = key, .record = std::move(record), .read_at = now});
    shard.index.emplace(key, list.begin());
  }

  /// Forgets one key, present or absent; called after each change to its row.
  void forget(const Key& key) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    ++shard.generation;
    erase(shard, key);
  }

  /// Forgets every entry for which `matches(const Key&, const Record*)`, null for what is known to be absent, and every
  /// answer that is under way.
  template <class Matches>
  void forget_if(Matches matches) {
    for (Shard& shard : shards_) {
      const std::scoped_lock lock(shard.mutex);
      ++shard.generation;
      for (Entries* list : {&shard.present, &shard.absent}) {
        for (auto entry = list->begin(); entry != list->end();) {
          if (matches(entry->key, entry->record.get())) {
            shard.index.erase(entry->key);
            entry = list->erase(entry);
          } else {
            ++entry;
          }
        }
      }
    }
  }

  std::size_t size() const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
      const std::scoped_lock lock(shard.mutex);
      total += shard.index.size();
    }
    return total;
  }

 private:
  static constexpr std::size_t shards_count = 16;

  struct Entry {
    Key key;
    std::shared_ptr<const Record> record;
    Timestamp read_at;
  };
  using Entries = std::list<Entry>;  // most recently used first
  struct Shard {
    mutable std::mutex mutex;
    std::uint64_t generation = 0;
    Entries present;
    Entries absent;
    std::unordered_map<Key, typename Entries::iterator, Hash> index;
  };

  Shard& shard_of(const Key& key) {
    // The upper bits: the lower ones pick the bucket inside the shard.
    return shards_[(Hash()(key) >> 57U) % shards_count];
  }
  static void erase(Shard& shard, const Key& key) {
    const auto found = shard.index.find(key);
    if (found == shard.index.end()) return;
    Entries& list = found->second->record ? shard.present : shard.absent;
    list.erase(found->second);
    shard.index.erase(found);
  }

  const FreshCacheLimits limits_;
  std::array<Shard, shards_count> shards_;
};

}  // namespace parley::identity
