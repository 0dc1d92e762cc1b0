#pragma once

#include <string>
#include <string_view>

namespace parley::identity {

/// Longer than any browser sends; the rest is not looked at.
inline constexpr std::size_t user_agent_bytes_max = 512;

/// A User-Agent header as a person would say it: "Firefox on Linux", "a program" or "an unknown browser". Made of words
/// from a fixed table only, so nothing of the header gets into a table, a page or a log. It helps somebody to recognise
/// their own sessions; it proves nothing, since a client sends what it likes.
std::string client_label(std::string_view user_agent);

}  // namespace parley::identity
