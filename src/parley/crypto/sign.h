#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/crypto/random.h"

namespace parley::crypto {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  constexpr auto operator<=>(const PublicKey&) const = default;
};

struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  constexpr auto operator<=>(const Signature&) const = default;
};

/// An Ed25519 key pair. Kept as its 32-byte seed.
class SigningKey {
 public:
  static SigningKey make(Random& random = system_random());
  /// `invalid_argument` unless exactly 32 bytes.
  static Result<SigningKey> from_seed(Secret seed);

  const PublicKey& public_key() const { return public_key_; }
  const Secret& seed() const { return seed_; }
  Signature sign(std::string_view message) const;

 private:
  explicit SigningKey(Secret seed);
  Secret seed_;
  PublicKey public_key_;
};

enum class SignatureVerdict { valid, invalid };
SignatureVerdict verify_signature(const PublicKey& key, std::string_view message, const Signature& signature);

}  // namespace parley::crypto
