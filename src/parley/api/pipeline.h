#pragma once

#include "parley/api/outlet.h"
#include "parley/api/services.h"
#include "parley/http/server.h"

namespace parley::api {

/// The life of a request, from its head to its log line. Runs on the connection's own executor.
asio::awaitable<void> serve(Services& services, http::Exchange& exchange);

}  // namespace parley::api
