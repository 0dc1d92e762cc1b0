#include "parley/log/line.h"

#include <cmath>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "parley/text/utf8.h"

namespace parley::log {
namespace {

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "error";
}

/// Controls a terminal would act on (C0, DEL, C1) and what some readers take for a line end.
bool must_escape(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == '"' || c == '\\' || c == 0x2028 || c == 0x2029 || c == 0x85;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const auto next = text::first_code_point(text);
    text.remove_prefix(next.bytes);
    if (!must_escape(next.value)) {
      text::append_utf8(out, next.value);
    } else if (next.value == '"' || next.value == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(next.value));
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(next.value));
    }
  }
  out.push_back('"');
}

void append_value(std::string& out, const std::variant<std::int64_t, double, bool, std::string>& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    // JSON has no word for infinity or not-a-number.
    if (std::isfinite(*real)) {
      fmt::format_to(std::back_inserter(out), "{}", *real);
    } else {
      out.append("null");
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out.append(*flag ? "true" : "false");
  } else {
    append_json_string(out, std::get<std::string>(value));
  }
}

}  // namespace

std::string make_line(Timestamp at, Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line;
  line.reserve(192);
  auto seconds = static_cast<std::time_t>(at.micros / 1'000'000);
  auto micros = at.micros % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(line),
                 R"({{"at":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z","level":"{}","event":)", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, micros, name_of(level));
  append_json_string(line, event);
  for (const auto& field : fields) {
    line.push_back(',');
    append_json_string(line, field.name());
    line.push_back(':');
    append_value(line, field.value());
  }
  line.append("}\n");
  return line;
}

}  // namespace parley::log
