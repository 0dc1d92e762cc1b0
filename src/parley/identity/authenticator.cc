#include "parley/identity/authenticator.h"

#include <algorithm>

#include "parley/identity/api_key.h"
#include "parley/identity/origin.h"

namespace parley::identity {
namespace {

// One reason for every credential that does not hold, so that trying tells nothing.
constexpr Literal not_valid = "the credential is not valid";

/// What follows `Bearer ` or `Api-Key `; schemes are compared without regard to case, as HTTP asks.
std::optional<std::string_view> token_in(std::string_view header) {
  const auto blank = header.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto is = [scheme = header.substr(0, blank)](std::string_view known) {
    return std::ranges::equal(scheme, known, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  };
  if (!is("bearer") && !is("api-key")) return std::nullopt;
  return header.substr(blank + 1);
}

/// Whether a browser says that the request comes from one of the key's sites.
bool comes_from(const KeyRecord& key, std::optional<std::string_view> origin) {
  if (!origin) return false;
  const auto site = parse_origin(*origin);
  return site && std::ranges::find(key.origins, *site) != key.origins.end();
}

}  // namespace

Async<Authenticated> Authenticator::authenticate(std::optional<std::string_view> authorization,
                                                 std::optional<std::string_view> origin) const {
  if (!authorization) co_return Authenticated(Principal{});
  const auto token = token_in(*authorization);
  if (!token) co_return fail(Code::unauthenticated, not_valid, "no Bearer or Api-Key scheme");
  if (token->starts_with(visitor_token_prefix)) {
    auto visitor = visitors_.verify(*token);
    if (!visitor) co_return std::unexpected(std::move(visitor).error());
    co_return Authenticated(*std::move(visitor));
  }
  auto presented = parse_api_key(*token);
  if (!presented) co_return fail(Code::unauthenticated, not_valid, "malformed key");
  auto found = co_await keys_.require(*std::move(presented));
  if (!found) {
    if (found.error().code() == Code::unauthenticated)
      co_return fail(Code::unauthenticated, not_valid, found.error().operator_detail());
    co_return std::unexpected(std::move(found).error());
  }
  const KeyRecord& key = **found;
  if (key.kind == KeyKind::public_key && !comes_from(key, origin))
    co_return fail(Code::unauthenticated, not_valid, "a public key, used from a site it is not for");
  co_return Authenticated(
      Principal{.kind = key.kind == KeyKind::secret ? PrincipalKind::secret_key : PrincipalKind::public_key,
                .id = key.id.uuid(),
                .tenant = key.tenant,
                .project = key.project,
                .scopes = key.scopes});
}

}  // namespace parley::identity
