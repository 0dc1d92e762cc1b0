#include "parley/knowledge/postings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace parley::knowledge {
namespace {

// A window of passages is worked on at a time, so that its sums and lengths stay in the processor's first cache.
constexpr std::uint32_t window = PassageLengths::page_passages;
// What every passage counts as at least, of the average length: a title alone is not the best of all passages.
constexpr double length_share_min = 0.5;
// A bound must hold for sums that were rounded in another order.
constexpr double rounding = 1 + 1e-9;
// Looking up one passage in a long list costs about as much as reading so many postings of it.
constexpr std::size_t seek_costs = 40;

bool better(const RankedPassageNumber& a, const RankedPassageNumber& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.passage < b.passage;
}

}  // namespace

void Postings::put(std::uint64_t number) {
  for (; number >= 128; number >>= 7) packed_.push_back(static_cast<std::uint8_t>(number | 128));
  packed_.push_back(static_cast<std::uint8_t>(number));
}

void Postings::add(std::uint32_t passage, std::uint32_t count, std::uint32_t length) {
  if (size_ != 0 && size_ % start_distance == 0) starts_.push_back({last_, static_cast<std::uint32_t>(packed_.size())});
  put(std::uint64_t{passage - last_} << 1 | (count == 1 ? 0 : 1));
  if (count != 1) put(count);
  last_ = passage;
  ++size_;
  auto& shortest = shortest_[std::min<std::size_t>(count, bounds) - 1];
  shortest = std::min(shortest, length);
  count_max_ = std::max(count_max_, count);
}

void Postings::finish() {
  packed_.shrink_to_fit();
  starts_.shrink_to_fit();
}

void Postings::Cursor::seek(std::uint32_t passage) {
  if (passage_ >= passage) return;
  const auto& starts = postings_->starts_;
  const auto after = std::ranges::lower_bound(starts, passage, {}, &Start::passage);
  // The last start before the passage, unless reading has got further already.
  if (after != starts.begin()) {
    const auto* at = postings_->packed_.data() + std::prev(after)->at;
    if (at > at_) {
      at_ = at;
      passage_ = std::prev(after)->passage;
      next();
    }
  }
  while (passage_ < passage) next();
}

void PassageLengths::add(std::uint32_t passage, std::uint32_t length) {
  const std::size_t number = passage / page_passages;
  if (number >= pages_.size()) pages_.resize(number + 1);
  auto& page = pages_[number];
  // A copy has the same pages.
  if (!page) page = std::make_shared<Page>();
  else if (page.use_count() > 1) page = std::make_shared<Page>(*page);
  (*page)[passage % page_passages] = length;
  last_ = passage;
  ++count_;
}

std::size_t PassageLengths::bytes() const {
  std::size_t sum = sizeof *this + pages_.capacity() * sizeof pages_[0];
  for (const auto& page : pages_) sum += page ? sizeof(Page) : 0;
  return sum;
}

double bm25_word_weight(const Bm25& bm25, double passages, double with_word, double share) {
  double odds = (passages - with_word + 0.5) / (with_word + 0.5);
  // Else a word of half the passages would count against those that have it.
  if (odds < 2) odds = odds * 0.5 + 1;
  return std::log(odds) * share * (bm25.k1 + 1);
}

namespace {

/// A word's occurrences in one passage, weighted.
class Weighting {
 public:
  explicit Weighting(const Bm25& bm25)
      : bm25_(bm25), length_factor_(bm25.average_length > 0 ? 1 / bm25.average_length : 0) {}
  double share(std::uint32_t count, std::uint32_t length) const {
    const double of_average = std::max(length * length_factor_, length_share_min);
    const double of = count;
    return of / (bm25_.k1 * (of_average * bm25_.b + (1 - bm25_.b)) + of);
  }
  /// What `share` never exceeds.
  double share_max(const Postings& postings) const {
    double most = 0;
    for (std::size_t i = 0; i < Postings::bounds; ++i) {
      if (postings.shortest()[i] == std::numeric_limits<std::uint32_t>::max()) continue;
      const bool is_last = i + 1 == Postings::bounds;
      most = std::max(
          most, share(is_last ? postings.count_max() : static_cast<std::uint32_t>(i + 1), postings.shortest()[i]));
    }
    return most;
  }

 private:
  Bm25 bm25_;
  double length_factor_;
};

/// Which passages of a window take part.
class WindowFilter {
 public:
  explicit WindowFilter(const PassageFilter& filter)
      : restricted_(filter.restricted),
        only_(cursors_of(filter.only)),
        withheld_(cursors_of(filter.withheld)),
        unless_(cursors_of(filter.unless)) {}
  bool lets_all_in() const { return !restricted_ && withheld_.empty(); }

  void look_at(std::uint32_t base, std::uint32_t end) {
    admitted_.fill(!restricted_);
    mark(only_, base, end, [](bool&, std::uint32_t) { return true; });
    const auto before = admitted_;
    mark(withheld_, base, end, [](bool&, std::uint32_t) { return false; });
    mark(unless_, base, end, [&before](bool&, std::uint32_t at) { return before[at]; });
  }
  bool lets_in(std::uint32_t at) const { return admitted_[at]; }

