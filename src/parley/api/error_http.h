#pragma once

#include "parley/base/error.h"

namespace parley::api {

/// The HTTP status of an error. The only place where the two meet.
int http_status(Code code);

}  // namespace parley::api
