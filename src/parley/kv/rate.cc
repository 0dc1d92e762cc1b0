#include "parley/kv/rate.h"

#include <charconv>

#include <fmt/format.h>

namespace parley::kv {

std::optional<Rate> parse_rate(std::string_view text) {
  Rate rate;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), rate.count);
  if (status != std::errc() || rate.count == 0 || rate.count > rate_count_max) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "/s") rate.per = std::chrono::seconds(1);
  else if (unit == "/min") rate.per = std::chrono::minutes(1);
  else if (unit == "/h") rate.per = std::chrono::hours(1);
  else return std::nullopt;
  return rate;
}

std::string to_string(Rate rate) {
  if (rate.per == std::chrono::seconds(1)) return fmt::format("{}/s", rate.count);
  if (rate.per == std::chrono::minutes(1)) return fmt::format("{}/min", rate.count);
  return fmt::format("{}/h", rate.count);
}

}  // namespace parley::kv
