#include "parley/identity/passkey_cbor.h"

#include <limits>

namespace parley::identity {
namespace {

constexpr unsigned kind_unsigned = 0;
constexpr unsigned kind_negative = 1;
constexpr unsigned kind_bytes = 2;
constexpr unsigned kind_text = 3;
constexpr unsigned kind_list = 4;
constexpr unsigned kind_map = 5;
constexpr unsigned kind_simple = 7;
constexpr int depth_max = 4;

}  // namespace

std::optional<CborReader::Head> CborReader::head() {
  if (rest_.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(rest_.front());
  const unsigned kind = first >> 5;
  const unsigned low = first & 31U;
  if (kind == kind_simple) {
    if (low < 20 || low > 22) return std::nullopt;  // false, true, null
    rest_.remove_prefix(1);
    return Head{kind, low};
  }
  if (low < 24) {
    rest_.remove_prefix(1);
    return Head{kind, low};
  }
  if (low > 27) return std::nullopt;
  const std::size_t width = std::size_t{1} << (low - 24);
  if (rest_.size() < 1 + width) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : rest_.substr(1, width)) value = value << 8 | static_cast<unsigned char>(c);
  const std::uint64_t shorter_max = width == 1 ? 23 : (std::uint64_t{1} << (4 * width)) - 1;
  if (value <= shorter_max) return std::nullopt;
  rest_.remove_prefix(1 + width);
  return Head{kind, value};
}

std::optional<std::int64_t> CborReader::integer() {
  const auto before = rest_;
  const auto read = head();
  if (read && read->kind <= kind_negative && read->value <= std::numeric_limits<std::int64_t>::max()) {
    const auto value = static_cast<std::int64_t>(read->value);
    return read->kind == kind_unsigned ? value : -1 - value;
  }
  rest_ = before;
  return std::nullopt;
}

std::optional<std::string_view> CborReader::chunk(unsigned kind) {
  const auto before = rest_;
  const auto read = head();
  if (read && read->kind == kind && read->value <= rest_.size()) {
    const auto found = rest_.substr(0, static_cast<std::size_t>(read->value));
    rest_.remove_prefix(found.size());
    return found;
  }
  rest_ = before;
  return std::nullopt;
}

std::optional<std::string_view> CborReader::bytes() { return chunk(kind_bytes); }
std::optional<std::string_view> CborReader::text() { return chunk(kind_text); }

std::optional<std::uint64_t> CborReader::count(unsigned kind) {
  const auto before = rest_;
  const auto read = head();
  // Each item takes a byte at least, so a count beyond what is left is a lie that a loop must not believe.
  if (read && read->kind == kind && read->value <= rest_.size()) return read->value;
  rest_ = before;
  return std::nullopt;
}

std::optional<std::uint64_t> CborReader::list() { return count(kind_list); }
std::optional<std::uint64_t> CborReader::map() { return count(kind_map); }

bool CborReader::skip(int depth) {
  if (depth > depth_max) return false;
  if (bytes() || text() || integer()) return true;
  std::uint64_t items = 0;
  if (const auto entries = list()) items = *entries;
  else if (const auto pairs = map()) items = *pairs * 2;
  else {
    const auto read = head();
    return read && read->kind == kind_simple;  // no tags
  }
  for (; items > 0; --items)
    if (!skip(depth + 1)) return false;
  return true;
}

std::optional<std::string_view> CborReader::item() {
  const auto before = rest_;
  if (skip(0)) return before.substr(0, before.size() - rest_.size());
  rest_ = before;
  return std::nullopt;
}

}  // namespace parley::identity
