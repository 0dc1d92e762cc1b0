#include "parley/api/session.h"

#include <fmt/format.h>

#include "parley/api/services.h"
#include "parley/http/cookie.h"
#include "parley/identity/oidc_sign_in.h"

namespace parley::api {
namespace {

// Strict: no request that another site began carries it, not even a link. Our pages ask for what they show by
// themselves, so a person who follows a link is still signed in.
constexpr std::string_view strict = "Strict";
// Comes along when another site leads a person to us by a link, which is all that it is needed for.
constexpr std::string_view lax = "Lax";

void put_cookie(Reply& reply, Literal name, std::string_view value, std::chrono::seconds life,
                std::string_view same_site = strict) {
  reply.headers.push_back({"Set-Cookie", fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite={}; Max-Age={}",
                                                     name.view(), value, same_site, life.count())});
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

Async<std::optional<identity::OpenSession>> find_open_session(Services& services, Context context) {
  const auto cookie = PARLEY_CO_TRY(http::find_cookie(*context.head, session_cookie));
  if (!cookie) co_return std::nullopt;
  auto presented = identity::parse_session_token(*cookie);
  if (!presented) co_return std::nullopt;
  // Whether it holds comes first: with one that does not, our page has no CSRF token to send.
  const auto held = co_await services.people.sessions.require_open(*std::move(presented), identity::ForReading{});
  if (!held && held.error().code() == Code::unauthenticated) co_return std::nullopt;
  if (!held) co_return std::unexpected(held.error());
  co_return PARLEY_CO_TRY(co_await require_open_session(services, context));
}

Async<identity::FullSession> require_full_session(Services& services, Context context) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  co_return identity::SessionStore::as_full(std::move(session));
}

void put_session(Reply& reply, const Secret& token) {
  put_cookie(reply, session_cookie, token.reveal(),
             std::chrono::duration_cast<std::chrono::seconds>(identity::session_life_max));
}

void put_ticket(Reply& reply, const std::string& ticket, TicketFor whom) {
  put_cookie(reply, ticket_cookie, ticket,
             std::chrono::duration_cast<std::chrono::seconds>(identity::provider_attempt_life),
             whom == TicketFor::own_page ? strict : lax);
}

Result<std::string> require_ticket(const Context& context) {
  const auto cookie = PARLEY_TRY(http::find_cookie(*context.head, ticket_cookie));
  if (!cookie) return fail(Code::unauthenticated, "the sign-in was not begun here, or is over; begin again");
  return std::string(*cookie);
}

void drop_cookie(Reply& reply, Literal name) { put_cookie(reply, name, "", std::chrono::seconds(0)); }

}  // namespace parley::api
