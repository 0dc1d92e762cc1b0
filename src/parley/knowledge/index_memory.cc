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

void IndexMemory::unlink(Entry& entry) {
  (entry.newer == nullptr ? newest_ : entry.newer->older) = entry.older;
  (entry.older == nullptr ? oldest_ : entry.older->newer) = entry.newer;
}

void IndexMemory::link(Entry& entry) {
  entry.newer = nullptr;
  entry.older = newest_;
  (newest_ == nullptr ? oldest_ : newest_->newer) = &entry;
  newest_ = &entry;
}

const std::shared_ptr<const void>* IndexMemory::touch(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  auto& entry = found->second;
  if (&entry != newest_) {
    unlink(entry);
    link(entry);
  }
  return &entry.value;
}

void IndexMemory::keep(std::span<Kept> kept) {
  std::vector<std::shared_ptr<const void>> gone;  // destroyed after the lock is given back
  const std::scoped_lock lock(mutex_);
  for (auto& one : kept) {
    const std::size_t bytes = one.bytes + entry_bytes + one.key.word.capacity();
    if (bytes > bytes_max_) continue;
    const auto [place, is_new] = entries_.try_emplace(std::move(one.key));
    auto& entry = place->second;
    if (!is_new) {
      // Two threads made it at the same time.
      bytes_ -= entry.bytes;
      unlink(entry);
      gone.push_back(std::move(entry.value));
    }
    entry.value = std::move(one.value);
    entry.bytes = bytes;
    entry.key = &place->first;
    link(entry);
    bytes_ += bytes;
    while (bytes_ > bytes_max_) {
      auto& oldest = *oldest_;
      bytes_ -= oldest.bytes;
      unlink(oldest);
      gone.push_back(std::move(oldest.value));
      entries_.erase(entries_.find(*oldest.key));
    }
  }
}

std::size_t IndexMemory::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace parley::knowledge
