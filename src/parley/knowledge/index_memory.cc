#include "parley/knowledge/index_memory.h"

#include <vector>

namespace parley::knowledge {
namespace {

// A node of the table with its key and links, and what the allocator adds to it and to the value.
constexpr std::size_t entry_bytes = 192;

}  // namespace

IndexMemory::~IndexMemory() = default;

std::uint64_t IndexMemory::make_index_number() {
  const std::scoped_lock lock(mutex_);
  return ++numbers_;
}

void IndexMemory::Half::unlink(Entry& entry) {
  (entry.newer == nullptr ? newest : entry.newer->older) = entry.older;
  (entry.older == nullptr ? oldest : entry.older->newer) = entry.newer;
}

void IndexMemory::Half::link(Entry& entry) {
  entry.newer = nullptr;
  entry.older = newest;
  (newest == nullptr ? oldest : newest->newer) = &entry;
  newest = &entry;
}

const std::shared_ptr<const void>* IndexMemory::touch(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  auto& entry = found->second;
  if (auto& half = half_of(key.kind); &entry != half.newest) {
    half.unlink(entry);
    half.link(entry);
  }
  return &entry.value;
}

void IndexMemory::keep(std::span<Kept> kept) {
  std::vector<std::shared_ptr<const void>> gone;  // destroyed after the lock is given back
  const std::scoped_lock lock(mutex_);
  for (auto& one : kept) {
    const std::size_t bytes = one.bytes + entry_bytes + one.key.word.capacity();
    if (bytes > half_bytes_max_) continue;
    auto& half = half_of(one.key.kind);
    const auto [place, is_new] = entries_.try_emplace(std::move(one.key));
    auto& entry = place->second;
    if (!is_new) {
      // Two threads made it at the same time.
      half.bytes -= entry.bytes;
      half.unlink(entry);
      gone.push_back(std::move(entry.value));
    }
    entry.value = std::move(one.value);
    entry.bytes = bytes;
    entry.key = &place->first;
    half.link(entry);
    half.bytes += bytes;
    while (half.bytes > half_bytes_max_) {
      auto& oldest = *half.oldest;
      half.bytes -= oldest.bytes;
      half.unlink(oldest);
      gone.push_back(std::move(oldest.value));
      entries_.erase(entries_.find(*oldest.key));
    }
  }
}

std::size_t IndexMemory::bytes() const {
  const std::scoped_lock lock(mutex_);
  return of_words_.bytes + of_passages_.bytes;
}

}  // namespace parley::knowledge
