#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/http/message.h"

namespace parley::http {

/// Far above a token of ours.
inline constexpr std::size_t cookie_value_bytes_max = 512;

/// The value of our cookie of that name, or none if it was not sent; lives as long as the head.
///
/// Other people's cookies (a proxy's, another program's on the same host) are passed over whatever they hold. Ours is
/// read in one spelling only: no blanks around '=', no quotes, 1 to `cookie_value_bytes_max` letters, digits, '_', '-',
/// '.' and '~'. `unauthenticated` for another spelling, for a second one of that name, which somebody else may have set
/// to be taken for the first, and for a second Cookie header, which no browser sends.
Result<std::optional<std::string_view>> find_cookie(const RequestHead& head, Literal name);

}  // namespace parley::http
