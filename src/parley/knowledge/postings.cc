#include "parley/knowledge/postings.h"

#include <algorithm>
#include <cmath>

namespace parley::knowledge {
namespace {

// A window of passages is worked on at a time, so that its sums and lengths stay in the processor's first cache.
constexpr std::uint32_t window = PassageLengths::page_passages;
// What every passage counts as at least, of the average length: a title alone is not the best of all passages.
constexpr double length_share_min = 0.5;

bool better(const RankedPassageNumber& a, const RankedPassageNumber& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.passage < b.passage;
}

}  // namespace

void Postings::put(std::uint64_t number) {
  for (; number >= 128; number >>= 7) packed_.push_back(static_cast<std::uint8_t>(number | 128));
  packed_.push_back(static_cast<std::uint8_t>(number));
}

void Postings::add(std::uint32_t passage, std::uint32_t count) {
  put(std::uint64_t{passage - last_} << 1 | (count == 1 ? 0 : 1));
  if (count != 1) put(count);
  last_ = passage;
  ++size_;
}

void PassageLengths::add(std::uint32_t passage, std::uint32_t length) {
  const std::size_t number = passage / page_passages;
  if (number >= pages_.size()) pages_.resize(number + 1);
  if (auto& page = pages_[number]; number != own_) {
    page = page ? std::make_shared<Page>(*page) : std::make_shared<Page>();
    own_ = number;
  }
  (*pages_[number])[passage % page_passages] = length;
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

BestPassages best_passages(std::span<const WeightedPostings> words, const PassageLengths& lengths, const Bm25& bm25,
                           const PassageFilter& filter, std::size_t count, CountAll count_all) {
  BestPassages result;
  struct Word {
    Postings::Cursor cursor;
    double weight;
  };
  std::vector<Word> cursors;
  for (const auto& word : words) cursors.push_back({Postings::Cursor(*word.postings), word.weight});
  const auto cursors_of = [](const std::vector<const Postings*>& lists) {
    std::vector<Postings::Cursor> made;
    for (const auto* list : lists) made.emplace_back(*list);
    return made;
  };
  auto only = cursors_of(filter.only);
  auto withheld = cursors_of(filter.withheld);
  auto unless = cursors_of(filter.unless);
  const bool filters = filter.restricted || !withheld.empty();

  std::array<double, window> sums{};
  std::array<bool, window> takes_part{};
  const double length_factor = bm25.average_length > 0 ? 1 / bm25.average_length : 0;
  double enough = 0;  // what the last of the best has, once there are enough
  auto& best = result.best;
  best.reserve(count + 1);
  for (;;) {
    std::uint32_t next = Postings::no_passage;
    for (const auto& word : cursors) next = std::min(next, word.cursor.passage());
    if (next == Postings::no_passage) break;
    const std::uint32_t base = next - next % window;
    const auto* page = lengths.page(base / window);
    const std::uint32_t end = base > Postings::no_passage - window ? Postings::no_passage : base + window;
    for (auto& word : cursors) {
      auto cursor = word.cursor;
      for (; cursor.passage() < end; cursor.next()) {
        const std::uint32_t at = cursor.passage() - base;
        const double length = std::max((page == nullptr ? 0 : (*page)[at]) * length_factor, length_share_min);
        const double of = cursor.count();
        sums[at] += word.weight * (of / (bm25.k1 * (length * bm25.b + (1 - bm25.b)) + of));
      }
      word.cursor = cursor;
    }
    if (filters) {
      takes_part.fill(!filter.restricted);
      const auto mark = [&](std::vector<Postings::Cursor>& lists, bool value) {
        for (auto& cursor : lists) {
          while (cursor.passage() < base) cursor.next();
          for (; cursor.passage() < end; cursor.next()) takes_part[cursor.passage() - base] = value;
        }
      };
      mark(only, true);
      // What is let in again by `unless` must have been in before.
      std::array<bool, window> before{};
      if (!unless.empty()) before = takes_part;
      mark(withheld, false);
      for (auto& cursor : unless) {
        while (cursor.passage() < base) cursor.next();
        for (; cursor.passage() < end; cursor.next())
          takes_part[cursor.passage() - base] = before[cursor.passage() - base];
      }
      for (std::uint32_t at = 0; at < window; ++at)
        if (!takes_part[at]) sums[at] = 0;
    }
    for (std::uint32_t at = 0; at < window; ++at) {
      if (sums[at] <= enough) continue;
      best.push_back({base + at, sums[at]});
      std::ranges::push_heap(best, better);
      if (best.size() <= count) continue;
      std::ranges::pop_heap(best, better);
      best.pop_back();
      enough = best.empty() ? std::numeric_limits<double>::infinity() : best.front().weight;
    }
    if (count_all == CountAll::yes)
      result.total += static_cast<std::uint64_t>(std::ranges::count_if(sums, [](double sum) { return sum > 0; }));
    sums.fill(0);
  }
  std::ranges::sort(best, better);
  return result;
}

}  // namespace parley::knowledge
