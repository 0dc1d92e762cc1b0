#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace parley::identity {

/// Reads what authenticators write (RFC 8949, of it what CTAP2 allows): integers, texts, bytes, lists and maps of a
/// length that is said, true, false and null. Lengths in their shortest form alone, so that one value has one spelling.
/// A wrong step gives none and leaves the reader where it was.
class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : rest_(bytes) {}

  std::string_view rest() const { return rest_; }
  bool at_end() const { return rest_.empty(); }

  std::optional<std::int64_t> integer();
  std::optional<std::string_view> bytes();
  std::optional<std::string_view> text();
  /// How many items, or pairs, follow.
  std::optional<std::uint64_t> list();
  std::optional<std::uint64_t> map();

  /// Passes over one item of any kind and gives its bytes. None beyond four levels of lists and maps.
  std::optional<std::string_view> item();

 private:
  struct Head {
    unsigned kind = 0;
    std::uint64_t value = 0;
  };
  std::optional<Head> head();
  std::optional<std::string_view> chunk(unsigned kind);
  std::optional<std::uint64_t> count(unsigned kind);
  bool skip(int depth);

  std::string_view rest_;
};

}  // namespace parley::identity
