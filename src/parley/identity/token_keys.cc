#include "parley/identity/token_keys.h"

namespace parley::identity {

Async<crypto::VerifiedJws> TokenKeys::verify(std::string jwks_url, crypto::PresentedJws token) {
  std::optional<Entry> known;
  const auto now = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = sets_.find(jwks_url); found != sets_.end()) known = found->second;
  }
  // Also when the clock went back: an entry of the future would never age.
  const auto age = known ? now - known->read_at : age_max;
  const bool fresh = known && age < age_max && age >= std::chrono::microseconds(0);
  if (fresh) {
    const bool has_key = known->keys->find(token.kid(), token.algorithm()) != nullptr;
    if (has_key || age < refresh_after) co_return crypto::verify_jws(token, *known->keys);
  }
  const auto keys = PARLEY_CO_TRY(co_await read(std::move(jwks_url)));
  co_return crypto::verify_jws(token, *keys);
}

Async<std::shared_ptr<const crypto::JwsKeys>> TokenKeys::read(std::string jwks_url) {
  net::FetchRequest request{.url = PARLEY_CO_TRY(net::parse_http_url(jwks_url))};
  request.headers.push_back({"Accept", Secret("application/json, application/jwk-set+json")});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  if (answer.status != 200)
    co_return fail(Code::unavailable, "the keys of the token's issuer cannot be read", jwks_url);
  auto parsed = crypto::parse_jwks(answer.body.reveal(), crypto::KeySource::published);
  if (!parsed)
    co_return fail(Code::unavailable, "the keys of the token's issuer cannot be read",
                   jwks_url + ": " + describe_for_operator(parsed.error()));
  auto keys = std::make_shared<const crypto::JwsKeys>(*std::move(parsed));
  const std::lock_guard lock(mutex_);
  if (sets_.size() >= sets_max) sets_.clear();
  sets_[std::move(jwks_url)] = {keys, clock_.now()};
  co_return keys;
}

}  // namespace parley::identity
