#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/crypto/jws.h"

namespace parley::identity {

/// How far another's clock may be from ours.
inline constexpr std::chrono::microseconds token_leeway = std::chrono::seconds(60);
inline constexpr std::size_t token_subject_bytes_max = 255;  // OpenID Connect Core, section 2
inline constexpr std::size_t token_groups_max = 200;
inline constexpr std::size_t token_group_bytes_max = 128;

/// What a token has to say to be for us and for now.
struct TokenRules {
  std::string_view issuer;             ///< to the letter
  std::string_view audience;           ///< among those it names
  std::chrono::microseconds life_max;  ///< from `iat` to `exp`
  std::chrono::microseconds age_max;   ///< from `iat` to now
};

struct TokenClaims {
  std::string subject;
  std::vector<std::string> audiences;
  Timestamp issued_at;
  Timestamp expires_at;
  boost::json::object all;
};

/// The claims of a token whose signature held, if they follow the rules. `iss`, `sub`, `aud`, `iat` and `exp` must be
/// there; `nbf` may; a `typ` other than JWT is another kind of token (an access token, a logout). Times with
/// `token_leeway`. `unauthenticated`, one reason for all, the difference in the detail.
Result<TokenClaims> check_token_claims(const crypto::VerifiedJws& token, const TokenRules& rules, Timestamp now);

/// A claim that is a text; none if it is absent or something else.
std::optional<std::string> text_claim(const boost::json::object& claims, std::string_view name);

/// A claim that is a list of texts, or one text. Empty if it is absent; none if it is something else, or beyond the
/// limits: a list that was cut would be a list with other rights.
std::optional<std::vector<std::string>> list_claim(const boost::json::object& claims, std::string_view name);

/// `iss` of a token that is not verified yet: for choosing whose keys to try.
std::optional<std::string> unverified_issuer(const crypto::PresentedJws& token);

}  // namespace parley::identity
