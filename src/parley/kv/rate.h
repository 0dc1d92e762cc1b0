#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parley::kv {

/// So many in so long, e.g. 15 a minute. Bursts up to the whole count are allowed, then one each `per / count`.
struct Rate {
  std::uint32_t count = 1;  ///< at least 1
  std::chrono::microseconds per{std::chrono::minutes(1)};

  /// Between two units once the burst is used up; at least a microsecond.
  constexpr std::int64_t step_micros() const {
    const std::int64_t step = per.count() / count;
    return step < 1 ? 1 : step;
  }
  /// How far ahead of now a subject may have used its allowance.
  constexpr std::int64_t burst_micros() const { return step_micros() * static_cast<std::int64_t>(count); }

  constexpr bool operator==(const Rate&) const = default;
};

/// More than any node answers; and an interval stays a whole number of microseconds.
inline constexpr std::uint32_t rate_count_max = 1'000'000;

/// Reads "15/min", "20/s", "3000/h". None for nought, a missing unit, or more than `rate_count_max`.
std::optional<Rate> parse_rate(std::string_view text);
/// "15/min", as `parse_rate` reads it; for documentation and lists.
std::string to_string(Rate rate);

}  // namespace parley::kv
