#include "parley/identity/token_keys.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace parley::identity {

namespace {

// How often somebody who waits for another's request looks whether it has come back.
constexpr std::chrono::milliseconds look_every{10};

/// The time since; none if that is in the future, as after a clock was set back: it would never be over.
std::optional<std::chrono::microseconds> since(std::optional<Timestamp> at, Timestamp now) {
  if (!at || *at > now) return std::nullopt;
  return now - *at;
}

/// Whoever sent the token is told neither where the keys are nor what is wrong there.
std::unexpected<Error> cannot_be_read(std::string why) {
  return std::unexpected(Error(Code::unavailable, "the keys of the token's issuer cannot be read", std::move(why))
                             .retry_after(std::chrono::ceil<std::chrono::seconds>(TokenKeys::retry_after)));
}

}  // namespace

/// Ends with the request it stands for, also when that was cancelled: others wait for it.
class TokenKeys::Asking {
 public:
  Asking(TokenKeys& of, const std::string& jwks_url) : of_(of), jwks_url_(jwks_url) {}
  ~Asking() {
    const std::scoped_lock lock(of_.mutex_);
    if (const auto found = of_.sets_.find(jwks_url_); found != of_.sets_.end()) found->second.asking = false;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  TokenKeys& of_;
  const std::string& jwks_url_;
};

auto TokenKeys::decide(const std::string& jwks_url, const crypto::PresentedJws& token) -> Decided {
  const auto now = clock_.now();
  const std::scoped_lock lock(mutex_);
  if (sets_.size() >= sets_max && !sets_.contains(jwks_url)) sets_.clear();
  Entry& entry = sets_[jwks_url];
  const auto age = since(entry.read_at, now);
  const bool holds = entry.keys && age && *age < age_max;
  const Keys keys = holds ? entry.keys : nullptr;
  const bool has_key = holds && keys->find(token.kid(), token.algorithm()) != nullptr;
  if (has_key && *age < refresh_after) return {Step::use, keys};
  if (entry.asking) return {has_key ? Step::use : Step::wait, keys};
  const auto asked = since(entry.asked_at, now);
  if (asked && *asked < (holds && !has_key ? unknown_key_refresh_after : retry_after))
    return {holds ? Step::use : Step::give_up, keys};
  entry.asking = true;
  entry.asked_at = now;
  return {Step::ask, keys};
}

Async<crypto::VerifiedJws> TokenKeys::verify(std::string jwks_url, crypto::PresentedJws token) {
  for (;;) {
    const auto [step, keys] = decide(jwks_url, token);
    switch (step) {
      case Step::use: co_return crypto::verify_jws(token, *keys);
      case Step::give_up: co_return cannot_be_read(jwks_url + ": asked a moment ago");
      case Step::wait: {
        asio::steady_timer timer(co_await asio::this_coro::executor, look_every);
        co_await timer.async_wait(asio::use_awaitable);
        break;
      }
      case Step::ask: {
        const Asking asking(*this, jwks_url);
        auto reading = read(jwks_url);
        auto read_anew = co_await std::move(reading);
        if (read_anew) {
          const std::scoped_lock lock(mutex_);
          Entry& entry = sets_[jwks_url];
          entry.keys = *read_anew;
          entry.read_at = clock_.now();
        }
        if (read_anew) co_return crypto::verify_jws(token, **read_anew);
        if (keys) co_return crypto::verify_jws(token, *keys);
        co_return cannot_be_read(jwks_url + ": " + describe_for_operator(read_anew.error()));
      }
    }
  }
}

auto TokenKeys::read(std::string jwks_url) -> Async<Keys> {
  net::FetchRequest request{.url = PARLEY_CO_TRY(net::parse_http_url(jwks_url))};
  request.headers.push_back({"Accept", Secret("application/json, application/jwk-set+json")});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  if (answer.status != 200) co_return fail(Code::unavailable, "another status than 200");
  co_return std::make_shared<const crypto::JwsKeys>(
      PARLEY_CO_TRY(crypto::parse_jwks(answer.body.reveal(), crypto::KeySource::published)));
}

}  // namespace parley::identity
