#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "parley/base/result.h"

namespace parley::text {

struct JsonLimits {
  std::size_t bytes_max = 1024 * 1024;  ///< a parsed value takes some twelve times its text at worst
  std::size_t depth_max = 32;           ///< of arrays and objects within each other
};

/// RFC 8259 to the letter, and stricter where the RFC leaves readers to differ: no repeated names in an object, no
/// invalid UTF-8, no escaped half of a surrogate pair, no number beyond a double's range, no byte order mark.
/// `too_large` or `invalid_argument`; the detail says where and is for the operator.
///
/// "\u0000" inside a string is legal JSON and accepted here; `JsonFields` refuses it.
Result<boost::json::value> parse_json(std::string_view text, JsonLimits limits = {});

}  // namespace parley::text
