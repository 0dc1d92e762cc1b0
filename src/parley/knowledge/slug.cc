#include "parley/knowledge/slug.h"

#include <algorithm>
#include <iterator>

#include "parley/knowledge/decode.h"

namespace parley::knowledge {
namespace {

struct CodePointRange {
  char32_t first, last;
};
struct LoweredRun {
  char32_t first, last, step;
  int delta;
};
#include "parley/knowledge/unicode_words.inc"

bool is_kept(char32_t point) {
  const auto* range = std::ranges::lower_bound(kept_ranges, point, {}, &CodePointRange::last);
  return range != std::end(kept_ranges) && range->first <= point;
}

char32_t lower(char32_t point) {
  const auto* run = std::ranges::lower_bound(lowered_runs, point, {}, &LoweredRun::last);
  if (run == std::end(lowered_runs) || point < run->first || (point - run->first) % run->step != 0) return point;
  return static_cast<char32_t>(static_cast<int>(point) + run->delta);
}

}  // namespace

std::string github_slug(std::string_view heading) {
  std::string slug;
  slug.reserve(heading.size());
  for (std::size_t at = 0; at < heading.size();) {
    const char32_t point = next_code_point(heading, at);
    if (point >= 'A' && point <= 'Z') slug += static_cast<char>(point + 32);
    else if ((point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') || point == '_' || point == '-')
      slug += static_cast<char>(point);
    else if (point == ' ') slug += '-';
    else if (point >= 0x80 && is_kept(point)) append_utf8(slug, lower(point));
  }
  return slug;
}

std::string Anchors::from_heading(std::string_view heading) {
  const std::string slug = github_slug(heading);
  std::string anchor = slug;
  // A number may itself be taken by a heading that ends in it ("Step", "Step 1", "Step").
  for (int& count = seen_[slug]; seen_.contains(anchor) && count > 0;) anchor = slug + "-" + std::to_string(count++);
  if (anchor == slug) seen_[slug] = 1;
  else seen_.emplace(anchor, 1);
  return anchor;
}

std::string Anchors::from_id(std::string_view id) {
  seen_.emplace(std::string(id), 1);
  return std::string(id);
}

}  // namespace parley::knowledge
