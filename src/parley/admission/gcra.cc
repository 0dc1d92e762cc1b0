#include "parley/admission/gcra.h"

#include <algorithm>
#include <charconv>

namespace parley::admission {
namespace {

std::int64_t interval(Rate rate) { return std::max<std::int64_t>(1, rate.per.count() / rate.count); }

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  Rate rate;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), rate.count);
  if (status != std::errc() || rate.count == 0 || rate.count > 1'000'000) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "/s") rate.per = std::chrono::seconds(1);
  else if (unit == "/min") rate.per = std::chrono::minutes(1);
  else if (unit == "/h") rate.per = std::chrono::hours(1);
  else return std::nullopt;
  return rate;
}

std::optional<std::chrono::microseconds> Gcra::take(Key key, Rate rate, Timestamp now) {
  const std::int64_t step = interval(rate);
  Shard& s = shard(key);
  const std::scoped_lock lock(s.mutex);
  if (s.full_at.size() >= subjects_per_shard_max && !s.full_at.contains(key)) {
    // At most once a second: sweeping costs the size of the shard.
    if (now.micros - s.swept_at >= 1'000'000) {
      std::erase_if(s.full_at, [&](const auto& entry) { return entry.second <= now.micros; });
      s.swept_at = now.micros;
    }
    if (s.full_at.size() >= subjects_per_shard_max) return std::chrono::seconds(1);
  }
  std::int64_t& full_at = s.full_at[key];
  // A clock that jumped far back would otherwise lock a subject out until the old time came round again.
  full_at = std::min(full_at, now.micros + rate.per.count());
  const std::int64_t next = std::max(full_at, now.micros) + step;
  const std::int64_t wait = next - now.micros - step * static_cast<std::int64_t>(rate.count);
  if (wait > 0) return std::chrono::microseconds(wait);
  full_at = next;
  return std::nullopt;
}

void Gcra::give_back(Key key, Rate rate) {
  Shard& s = shard(key);
  const std::scoped_lock lock(s.mutex);
  const auto it = s.full_at.find(key);
  if (it != s.full_at.end()) it->second -= interval(rate);
}

std::size_t Gcra::size() const {
  std::size_t total = 0;
  for (const Shard& s : shards_) {
    const std::scoped_lock lock(s.mutex);
    total += s.full_at.size();
  }
  return total;
}

}  // namespace parley::admission
