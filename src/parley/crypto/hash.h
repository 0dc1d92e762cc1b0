#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/secret.h"

namespace parley::crypto {

/// 32 bytes of SHA-256 or HMAC-SHA-256. `==` is for digests that are no secret (table keys, chain links); a digest that
/// proves something goes through `equal_constant_time`.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  constexpr auto operator<=>(const Digest&) const = default;

  /// The 32 bytes as the string-shaped view that databases and hashes take. Lives as long as this object.
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  /// 64 lower-case hexadecimal digits.
  std::string hex() const;

  /// From exactly 64 hexadecimal digits of either case.
  static std::optional<Digest> parse_hex(std::string_view text);
  /// From exactly 32 bytes, e.g. a stored column.
  static std::optional<Digest> from_bytes(std::string_view raw);
};

Digest sha256(std::string_view bytes);

/// SHA-256 over bytes that arrive in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);
  /// The digest of everything so far; the object is spent afterwards.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The key may have any length; 32 random bytes are right.
Digest hmac_sha256(const Secret& key, std::string_view bytes);

/// Whether two texts are equal, in a time that depends on their lengths alone. Different lengths are unequal at once:
/// the length of a digest or token is no secret.
bool equal_constant_time(std::string_view a, std::string_view b);

/// CRC-32 (IEEE 802.3, as in zip and PNG). Finds typing mistakes; protects nothing from anybody.
std::uint32_t crc32(std::string_view bytes);

}  // namespace parley::crypto

template <>
struct std::hash<parley::crypto::Digest> {
  std::size_t operator()(const parley::crypto::Digest& digest) const noexcept {
    // A digest is evenly spread already, so any eight bytes of it are a hash.
    std::size_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest.bytes[i];
    return value;
  }
};
