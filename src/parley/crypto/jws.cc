#include "parley/crypto/jws.h"

#include <array>
#include <optional>

#include <boost/json/object.hpp>

#include "parley/text/base64.h"
#include "parley/text/json.h"

namespace parley::crypto {
namespace {

constexpr text::JsonLimits header_limits{.bytes_max = jws_bytes_max, .depth_max = 4};
constexpr std::size_t type_bytes_max = 64;

// Each would let the token bring its own key, change what is signed, or hide another token.
constexpr std::array<std::string_view, 8> refused_members{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "cty"};

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the token is not valid", std::move(why));
}

std::optional<std::string> decode(std::string_view part) {
  const auto bytes = text::parse_base64url(part);
  if (!bytes) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

std::optional<JwsAlgorithm> parse_algorithm(std::string_view text) {
  for (const auto algorithm : {JwsAlgorithm::hs256, JwsAlgorithm::rs256, JwsAlgorithm::es256})
    if (text == name(algorithm).view()) return algorithm;
  return std::nullopt;
}

}  // namespace

Result<PresentedJws> parse_jws(std::string_view token) {
  if (token.size() > jws_bytes_max) return refuse("too long");
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return refuse("not three parts");
  const auto header_text = decode(token.substr(0, first));
  auto payload = decode(token.substr(first + 1, second - first - 1));
  auto signature = decode(token.substr(second + 1));
  if (!header_text || !payload || !signature) return refuse("a part is not strict base64url");
  if (signature->empty()) return refuse("no signature");

  const auto header = text::parse_json(*header_text, header_limits);
  if (!header || !header->is_object()) return refuse("the header is not a JSON object");
  const auto& members = header->get_object();
  for (const auto member : refused_members)
    if (members.contains(member)) return refuse("the header has " + std::string(member));

  // Absent is empty; what is there must be a text.
  const auto text_of = [&](std::string_view name, std::size_t bytes_max) -> std::optional<std::string> {
    const auto* value = members.if_contains(name);
    if (value == nullptr) return std::string();
    if (!value->is_string() || value->get_string().size() > bytes_max) return std::nullopt;
    std::string text(value->get_string());
    if (text.find('\0') != std::string::npos) return std::nullopt;
    return text;
  };
  auto kid = text_of("kid", kid_bytes_max);
  auto type = text_of("typ", type_bytes_max);
  const auto algorithm_text = text_of("alg", type_bytes_max);
  if (!kid || !type || !algorithm_text) return refuse("kid, typ or alg is no text, or too long");
  const auto algorithm = parse_algorithm(*algorithm_text);
  if (!algorithm) return refuse("an alg that is not accepted");

  PresentedJws parsed;
  parsed.algorithm_ = *algorithm;
  parsed.kid_ = *std::move(kid);
  parsed.type_ = *std::move(type);
  parsed.signed_bytes_ = token.substr(0, second);
  parsed.payload_ = *std::move(payload);
  parsed.signature_ = *std::move(signature);
  return parsed;
}

Result<VerifiedJws> verify_jws(const PresentedJws& token, const JwsKeys& keys) {
  const JwsKey* key = keys.find(token.kid_, token.algorithm_);
  if (key == nullptr) return refuse("no key of that name and algorithm");
  if (!key->verifies(token.signed_bytes_, token.signature_)) return refuse("the signature does not hold");
  return VerifiedJws{.algorithm = token.algorithm_, .kid = token.kid_, .type = token.type_, .payload = token.payload_};
}

}  // namespace parley::crypto
