#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"

namespace parley::crypto {

/// Names a key without giving it away: eight bytes derived from it. Stands in every envelope, so that after a rotation
/// the right key is picked instead of tried.
struct SealKeyId {
  std::array<std::uint8_t, 8> bytes{};
  constexpr auto operator<=>(const SealKeyId&) const = default;
};

/// 32 bytes for sealing. A secret: no printing, no comparison, overwritten when it goes.
class SealKey {
 public:
  static constexpr std::size_t size = 32;

  static SealKey make(Random& random = system_random());

  /// From exactly 32 bytes. Refuses what cannot have come from a generator of randomness (fewer than 16 different
  /// bytes; 32 random ones have about 30): a key of zeros or one typed by hand seals nothing.
  static Result<SealKey> from_bytes(Secret bytes);

  /// From 64 hexadecimal digits or 44 (43 without padding) characters of base64 or base64url, with surrounding white
  /// space ignored, as an operator's environment or key file holds it. Same refusals as `from_bytes`.
  static Result<SealKey> parse(const Secret& text);

  /// Another key that only the holder of this one can compute; keys of different purposes tell nothing of each other.
  SealKey derive(Literal purpose) const;

  const SealKeyId& id() const { return id_; }
  /// The bare bytes, for keyed hashes and for writing the key file.
  const Secret& secret() const { return bytes_; }
  /// 64 hexadecimal digits, as `parse` reads them.
  Secret to_hex() const;

 private:
  explicit SealKey(Secret bytes);

  Secret bytes_;
  SealKeyId id_;
};

/// What a sealed value is and where it belongs, e.g. `SealContext("messages.body").with(message_id)`. Opening needs the
/// same context, so a sealed value copied into another row, column or tenant does not open there. Parts carry their
/// lengths: ("ab","c") and ("a","bc") are different contexts.
class SealContext {
 public:
  explicit SealContext(Literal purpose) { append(purpose.view()); }

  template <class Tag>
  SealContext with(const Id<Tag>& id) && {
    append({reinterpret_cast<const char*>(id.uuid().bytes().data()), id.uuid().bytes().size()});
    return std::move(*this);
  }
  SealContext with(std::string_view part) && {
    append(part);
    return std::move(*this);
  }

  std::string_view bytes() const { return encoded_; }

 private:
  void append(std::string_view part);
  std::string encoded_;
};

/// Bytes a sealed value has beyond its content: version 1, key id 8, nonce 24, tag 16.
inline constexpr std::size_t seal_overhead_bytes = 49;

/// Encrypts and authenticates with XChaCha20-Poly1305 under a random nonce (192 bits, so that nonces need no counting).
/// The result is an envelope: version byte, key id, nonce, ciphertext with its tag.
std::string seal(const SealKey& key, std::string_view plain, const SealContext& context,
                 Random& random = system_random());

/// The content of an envelope. `data_corrupt` if a bit of it changed, if it belongs to another context, or if its
/// version is unknown; `unavailable` if it names another key, so that a caller with several can tell which to use.
Result<Secret> open(const SealKey& key, std::string_view sealed, const SealContext& context);

/// Which key an envelope names. `data_corrupt` if it is too short or of an unknown version.
Result<SealKeyId> sealed_by(std::string_view sealed);

}  // namespace parley::crypto
