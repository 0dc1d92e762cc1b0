#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parley::text {

/// Lower-case, two digits a byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

/// An even number of digits in either case and nothing else.
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);

/// The value of one hexadecimal digit, -1 for anything else.
constexpr int hex_digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace parley::text
