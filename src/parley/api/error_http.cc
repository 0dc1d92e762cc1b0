#include "parley/api/error_http.h"

#include <utility>

namespace parley::api {

int http_status(Code code) {
  switch (code) {
    case Code::invalid_argument: return 400;
    case Code::unauthenticated: return 401;
    case Code::permission_denied: return 403;
    case Code::not_found: return 404;
    case Code::conflict: return 409;
    case Code::too_large: return 413;
    case Code::unsupported: return 415;
    case Code::rate_limited: return 429;
    case Code::budget_exceeded: return 402;
    case Code::timeout: return 408;
    case Code::unavailable: return 503;
    case Code::storage_full: return 507;
    case Code::data_corrupt: return 500;
    case Code::cancelled: return 499;  // never sent: the client has gone; only the log shows it
    case Code::internal: return 500;
  }
  std::unreachable();
}

}  // namespace parley::api
