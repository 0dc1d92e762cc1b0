#include "parley/text/percent.h"

#include <algorithm>

#include "parley/text/hex.h"
#include "parley/text/utf8.h"

namespace parley::text {
namespace {

enum class Plus { is_plus, is_blank };

Result<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(Code::invalid_argument, "malformed percent-encoding");
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus == Plus::is_blank) {
      c = ' ';
    }
    if (c == '\0') return fail(Code::invalid_argument, "zero byte in the URL");
    out.push_back(c);
  }
  if (!is_valid_utf8(out)) return fail(Code::invalid_argument, "the URL is not UTF-8");
  return out;
}

}  // namespace

Result<std::string> decode_path_segment(std::string_view segment) {
  auto out = PARLEY_TRY(decode(segment, Plus::is_plus));
  if (out == "." || out == ".." || out.find_first_of("/\\") != std::string::npos) {
    return fail(Code::invalid_argument, "a path segment holds a separator");
  }
  return out;
}

Result<std::vector<QueryParameter>> parse_query(std::string_view query, QueryLimits limits) {
  std::vector<QueryParameter> parameters;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto piece = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (piece.empty()) continue;
    if (parameters.size() >= limits.parameters_max) return fail(Code::invalid_argument, "too many query parameters");
    const auto equals = piece.find('=');
    auto name = PARLEY_TRY(decode(piece.substr(0, equals), Plus::is_blank));
    auto value =
        equals == std::string_view::npos ? std::string() : PARLEY_TRY(decode(piece.substr(equals + 1), Plus::is_blank));
    if (std::ranges::any_of(parameters, [&](const auto& other) { return other.name == name; })) {
      return fail(Code::invalid_argument, "a query parameter is given twice");
    }
    parameters.push_back({std::move(name), std::move(value)});
  }
  return parameters;
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

}  // namespace parley::text
