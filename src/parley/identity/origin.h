#pragma once

#include <string>
#include <string_view>

#include "parley/base/result.h"

namespace parley::identity {

/// A web origin in its one spelling, e.g. "https://docs.example.org" or "http://localhost:8000": scheme and host in
/// lower case, a default port left out. `invalid_argument` for anything else: a path, user name, wildcard, "null",
/// another scheme, a host that is not letters, digits, dots and hyphens (or a bracketed IPv6 address), a port outside 1
/// to 65535. Used on both sides, for what an operator configures and for an Origin header, so that equal means same.
Result<std::string> parse_origin(std::string_view text);

}  // namespace parley::identity
