#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/base/secret.h"

namespace parley::crypto {

/// The signatures that are understood. Each belongs to one type of key, so a token cannot choose among them.
enum class JwsAlgorithm : std::uint8_t {
  hs256,  ///< a shared secret
  rs256,  ///< an RSA key
  es256,  ///< a key on the curve P-256
};

/// "HS256", "RS256" or "ES256", as a token's header spells it.
Literal name(JwsAlgorithm algorithm);

/// Shorter than the hash itself, a secret could be searched for offline by anybody who has one token (RFC 7518, 3.2).
inline constexpr std::size_t jws_secret_bytes_min = 32;
inline constexpr std::size_t jws_secret_bytes_max = 1024;
/// Below this RSA is within reach of who can pay for it (NIST SP 800-131A).
inline constexpr std::size_t rsa_bits_min = 2048;
/// Beyond this one verification costs milliseconds, which a stranger's token must not.
inline constexpr std::size_t rsa_bits_max = 8192;

/// One key that signatures are checked with. Cheap to copy; immutable, so safe from any thread.
class JwsKey {
 public:
  /// `invalid_argument` unless within the two limits above, or for what is evidently not random (fewer than 8 different
  /// bytes).
  static Result<JwsKey> hmac(Secret secret);
  /// Big-endian numbers without leading zeros. `invalid_argument` outside the limits, for an even modulus, and for an
  /// exponent below 65537 or above 32 bits (FIPS 186-5, A.1.1).
  static Result<JwsKey> rsa(std::string_view modulus, std::string_view exponent);
  /// Two coordinates of 32 bytes. `invalid_argument` for a point that is not on the curve.
  static Result<JwsKey> p256(std::string_view x, std::string_view y);

  JwsAlgorithm algorithm() const { return algorithm_; }

  /// Whether `signature` is this key's over `message`, by the one algorithm of its type. `signature` in the form a
  /// token carries: the HMAC, the RSA block of exactly the modulus' length, or r and s of 32 bytes each.
  bool verifies(std::string_view message, std::string_view signature) const;

 private:
  struct Material;
  JwsKey(JwsAlgorithm algorithm, std::shared_ptr<const Material> material);

  JwsAlgorithm algorithm_;
  std::shared_ptr<const Material> material_;
};

/// A key and the name its owner gave it; empty where there is none.
struct NamedJwsKey {
  std::string kid;
  JwsKey key;
};

/// Where keys were read from. A symmetric key in a published set is no secret: anybody could sign with it.
enum class KeySource : std::uint8_t { published, kept_secret };

inline constexpr std::size_t jwks_bytes_max = 64 * 1024;
/// Providers publish two to five.
inline constexpr std::size_t jwks_keys_max = 32;
inline constexpr std::size_t kid_bytes_max = 256;

/// The keys a token's issuer signs with.
class JwsKeys {
 public:
  JwsKeys() = default;
  explicit JwsKeys(std::vector<NamedJwsKey> keys) : keys_(std::move(keys)) {}

  const std::vector<NamedJwsKey>& all() const { return keys_; }
  bool empty() const { return keys_.empty(); }

  /// The one key that may have signed a token with this header, or null. A named one must bear exactly that name; a
  /// token that names none is tried with the only key of its algorithm, never with one after the other.
  const JwsKey* find(std::string_view kid, JwsAlgorithm algorithm) const;

 private:
  std::vector<NamedJwsKey> keys_;
};

/// One JWK (RFC 7517). `invalid_argument` for what cannot be used here: another kty, curve or alg, a use other than
/// signatures, base64url that is not strict, the private half of a key pair, and a symmetric key that was published.
Result<NamedJwsKey> parse_jwk(std::string_view json, KeySource source);

/// A JWK set. Keys of kinds that are not understood are left out, as RFC 7517 says; a private key among them, two keys
/// of one name and algorithm, or no usable key at all make the whole set `invalid_argument`. `too_large` over the
/// limits.
Result<JwsKeys> parse_jwks(std::string_view json, KeySource source);

}  // namespace parley::crypto
