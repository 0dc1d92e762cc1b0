#pragma once

#include "parley/api/route.h"

namespace parley::api::pages {

// What answers at addresses that need no credential; routes.cc says for each why it needs none. `context` has what
// stood for a parameter in the path, `body` is empty unless the route takes one.

Async<Reply> liveness(Services& services, Context context, std::string body);
Async<Reply> readiness(Services& services, Context context, std::string body);
Async<Reply> description(Services& services, Context context, std::string body);
Async<Reply> home(Services& services, Context context, std::string body);
Async<Reply> demo(Services& services, Context context, std::string body);
Async<Reply> asset(Services& services, Context context, std::string body);
Async<Reply> set_up_form(Services& services, Context context, std::string body);
Async<Reply> set_up(Services& services, Context context, std::string body);

}  // namespace parley::api::pages
