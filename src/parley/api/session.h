#pragma once

#include "parley/api/route.h"
#include "parley/identity/session_store.h"

// How a person's session travels: its token in a cookie that no script reads, the answer to it in a header that only
// our pages can send.

namespace parley::api {

/// `__Host-`: a browser takes it over HTTPS only (or on this machine), for this host alone, and no neighbour's page can
/// set one in its place.
inline constexpr Literal session_cookie = "__Host-parley_session";
/// What a sign-in of several requests remembers between them.
inline constexpr Literal ticket_cookie = "__Host-parley_ticket";
inline constexpr std::string_view csrf_header = "X-CSRF-Token";

/// The session a request presents, of whatever assurance. `unauthenticated` without one; with a method that changes
/// something, `permission_denied` without the session's CSRF token.
Async<identity::OpenSession> require_open_session(Services& services, Context context);
/// The same for what may be done with a session or without: none if the request presents none, or one that does not
/// hold any more, which a browser goes on sending.
Async<std::optional<identity::OpenSession>> find_open_session(Services& services, Context context);
/// The same, once nothing is owed in it.
Async<identity::FullSession> require_full_session(Services& services, Context context);

/// What the request is for, as sessions judge it.
identity::SessionUse use_of(const http::RequestHead& head);

/// Puts a session's token into the reply, the one place it is ever told.
void put_session(Reply& reply, const Secret& token);

/// Who has to bring a ticket back.
enum class TicketFor : std::uint8_t {
  own_page,      ///< a script of ours
  sign_in_back,  ///< another site, which sends the person back to us: `Strict` cookies stay behind then
};
void put_ticket(Reply& reply, const std::string& ticket, TicketFor whom);
/// `unauthenticated` without one.
Result<std::string> require_ticket(const Context& context);
/// Makes the browser forget the cookie.
void drop_cookie(Reply& reply, Literal name);

}  // namespace parley::api
