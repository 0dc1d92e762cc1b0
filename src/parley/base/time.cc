#include "parley/base/time.h"

#include <charconv>

#include <fmt/format.h>

namespace parley {

std::string to_rfc3339(Timestamp at) {
  using namespace std::chrono;
  const sys_time<microseconds> moment{microseconds(at.micros)};
  const auto day = floor<days>(moment);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<seconds>(moment - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  using namespace std::chrono;
  std::int64_t count = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (status != std::errc() || count <= 0) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  constexpr microseconds longest = days(3660);
  microseconds one{};
  if (unit == "ms") one = milliseconds(1);
  else if (unit == "s") one = seconds(1);
  else if (unit == "m") one = minutes(1);
  else if (unit == "h") one = hours(1);
  else if (unit == "d") one = days(1);
  else return std::nullopt;
  if (count > longest / one) return std::nullopt;
  return one * count;
}

}  // namespace parley
