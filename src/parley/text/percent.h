#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::text {

/// One segment of a path (between two slashes), decoded. `invalid_argument` for a '%' without two hexadecimal digits,
/// an encoded NUL, what is not UTF-8 afterwards, and for a segment that would not stay one: "." and "..", or a slash or
/// backslash in it, encoded or not.
Result<std::string> decode_path_segment(std::string_view segment);

struct QueryParameter {
  std::string name;
  std::string value;
};

struct QueryLimits {
  std::size_t parameters_max = 64;  ///< no route of ours takes more than a handful
};

/// "a=1&b=x%20y" in order, '+' read as a blank as forms write it, a name without '=' given an empty value, empty pieces
/// skipped. `invalid_argument` as above, and for a repeated name: which of the two counts would be a matter of opinion.
Result<std::vector<QueryParameter>> parse_query(std::string_view query, QueryLimits limits = {});

/// Everything but letters, digits, '-', '.', '_' and '~' as %XX: safe as a path segment and as a query value.
std::string percent_encode(std::string_view text);

}  // namespace parley::text
