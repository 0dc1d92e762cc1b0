#include "parley/text/utf8.h"

#include <algorithm>
#include <cstring>

namespace parley::text {
namespace {

unsigned byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

bool is_continuation(unsigned byte) { return (byte & 0xC0) == 0x80; }

/// How many bytes at the front are ASCII, eight at a time.
std::size_t ascii_prefix(std::string_view bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    if (word & 0x8080808080808080U) break;
  }
  while (at < bytes.size() && byte_at(bytes, at) < 0x80) ++at;
  return at;
}

}  // namespace

CodePoint first_code_point(std::string_view bytes) {
  const unsigned lead = byte_at(bytes, 0);
  if (lead < 0x80) return {lead, 1, true};
  std::uint8_t size = 0;
  char32_t value = 0;
  char32_t least = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2, value = lead & 0x1F, least = 0x80;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3, value = lead & 0x0F, least = 0x800;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4, value = lead & 0x07, least = 0x10000;
  } else {
    return {};
  }
  if (bytes.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned byte = byte_at(bytes, i);
    if (!is_continuation(byte)) return {};
    value = value << 6 | (byte & 0x3F);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size, true};
}

bool is_valid_utf8(std::string_view bytes) {
  for (;;) {
    bytes.remove_prefix(ascii_prefix(bytes));
    if (bytes.empty()) return true;
    const auto next = first_code_point(bytes);
    if (!next.valid) return false;
    bytes.remove_prefix(next.bytes);
  }
}

std::size_t length_in_code_points(std::string_view text) {
  std::size_t length = 0;
  while (!text.empty()) {
    const auto ascii = ascii_prefix(text);
    length += ascii;
    text.remove_prefix(ascii);
    if (text.empty()) break;
    text.remove_prefix(first_code_point(text).bytes);
    ++length;
  }
  return length;
}

std::string_view truncate_to_bytes(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  auto end = bytes_max;
  // A code point has at most three continuation bytes; more of them are not UTF-8 and have no boundary to keep.
  for (int i = 0; i < 3 && end > 0 && is_continuation(byte_at(text, end)); ++i) --end;
  if (is_continuation(byte_at(text, end))) end = bytes_max;
  return text.substr(0, end);
}

std::string_view truncate_to_code_points(std::string_view text, std::size_t code_points_max) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < code_points_max && at < text.size(); ++i) at += first_code_point(text.substr(at)).bytes;
  return text.substr(0, at);
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto ascii = ascii_prefix(bytes);
    out.append(bytes.substr(0, ascii));
    bytes.remove_prefix(ascii);
    if (bytes.empty()) break;
    const auto next = first_code_point(bytes);
    append_utf8(out, next.value);
    bytes.remove_prefix(next.bytes);
  }
  return out;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) code_point = 0xFFFD;
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

}  // namespace parley::text
