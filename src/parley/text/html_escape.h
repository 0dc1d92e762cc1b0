#pragma once

#include <string>
#include <string_view>

namespace parley::text {

/// Safe as the text of an element and inside a quoted attribute (either quote). Not for scripts, styles, unquoted
/// attributes or URLs' schemes. What is not UTF-8, and NUL, becomes U+FFFD: a browser might otherwise join a stray byte
/// with the markup that follows.
std::string html_escape(std::string_view text);

}  // namespace parley::text
