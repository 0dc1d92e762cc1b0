#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parley {

/// A moment: microseconds since 1970-01-01T00:00:00Z, the form in which every table stores time.
struct Timestamp {
  std::int64_t micros = 0;

  constexpr auto operator<=>(const Timestamp&) const = default;
  constexpr Timestamp operator+(std::chrono::microseconds d) const { return {micros + d.count()}; }
  constexpr Timestamp operator-(std::chrono::microseconds d) const { return {micros - d.count()}; }
  constexpr std::chrono::microseconds operator-(Timestamp other) const {
    return std::chrono::microseconds(micros - other.micros);
  }
};

/// RFC 3339 in UTC with seconds, e.g. "2026-11-22T05:54:00Z".
std::string to_rfc3339(Timestamp at);

/// A length of time as people write it in options and configuration: "90d", "12h", "15m", "30s", "250ms".
/// Whole numbers only; none for an empty text, an unknown unit, zero, or more than ten years.
std::optional<std::chrono::microseconds> parse_duration(std::string_view text);

/// Where time comes from. `base` only states the need; `net::SystemClock` and the tests' clock answer it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

}  // namespace parley
