#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace parley::text {

/// One step through bytes that may or may not be UTF-8.
struct CodePoint {
  char32_t value = 0xFFFD;  ///< the replacement character where the bytes are no code point
  std::uint8_t bytes = 1;   ///< how far to go on; 1 where they are none
  bool valid = false;
};

/// The code point at the front of `bytes`, which must not be empty. Strict: no surrogates, no overlong forms, nothing
/// above U+10FFFF. Two spellings of one character are how a filter and its reader come to see different texts.
CodePoint first_code_point(std::string_view bytes);

bool is_valid_utf8(std::string_view bytes);

/// Code points in valid UTF-8; where it is not valid each stray byte counts as one.
std::size_t length_in_code_points(std::string_view text);

/// The longest prefix of at most `bytes_max` bytes that does not cut a code point of valid UTF-8 in two.
std::string_view truncate_to_bytes(std::string_view text, std::size_t bytes_max);

/// The prefix of at most `code_points_max` code points.
std::string_view truncate_to_code_points(std::string_view text, std::size_t code_points_max);

/// `bytes` with every byte that is no part of a code point replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view bytes);

/// Appends `code_point` as UTF-8; U+FFFD for what is none.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace parley::text
