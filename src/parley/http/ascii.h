#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Which bytes may stand where in HTTP/1.1. One table, looked at once per byte: the parser and the reply writer must
/// never disagree on what a header may hold.
namespace parley::http::ascii {

enum Class : std::uint8_t {
  token = 1,        ///< RFC 9110 tchar: methods and header names
  field_value = 2,  ///< tab, space, visible ASCII and bytes from 0x80: never CR, LF, NUL or another control
  path = 4,         ///< what a browser may leave unencoded in a path
  query = 8,        ///< the same in a query
  host = 16,        ///< uri-host, brackets and the port's colon
  hex_digit = 32,
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&](std::string_view bytes, std::uint8_t bits) {
    for (const char c : bytes) classes[static_cast<unsigned char>(c)] |= bits;
  };
  constexpr std::string_view alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  add(alphanumeric, token | path | query | host);
  add("!#$%&'*+-.^_`|~", token);
  // RFC 3986 allows less; browsers following the WHATWG URL standard send the rest of these as they are. Out in any
  // case: '#' (a fragment is never sent) and what ends a quotation in HTML or a log.
  add("-._~!$&'()*+,;=:@/%[]|^", path | query);
  add("?{}\\`", query);
  add("-._~!$&'()*+,;=:[]%", host);
  add("0123456789abcdefABCDEF", hex_digit);
  for (unsigned c = 0x20; c < 0x100; ++c) {
    if (c != 0x7f) classes[c] |= field_value;
  }
  classes['\t'] |= field_value;
  return classes;
}
inline constexpr auto classes = make_classes();

constexpr bool is(char c, std::uint8_t bits) { return (classes[static_cast<unsigned char>(c)] & bits) != 0; }
constexpr bool all(std::string_view text, std::uint8_t bits) {
  // Without an early exit the loop has no branch to mispredict, and nearly every text passes.
  std::uint8_t common = bits;
  for (const char c : text) common &= classes[static_cast<unsigned char>(c)];
  return common != 0;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace parley::http::ascii