 private:
  static std::vector<Postings::Cursor> cursors_of(const std::vector<const Postings*>& lists) {
    std::vector<Postings::Cursor> made;
    for (const auto* list : lists) made.emplace_back(*list);
    return made;
  }
  template <class Value>
  void mark(std::vector<Postings::Cursor>& lists, std::uint32_t base, std::uint32_t end, Value value) {
    for (auto& cursor : lists) {
      for (cursor.seek(base); cursor.passage() < end; cursor.next()) {
        const std::uint32_t at = cursor.passage() - base;
        admitted_[at] = value(admitted_[at], at);
      }
    }
  }
  bool restricted_;
  std::vector<Postings::Cursor> only_, withheld_, unless_;
  std::array<bool, window> admitted_{};
};

}  // namespace

BestPassages best_passages(std::span<const WeightedPostings> words, const PassageLengths& lengths, const Bm25& bm25,
                           const PassageFilter& filter, std::size_t count, CountAll count_all) {
  BestPassages result;
  const Weighting weighting(bm25);
  struct Word {
    Postings::Cursor cursor;
    double weight;
    double most;            // that a passage can get for it
    double most_rest;       // for it and all behind it
    std::size_t in_window;  // postings, about
  };
  std::vector<Word> ordered;
  for (const auto& word : words)
    ordered.push_back({Postings::Cursor(*word.postings), word.weight, word.weight * weighting.share_max(*word.postings),
                       0, word.postings->size() * window / (std::size_t{lengths.last()} + 1)});
  // The words that tell most first. Sums are made in this order for every passage, so that equals come out equal.
  std::ranges::sort(ordered, std::greater(), [](const Word& word) { return std::pair(word.most, word.weight); });
  double rest = 0;
  for (auto word = ordered.rbegin(); word != ordered.rend(); ++word) word->most_rest = rest += word->most;
  WindowFilter admits(filter);
  const bool filters = !admits.lets_all_in();

  std::array<double, window> sums{};
  std::array<std::uint16_t, window + 1> touched;  // whose sum is not 0; the last place is never read
  double enough = 0;                              // what the last of the best has, once there are enough
  std::size_t leading = ordered.size();           // words that can bring a passage among the best
  auto& best = result.best;
  best.reserve(count + 1);
  for (;;) {
    std::uint32_t next = Postings::no_passage;
    for (std::size_t w = 0; w < leading; ++w) next = std::min(next, ordered[w].cursor.passage());
    if (next == Postings::no_passage) break;
    const std::uint32_t base = next - next % window;
    const std::uint32_t end = base > Postings::no_passage - window ? Postings::no_passage : base + window;
    const auto* page = lengths.page(base / window);
    const auto length_of = [page](std::uint32_t at) { return page == nullptr ? 0 : (*page)[at]; };
    std::size_t found = 0;
    for (std::size_t w = 0; w < leading; ++w) {
      auto cursor = ordered[w].cursor;
      const double weight = ordered[w].weight;
      for (; cursor.passage() < end; cursor.next()) {
        const std::uint32_t at = cursor.passage() - base;
        touched[found] = static_cast<std::uint16_t>(at);
        found += sums[at] == 0 ? 1 : 0;
        sums[at] += weight * weighting.share(cursor.count(), length_of(at));
      }
      ordered[w].cursor = cursor;
    }
    // The words that cannot decide are only looked up for passages that still have a chance.
    bool in_order = false;
    for (std::size_t w = leading; w < ordered.size() && found > 0; ++w) {
      std::size_t left = 0;
      for (std::size_t i = 0; i < found; ++i) {
        const auto at = touched[i];
        if ((sums[at] + ordered[w].most_rest) * rounding > enough) touched[left++] = at;
        else sums[at] = 0;
      }
      found = left;
      auto& cursor = ordered[w].cursor;
      const double weight = ordered[w].weight;
      if (found * seek_costs < ordered[w].in_window) {
        if (!in_order) std::sort(touched.begin(), touched.begin() + static_cast<std::ptrdiff_t>(found));
        in_order = true;
        for (std::size_t i = 0; i < found; ++i) {
          const std::uint32_t at = touched[i];
          cursor.seek(base + at);
          if (cursor.passage() == base + at) sums[at] += weight * weighting.share(cursor.count(), length_of(at));
        }
        continue;
      }
      for (cursor.seek(base); cursor.passage() < end; cursor.next()) {
        const std::uint32_t at = cursor.passage() - base;
        if (sums[at] != 0) sums[at] += weight * weighting.share(cursor.count(), length_of(at));
      }
    }
    if (filters && found > 0) admits.look_at(base, end);
    const auto take = [&](std::uint32_t at) {
      if (filters && !admits.lets_in(at)) return;
      if (count_all == CountAll::yes) ++result.total;
      if (sums[at] < enough || (best.size() == count && sums[at] == enough && base + at > best.front().passage)) return;
      if (count == 0) return;
      best.push_back({base + at, sums[at]});
      std::ranges::push_heap(best, better);
      if (best.size() <= count) return;
      std::ranges::pop_heap(best, better);
      best.pop_back();
      enough = best.front().weight;
    };
    for (std::size_t i = 0; i < found; ++i) take(touched[i]);
    for (std::size_t i = 0; i < found; ++i) sums[touched[i]] = 0;
    while (count_all == CountAll::no && leading > 0 && ordered[leading - 1].most_rest * rounding <= enough) --leading;
  }
  std::ranges::sort(best, better);
  return result;
}

}  // namespace parley::knowledge
