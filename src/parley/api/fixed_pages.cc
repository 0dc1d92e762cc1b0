#include "parley/api/pages.h"
#include "parley/api/services.h"
#include "parley/api/web_files.h"

namespace parley::api::pages {

// The same bytes for everybody, signed in or not: who somebody is, a page asks for, and there it is decided.

Async<Reply> sign_in(Services& services, Context) { co_return Reply::html(200, services.web.page("sign_in.html")); }

Async<Reply> invitation(Services& services, Context) {
  co_return Reply::html(200, services.web.page("invitation.html"));
}

Async<Reply> reset_password(Services& services, Context) {
  co_return Reply::html(200, services.web.page("reset_password.html"));
}

Async<Reply> confirm_email(Services& services, Context) {
  co_return Reply::html(200, services.web.page("confirm_email.html"));
}

Async<Reply> account(Services& services, Context) { co_return Reply::html(200, services.web.page("account.html")); }

Async<Reply> members(Services& services, Context) { co_return Reply::html(200, services.web.page("members.html")); }

Async<Reply> keys(Services& services, Context) { co_return Reply::html(200, services.web.page("keys.html")); }

}  // namespace parley::api::pages
