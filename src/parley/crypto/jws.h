#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/crypto/jwk.h"

namespace parley::crypto {

/// Far above what tokens of sign-in providers have (1 to 3 KB), and little enough to parse for a stranger.
inline constexpr std::size_t jws_bytes_max = 8 * 1024;

/// What a token says about itself. Nothing of it may be believed before `verify_jws`, but for choosing the key.
class PresentedJws {
 public:
  JwsAlgorithm algorithm() const { return algorithm_; }
  const std::string& kid() const { return kid_; }  ///< empty if it names none
  /// What may not have been signed by anybody. For finding out whose keys to try, and nothing else.
  std::string_view unverified_payload() const { return payload_; }

 private:
  friend Result<PresentedJws> parse_jws(std::string_view token);
  friend Result<struct VerifiedJws> verify_jws(const PresentedJws& token, const JwsKeys& keys);
  PresentedJws() = default;

  JwsAlgorithm algorithm_ = JwsAlgorithm::es256;
  std::string kid_;
  std::string type_;
  std::string signed_bytes_;
  std::string payload_;
  std::string signature_;
};

/// A token whose signature held. Only `verify_jws` makes one that holds a payload.
struct VerifiedJws {
  JwsAlgorithm algorithm;
  std::string kid;
  std::string type;     ///< the header's typ, as it stands there; empty if there is none
  std::string payload;  ///< the bytes that were signed, decoded
};

/// A compact JWS (RFC 7515) to its parts. `unauthenticated`, one reason for all, for anything but three parts of strict
/// base64url (no padding, no stray bits) with a header whose `alg` is HS256, RS256 or ES256 to the letter. Refused
/// besides: "none" in any spelling and an empty signature; `crit` and `b64`, since no extension is understood; keys or
/// their addresses inside the token (jwk, jku, x5u, x5c); compression; a token within a token (cty); a name that stands
/// twice in the header; more than `jws_bytes_max`.
Result<PresentedJws> parse_jws(std::string_view token);

/// The token, if one of these keys signed it. The key decides the algorithm: a token whose `alg` is not that of the key
/// which its `kid` names is refused before anything is computed. `unauthenticated`, the difference in the detail.
Result<VerifiedJws> verify_jws(const PresentedJws& token, const JwsKeys& keys);

}  // namespace parley::crypto
