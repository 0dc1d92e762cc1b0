#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

namespace parley::knowledge {

/// What searches keep of what they read and worked out, so that the next one need not. Bounded in bytes over all
/// indexes that share it; what was used longest ago goes first. Everything in it can be made again at any time.
///
/// What is kept about words and what is kept about passages each has half: a search reads a few lists that the next one
/// needs again, and many passages that it does not, which would push the lists out.
///
/// Safe from any thread. Takes its lock once for each call, which is why calls are about many things.
class IndexMemory {
 public:
  /// Shared by all indexes of a process: some ten thousand passages as searches see them, or the postings of the words
  /// that a few hundred thousand passages are asked about.
  static constexpr std::size_t bytes_usual = std::size_t{24} * 1024 * 1024;

  explicit IndexMemory(std::size_t bytes_max = bytes_usual) : half_bytes_max_(bytes_max / 2) {}
  ~IndexMemory();
  IndexMemory(const IndexMemory&) = delete;
  IndexMemory& operator=(const IndexMemory&) = delete;

  enum class Kind : std::uint8_t { stream, text, words, postings, lengths };
  struct Key {
    std::uint64_t index = 0;   ///< from `make_index_number`
    std::uint64_t number = 0;  ///< of a passage, or of a revision where the thing changes with it
    Kind kind = Kind::stream;
    std::string word = {};  ///< for what is about a word
    bool operator==(const Key&) const = default;
  };

  /// A number that no index had before, not even one on the same folder: what is kept of that one is of other data.
  std::uint64_t make_index_number();

  /// What is kept under each key, null where nothing is. `T` is what was put there under keys of this kind.
  template <class T>
  void find(std::span<const Key> keys, std::span<std::shared_ptr<const T>> values) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto* found = touch(keys[i]);
      values[i] = found == nullptr ? nullptr : std::static_pointer_cast<const T>(*found);
    }
  }
  template <class T>
  std::shared_ptr<const T> find(const Key& key) {
    std::shared_ptr<const T> value;
    find<T>(std::span(&key, 1), std::span(&value, 1));
    return value;
  }

  struct Kept {
    Key key;
    std::shared_ptr<const void> value;
    std::size_t bytes = 0;  ///< that the value takes; what keeping it takes besides is added here
  };
  void keep(std::span<Kept> kept);

  std::size_t bytes() const;

 private:
  struct Hash {
    std::size_t operator()(const Key& key) const {
      const std::uint64_t odd = 0x9e3779b97f4a7c15ull;
      std::uint64_t hash = (key.index * odd + key.number) * odd + static_cast<std::uint64_t>(key.kind);
      if (!key.word.empty()) hash ^= std::hash<std::string>()(key.word);
      return hash * odd ^ hash >> 29;
    }
  };
  struct Entry {
    std::shared_ptr<const void> value;
    std::size_t bytes = 0;
    const Key* key = nullptr;
    Entry* newer = nullptr;
    Entry* older = nullptr;
  };

  /// In the order of use.
  struct Half {
    Entry* newest = nullptr;
    Entry* oldest = nullptr;
    std::size_t bytes = 0;
    void unlink(Entry& entry);
    void link(Entry& entry);
  };

  const std::shared_ptr<const void>* touch(const Key& key);
  Half& half_of(Kind kind) { return kind == Kind::postings || kind == Kind::lengths ? of_words_ : of_passages_; }

  const std::size_t half_bytes_max_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Entry, Hash> entries_;
  Half of_words_;
  Half of_passages_;
  std::uint64_t numbers_ = 0;
};

}  // namespace parley::knowledge
