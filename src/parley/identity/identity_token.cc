#include "parley/identity/identity_token.h"

#include <algorithm>
#include <cmath>

#include "parley/text/json.h"

namespace parley::identity {
namespace {

namespace json = boost::json;

constexpr text::JsonLimits claims_limits{.bytes_max = crypto::jws_bytes_max, .depth_max = 8};
constexpr std::size_t claim_bytes_max = 1024;

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the token is not valid", std::move(why));
}

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

// Seconds since 1970, whole or not (RFC 7519). None for what is no number, and for years no token is of.
std::optional<Timestamp> time_claim(const json::object& claims, std::string_view name) {
  const auto* value = claims.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double seconds = value->to_number<double>();
  constexpr double seconds_max = 253'402'300'800.0;  // the year 10000
  if (!std::isfinite(seconds) || seconds < 0 || seconds >= seconds_max) return std::nullopt;
  return Timestamp{static_cast<std::int64_t>(seconds * 1'000'000.0)};
}

}  // namespace

std::optional<std::string> text_claim(const json::object& claims, std::string_view name) {
  const auto* value = claims.if_contains(name);
  if (value == nullptr || !value->is_string() || value->get_string().size() > claim_bytes_max) return std::nullopt;
  std::string text(value->get_string());
  if (!is_plain(text)) return std::nullopt;
  return text;
}

std::optional<std::vector<std::string>> list_claim(const json::object& claims, std::string_view name) {
  std::vector<std::string> list;
  const auto* value = claims.if_contains(name);
  if (value == nullptr) return list;
  const auto add = [&](const json::value& entry) {
    if (!entry.is_string() || entry.get_string().empty() || entry.get_string().size() > token_group_bytes_max)
      return false;
    list.emplace_back(entry.get_string());
    return is_plain(list.back());
  };
  if (value->is_string()) return add(*value) ? std::optional(list) : std::nullopt;
  if (!value->is_array() || value->get_array().size() > token_groups_max) return std::nullopt;
  for (const auto& entry : value->get_array())
    if (!add(entry)) return std::nullopt;
  return list;
}

std::optional<std::string> unverified_issuer(const crypto::PresentedJws& token) {
  const auto value = text::parse_json(token.unverified_payload(), claims_limits);
  if (!value || !value->is_object()) return std::nullopt;
  return text_claim(value->get_object(), "iss");
}

Result<TokenClaims> check_token_claims(const crypto::VerifiedJws& token, const TokenRules& rules, Timestamp now) {
  if (!token.type.empty() && !std::ranges::equal(token.type, std::string_view("jwt"), {}, [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      }))
    return refuse("another kind of token");
  auto value = text::parse_json(token.payload, claims_limits);
  if (!value || !value->is_object()) return refuse("the claims are not an object");
  TokenClaims claims;
  claims.all = std::move(value->get_object());

  if (rules.issuer.empty() || text_claim(claims.all, "iss") != rules.issuer) return refuse("another issuer");
  auto subject = text_claim(claims.all, "sub");
  if (!subject || subject->empty() || subject->size() > token_subject_bytes_max) return refuse("no subject");
  claims.subject = *std::move(subject);
  auto audiences = list_claim(claims.all, "aud");
  if (!audiences || rules.audience.empty() || std::ranges::find(*audiences, rules.audience) == audiences->end())
    return refuse("another audience");
  claims.audiences = *std::move(audiences);

  const auto issued = time_claim(claims.all, "iat");
  const auto expires = time_claim(claims.all, "exp");
  if (!issued || !expires) return refuse("iat or exp is missing");
  if (*issued > now + token_leeway) return refuse("issued in the future");
  if (now - *issued > rules.age_max + token_leeway) return refuse("too old");
  if (*expires <= *issued || *expires - *issued > rules.life_max) return refuse("a life that is too long, or none");
  if (now >= *expires + token_leeway) return refuse("expired");
  if (claims.all.contains("nbf")) {
    const auto not_before = time_claim(claims.all, "nbf");
    if (!not_before || *not_before > now + token_leeway) return refuse("not valid yet");
  }
  claims.issued_at = *issued;
  claims.expires_at = *expires;
  return claims;
}

}  // namespace parley::identity
