#include "parley/api/session.h"

#include <fmt/format.h>

#include "parley/api/services.h"
#include "parley/http/cookie.h"

namespace parley::api {
namespace {

// Strict: no request that another site began carries it, not even a link. Our pages ask for what they show by
// themselves, so a person who follows a link is still signed in.
constexpr std::string_view attributes = "; Path=/; Secure; HttpOnly; SameSite=Strict";

void put_cookie(Reply& reply, Literal name, std::string_view value, std::chrono::seconds life) {
  reply.headers.push_back(
      {"Set-Cookie", fmt::format("{}={}{}; Max-Age={}", name.view(), value, attributes, life.count())});
}

}  // namespace

identity::SessionUse use_of(const http::RequestHead& head) {
  if (head.method == http::Method::get || head.method == http::Method::head) return identity::ForReading{};
  return identity::ForChange{.csrf = head.header(csrf_header)};
}

Async<identity::OpenSession> require_open_session(Services& services, Context context) {
  const auto cookie = PARLEY_CO_TRY(http::find_cookie(*context.head, session_cookie));
  if (!cookie) co_return fail(Code::unauthenticated, "nobody is signed in");
  auto presented = PARLEY_CO_TRY(identity::parse_session_token(*cookie));
  co_return co_await services.people.sessions.require_open(std::move(presented), use_of(*context.head));
}

Async<identity::FullSession> require_full_session(Services& services, Context context) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  co_return identity::SessionStore::as_full(std::move(session));
}

void put_session(Reply& reply, const Secret& token) {
  put_cookie(reply, session_cookie, token.reveal(),
             std::chrono::duration_cast<std::chrono::seconds>(identity::session_life_max));
}

void put_ticket(Reply& reply, const std::string& ticket) {
  put_cookie(reply, ticket_cookie, ticket, std::chrono::minutes(10));
}

void drop_cookie(Reply& reply, Literal name) { put_cookie(reply, name, "", std::chrono::seconds(0)); }

}  // namespace parley::api
