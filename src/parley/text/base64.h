#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parley::text {

/// RFC 4648 section 5 ("-" and "_"), without padding: what stands in tokens and URLs.
std::string to_base64url(std::span<const std::uint8_t> bytes);
/// RFC 4648 section 4 ("+" and "/"), padded: what stands in headers and mail.
std::string to_base64(std::span<const std::uint8_t> bytes);

/// Only what the functions above write: no blanks, no line ends, no other alphabet, padding exactly as there, and the
/// unused bits of the last character zero. So no two texts name the same bytes, and a token cannot be respelled to
/// slip past a list of revoked ones.
std::optional<std::vector<std::uint8_t>> parse_base64url(std::string_view text);
std::optional<std::vector<std::uint8_t>> parse_base64(std::string_view text);

}  // namespace parley::text
