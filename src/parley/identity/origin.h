#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::identity {

/// A web origin in its one spelling, e.g. "https://docs.example.org" or "http://localhost:8000": scheme and host in
/// lower case, a default port left out. `invalid_argument` for anything else: a path, user name, wildcard, "null",
/// another scheme, a host that is not letters, digits, dots and hyphens (or a bracketed IPv6 address), a port outside 1
/// to 65535. Used on both sides, for what an operator configures and for an Origin header, so that equal means same.
Result<std::string> parse_origin(std::string_view text);

/// An origin as above, or one whose left-most label is `*`: "https://*.example.org" is every host that has exactly one
/// label before "example.org", not that host itself. At least two labels must follow, so that no pattern takes in a
/// whole top-level domain.
Result<std::string> parse_origin_pattern(std::string_view text);

/// A list of patterns in their one spelling, without repeats. `invalid_argument` for more than `origins_max`.
inline constexpr std::size_t origins_max = 20;
Result<std::vector<std::string>> parse_origin_patterns(std::span<const std::string> texts);

/// The patterns that take in `origin`, which is in the spelling of `parse_origin`: itself, and the one with `*` for its
/// first label if its host is a name. What to look for in an index of patterns.
std::vector<std::string> patterns_for(std::string_view origin);

/// Whether one of `patterns` takes in `origin`.
bool is_listed(std::span<const std::string> patterns, std::string_view origin);

}  // namespace parley::identity
