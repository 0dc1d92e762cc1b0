#include "parley/knowledge/decode.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace parley::knowledge {
namespace {

// What Windows-1252 has at 0x80 to 0x9F; its five gaps read as the control characters that Latin-1 has there.
constexpr std::array<char16_t, 32> windows_1252 = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                                   0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

enum class ByteOrder { little, big };

Result<std::string> decode_utf16(std::string_view bytes, ByteOrder order) {
  const auto unit_at = [&](std::size_t i) -> char32_t {
    const auto a = static_cast<unsigned char>(bytes[i]);
    const auto b = static_cast<unsigned char>(bytes[i + 1]);
    return order == ByteOrder::little ? static_cast<char32_t>(a | b << 8) : static_cast<char32_t>(a << 8 | b);
  };
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    char32_t point = unit_at(i);
    if (point == 0) return fail(Code::unsupported, "not a text file (it holds NUL characters)");
    if (point >= 0xD800 && point < 0xDC00 && i + 3 < bytes.size()) {
      const char32_t low = unit_at(i + 2);
      if (low >= 0xDC00 && low < 0xE000) {
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        i += 2;
      }
    }
    append_utf8(text, point);
  }
  return text;
}

// Length of the valid character at `p`, or 0.
std::size_t character_length(const unsigned char* p, const unsigned char* end) {
  const unsigned char c = *p;
  const auto follows = [&](std::size_t i) { return p + i < end && (p[i] & 0xC0) == 0x80; };
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF) return follows(1) ? 2 : 0;
  if (c >= 0xE0 && c <= 0xEF) {
    if (!follows(1) || !follows(2)) return 0;
    if (c == 0xE0 && p[1] < 0xA0) return 0;   // longer than needed
    if (c == 0xED && p[1] >= 0xA0) return 0;  // surrogate
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (c == 0xF0 && p[1] < 0x90) return 0;
    if (c == 0xF4 && p[1] >= 0x90) return 0;
    return 4;
  }
  return 0;
}

// CR and CRLF become LF, other control characters a space: they have no meaning in prose, and a terminal that shows a
// passage would obey them.
void normalise_controls(std::string& text) {
  std::size_t to = 0;
  for (std::size_t from = 0; from < text.size(); ++from) {
    const auto c = static_cast<unsigned char>(text[from]);
    if (c >= 0x20 && c != 0x7F) [[likely]]
      text[to++] = text[from];
    else if (c == '\n' || c == '\t') text[to++] = text[from];
    else if (c == '\r') {
      if (from + 1 < text.size() && text[from + 1] == '\n') continue;
      text[to++] = '\n';
    } else text[to++] = ' ';
  }
  text.resize(to);
}

bool is_unwanted_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

}  // namespace

void repair_text(std::string& text) {
  for (char& c : text)
    if (is_unwanted_control(c)) c = ' ';
  if (is_utf8(text)) return;
  std::string repaired;
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = p + text.size();
  while (p < end) {
    const std::size_t length = character_length(p, end);
    if (length == 0) append_utf8(repaired, 0xFFFD);
    else repaired.append(reinterpret_cast<const char*>(p), length);
    p += std::max<std::size_t>(length, 1);
  }
  text = std::move(repaired);
}

void append_utf8(std::string& out, char32_t point) {
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) point = 0xFFFD;
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t c = byte(at);
  if (c < 0x80) return ++at, c;
  const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
  if (at + length > text.size()) return at = text.size(), 0xFFFD;
  char32_t point = length == 4 ? c & 0x07 : length == 3 ? c & 0x0F : c & 0x1F;
  for (std::size_t i = 1; i < length; ++i) point = point << 6 | (byte(at + i) & 0x3F);
  at += length;
  return point;
}

bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    // Eight ASCII bytes at a time: nearly all of nearly every document.
    std::uint64_t word = 0;
    while (end - p >= 8 && (std::memcpy(&word, p, 8), (word & 0x8080808080808080ull) == 0)) p += 8;
    if (p == end) break;
    const std::size_t length = character_length(p, end);
    if (length == 0) return false;
    p += length;
  }
  return true;
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

Result<std::string> decode_text(std::string_view bytes) {
  std::string text;
  if (bytes.starts_with("\xFF\xFE")) text = PARLEY_TRY(decode_utf16(bytes.substr(2), ByteOrder::little));
  else if (bytes.starts_with("\xFE\xFF")) text = PARLEY_TRY(decode_utf16(bytes.substr(2), ByteOrder::big));
  else {
    if (bytes.find('\0') != std::string_view::npos)
      return fail(Code::unsupported, "not a text file (it holds NUL bytes)");
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    if (is_utf8(bytes)) {
      text = bytes;
    } else {
      text.reserve(bytes.size() + bytes.size() / 8);
      for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        append_utf8(text, byte >= 0x80 && byte < 0xA0 ? windows_1252[byte - 0x80] : char32_t{byte});
      }
    }
  }
  normalise_controls(text);
  return text;
}

}  // namespace parley::knowledge
