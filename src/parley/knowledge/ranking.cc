#include "parley/knowledge/ranking.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace parley::knowledge {
namespace {

constexpr std::size_t terms_max = 64;  // one bit each

std::uint32_t word_at(std::string_view stream, std::size_t index) {
  std::uint32_t value;
  std::memcpy(&value, stream.data() + index * sizeof value, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
  return value;
}

// A few hundred bytes of open addressing: a candidate has about a hundred words and most are none of ours.
template <std::size_t Slots>
class HashSlots {
 public:
  explicit HashSlots(std::span<const RankedTerm> terms) {
    keys_.fill(sentence_mark);
    for (std::size_t i = 0; i < terms.size() && i < Slots / 2; ++i) {
      std::size_t at = slot(terms[i].hash);
      while (keys_[at] != sentence_mark && keys_[at] != terms[i].hash) at = (at + 1) % Slots;
      if (keys_[at] == terms[i].hash) continue;  // the first of equals counts
      keys_[at] = terms[i].hash;
      index_[at] = static_cast<std::uint8_t>(i);
    }
  }
  int find(std::uint32_t hash) const {
    for (std::size_t at = slot(hash); keys_[at] != sentence_mark; at = (at + 1) % Slots) {
      if (keys_[at] == hash) return index_[at];
    }
    return -1;
  }

 private:
  static std::size_t slot(std::uint32_t hash) { return (hash ^ hash >> 13 ^ hash >> 22) % Slots; }
  std::array<std::uint32_t, Slots> keys_;
  std::array<std::uint8_t, Slots> index_;
};

double sum_weights(std::uint64_t set, std::span<const RankedTerm> terms) {
  double sum = 0;
  for (; set != 0; set &= set - 1) sum += terms[static_cast<std::size_t>(std::countr_zero(set))].weight;
  return sum;
}

}  // namespace

StreamMatch match_stream(std::string_view stream, std::span<const RankedTerm> terms) {
  StreamMatch match;
  terms = terms.first(std::min(terms.size(), terms_max));
  if (terms.empty()) return match;
  const HashSlots<256> slots(terms);
  double total = 0;
  for (const auto& term : terms) total += term.weight;
  if (total <= 0) return match;

  std::uint64_t seen = 0;
  std::uint64_t seen_in_heading = 0;
  std::uint64_t sentence = 0;
  std::uint64_t previous_sentence = 0;
  std::uint64_t root_seen = 0;
  std::uint64_t adjacent = 0;  // bit i: terms i and i+1 stood together
  double best_sentence = 0;
  constexpr std::size_t near = 3;  // words: "transfer of two-phase funds" still joins "two-phase transfer"
  std::array<std::size_t, terms_max> last{};
  const auto end_sentence = [&] {
    if (sentence != 0) {
      const double alone = sum_weights(sentence, terms);
      // Half of what only the heading or the sentence before had: "It is …" speaks of what was named there.
      const double with_previous = alone + 0.5 * sum_weights((previous_sentence | seen_in_heading) & ~sentence, terms);
      best_sentence = std::max(best_sentence, with_previous);
    }
    previous_sentence = sentence;
    sentence = 0;
  };
  const std::size_t count = stream.size() / sizeof(std::uint32_t);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t hash = word_at(stream, i);
    if (hash == body_mark) {
      seen_in_heading = seen;
      best_sentence = 0.5 * sum_weights(seen, terms);
      sentence = 0;
      previous_sentence = 0;
      continue;
    }
    if (hash == sentence_mark) {
      end_sentence();
      continue;
    }
    const int found = slots.find(hash);
    if (found < 0) {
      for (std::size_t t = 0; t < terms.size(); ++t) {
        if (same_root(hash, terms[t].hash)) root_seen |= std::uint64_t{1} << t;
      }
      continue;
    }
    const auto t = static_cast<std::size_t>(found);
    seen |= std::uint64_t{1} << t;
    sentence |= std::uint64_t{1} << t;
    last[t] = i + 1;
    if (t > 0 && last[t - 1] != 0 && i + 1 - last[t - 1] <= near) adjacent |= std::uint64_t{1} << (t - 1);
    if (t + 1 < terms.size() && last[t + 1] != 0 && i + 1 - last[t + 1] <= near) adjacent |= std::uint64_t{1} << t;
  }
  end_sentence();

  match.terms = seen;
  match.sentence = best_sentence / total;
  match.coverage = sum_weights(seen, terms) / total;
  match.heading = sum_weights(seen_in_heading, terms) / total;
  match.root = sum_weights(root_seen & ~seen, terms) / total;
  for (std::size_t t = 0; t + 1 < terms.size(); ++t) {
    if (adjacent >> t & 1) match.adjacency += std::min(terms[t].weight, terms[t + 1].weight);
  }
  match.adjacency /= total;
  return match;
}

double feedback_match(std::string_view stream, std::span<const RankedTerm> terms) {
  const HashSlots<256> slots(terms);
  std::array<std::uint16_t, 128> counts{};
  const std::size_t count = stream.size() / sizeof(std::uint32_t);
  std::size_t words = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t hash = word_at(stream, i);
    if (hash == sentence_mark || hash == body_mark) continue;
    ++words;
    if (const int found = slots.find(hash); found >= 0) ++counts[static_cast<std::size_t>(found)];
  }
  // As in BM25: more of the same says less, and a long passage has everything once.
  const double saturation = 0.6 + 0.6 * static_cast<double>(words) / 80.0;
  double sum = 0;
  for (std::size_t t = 0; t < terms.size() && t < counts.size(); ++t) {
    if (counts[t] != 0) sum += terms[t].weight * counts[t] / (counts[t] + saturation);
  }
  return sum;
}

}  // namespace parley::knowledge
