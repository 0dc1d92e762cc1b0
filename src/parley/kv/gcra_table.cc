#include "parley/kv/gcra_table.h"

#include <algorithm>

namespace parley::kv {

GcraTable::Slot* GcraTable::find(Shard& shard, std::uint64_t key) {
  if (shard.slots.empty()) return nullptr;
  const std::size_t bucket = (key & (shard.slots.size() / bucket_slots - 1)) * bucket_slots;
  for (std::size_t i = bucket; i < bucket + bucket_slots; ++i)
    if (shard.slots[i].key == key && shard.slots[i].full_at != 0) return &shard.slots[i];
  return nullptr;
}

GcraTable::Slot* GcraTable::place(Shard& shard, std::uint64_t key, std::int64_t now) {
  for (;;) {
    if (!shard.slots.empty()) {
      const std::size_t bucket = (key & (shard.slots.size() / bucket_slots - 1)) * bucket_slots;
      for (std::size_t i = bucket; i < bucket + bucket_slots; ++i)
        if (shard.slots[i].full_at <= now) return &shard.slots[i];
    }
    const std::size_t larger = std::max(slots_min, shard.slots.size() * 2);
    if (larger > slots_max) return nullptr;
    // Each old bucket is split over two new ones, so everything that fitted still does.
    std::vector<Slot> slots(larger);
    const std::size_t mask = larger / bucket_slots - 1;
    for (const Slot& old : shard.slots) {
      if (old.full_at <= now) continue;
      std::size_t at = (old.key & mask) * bucket_slots;
      while (slots[at].full_at != 0) ++at;
      slots[at] = old;
    }
    shard.slots = std::move(slots);
  }
}

std::optional<Exceeded> GcraTable::take(const Counts& counts, Timestamp now) {
  // The shards a request needs, in one order for everybody, so that no two requests wait for each other in a circle.
  std::array<std::unique_lock<std::mutex>, counts_max> locks;
  boost::container::static_vector<std::size_t, counts_max> needed;
  for (const Count& count : counts) needed.push_back(shard_of(count.key));
  std::ranges::sort(needed);
  const auto unique_end = std::unique(needed.begin(), needed.end());
  for (auto it = needed.begin(); it != unique_end; ++it)
    locks[static_cast<std::size_t>(it - needed.begin())] = std::unique_lock(shards_[*it].mutex);

  std::array<std::int64_t, counts_max> next{};
  std::optional<Exceeded> worst;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Rate& rate = counts[i].rate;
    Slot* slot = find(shards_[shard_of(counts[i].key)], counts[i].key);
    // A clock that jumped far back would otherwise lock a subject out until the old time came round again. Stored also
    // when the request is refused, or its wait would begin anew each time it asks.
    if (slot) slot->full_at = std::min(slot->full_at, now.micros + rate.burst_micros());
    next[i] = std::max(slot ? slot->full_at : 0, now.micros) + rate.step_micros();
    const std::int64_t wait = next[i] - now.micros - rate.burst_micros();
    // The longest wait, or Retry-After would send the caller back to be refused by the next one.
    if (wait > 0 && (!worst || wait > worst->wait.count())) worst = Exceeded{i, std::chrono::microseconds(wait)};
  }
  if (worst) return worst;

  for (std::size_t i = 0; i < counts.size(); ++i) {
    Shard& shard = shards_[shard_of(counts[i].key)];
    Slot* slot = find(shard, counts[i].key);
    if (!slot) slot = place(shard, counts[i].key, now.micros);
    if (!slot) {
      // No place: what this request has taken so far goes back. A second is about when places get free.
      for (std::size_t k = 0; k < i; ++k)
        if (Slot* taken = find(shards_[shard_of(counts[k].key)], counts[k].key))
          taken->full_at -= counts[k].rate.step_micros();
      return Exceeded{i, std::chrono::seconds(1)};
    }
    *slot = {counts[i].key, next[i]};
  }
  return std::nullopt;
}

void GcraTable::give_back(const Counts& counts) {
  for (const Count& count : counts) {
    Shard& shard = shards_[shard_of(count.key)];
    const std::scoped_lock lock(shard.mutex);
    if (Slot* slot = find(shard, count.key)) slot->full_at -= count.rate.step_micros();
  }
}

std::size_t GcraTable::size(Timestamp now) const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    total += static_cast<std::size_t>(
        std::ranges::count_if(shard.slots, [&](const Slot& slot) { return slot.full_at > now.micros; }));
  }
  return total;
}

std::size_t GcraTable::bytes() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    total += shard.slots.size() * sizeof(Slot);
  }
  return total;
}

}  // namespace parley::kv
