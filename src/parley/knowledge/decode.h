#pragma once

#include <string>
#include <string_view>

#include "parley/base/result.h"

namespace parley::knowledge {

/// A file's bytes as valid UTF-8 without a byte order mark, with line ends as '\n'.
///
/// UTF-8 (with or without a mark) is taken as it is, UTF-16 if it carries a mark, and anything else is read as
/// Windows-1252, which every byte string is: it is what is left in old documentation once UTF-8 does not fit, and it
/// agrees with Latin-1 wherever Latin-1 has letters. Other control characters than tab and line end become spaces.
///
/// Fails with `unsupported` for a NUL (outside UTF-16): that is a picture or a program, not text.
Result<std::string> decode_text(std::string_view bytes);

/// Whether `text` is valid UTF-8: shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// What a parser made of decoded text, made fit again: character references can bring control characters back, and
/// gumbo answers a number of many digits with bytes that are no character. The former become spaces, the latter U+FFFD.
void repair_text(std::string& text);

/// Appends a code point; U+FFFD for what is not one.
void append_utf8(std::string& out, char32_t point);

/// The code point at `at`, which moves behind it. `text` must be valid UTF-8 and `at` at the start of a character.
char32_t next_code_point(std::string_view text, std::size_t& at);

/// The longest prefix of at most `bytes_max` bytes that does not end inside a character.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace parley::knowledge
