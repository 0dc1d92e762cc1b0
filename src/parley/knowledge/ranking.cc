#include "parley/knowledge/ranking.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstring>
#include <initializer_list>
#include <utility>

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
  template <class Term>
  explicit HashSlots(std::span<const Term> terms) {
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

Signals weights_of(std::initializer_list<std::pair<Signal, double>> set) {
  Signals weights{};
  for (const auto& [which, value] : set) at(weights, which) = static_cast<float>(value);
  return weights;
}

}  // namespace

RankingWeights::RankingWeights()
    : stream(weights_of({{Signal::bm25, 1},
                         {Signal::sentence, 0.7},
                         {Signal::adjacency, 0.5},
                         {Signal::heading, 0.4},
                         {Signal::heading_match, 0.4},
                         {Signal::heading_root, 0.3},
                         {Signal::root, 0.4},
                         {Signal::related, 0.6},
                         {Signal::heading_related, 0.3}})),
      page(stream),
      text() {
  at(page, Signal::page) = 0.2f;
  at(page, Signal::page_coverage) = 0.3f;
  at(page, Signal::feedback) = 1.2f;
  text = page;
  for (const auto& [which, value] : {std::pair{Signal::coverage, 0.2},
                                     {Signal::length, -0.5},
                                     {Signal::phrase, 0.2},
                                     {Signal::title, 0.2},
                                     {Signal::title_match, 0.6},
                                     {Signal::heading_match, 0.9},
                                     {Signal::text_fits, 0.3},
                                     {Signal::text_fit_share, 0.2},
                                     {Signal::text_run, 0.7},
                                     {Signal::text_exact, 0.4},
                                     {Signal::text_density, 1.2},
                                     {Signal::text_names, 0.4},
                                     {Signal::text_steps, 0.15},
                                     {Signal::text_definition, 0.3},
                                     {Signal::path, 0.3},
                                     {Signal::side_page, -0.25}})
    at(text, which) = static_cast<float>(value);
}

std::string_view name_of(Signal signal) {
  static constexpr std::array<std::string_view, signal_count> names = {
      "bm25",          "sentence",        "sentence_bare",   "sentence_soft",  "sentence_pair",
      "adjacency",     "phrase",          "coverage",        "rare_coverage",  "heading",
      "title",         "heading_match",   "title_match",     "root",           "heading_root",
      "related",       "heading_related", "length",          "above_first",    "page",
      "page_coverage", "page_best",       "page_passages",   "feedback",       "text_sentence",
      "text_context",  "text_adjacency",  "text_fits",       "text_fit_share", "text_run",
      "text_exact",    "text_density",    "text_names",      "text_lists",     "text_tables",
      "text_code",     "text_steps",      "text_definition", "path",           "side_page"};
  return names[static_cast<std::size_t>(signal)];
}

double score_of(const Signals& signals, const Signals& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < signal_count; ++i) sum += double{signals[i]} * weights[i];
  return sum;
}

struct StreamMatcher::Tables {
  std::span<const RankedTerm> terms;
  std::span<const RelatedTerm> related;
  HashSlots<256> slots;
  HashSlots<256> related_slots;
  // Most words of a passage are none of the question's nor of one root with one. Words of a root share the upper half
  // of their hashes, so a look at some bits of it passes over them.
  std::bitset<4'096> roots;
  double total = 0;
  double squares = 0;

  static std::size_t root_of(std::uint32_t hash) { return hash >> 16 & 4'095; }
};

StreamMatcher::StreamMatcher(std::span<const RankedTerm> terms, std::span<const RelatedTerm> related) {
  terms = terms.first(std::min(terms.size(), terms_max));
  auto tables =
      std::make_unique<Tables>(Tables{terms, related, HashSlots<256>(terms), HashSlots<256>(related), {}, 0, 0});
  for (const auto& term : terms) {
    tables->total += term.weight;
    tables->squares += term.weight * term.weight;
    tables->roots.set(Tables::root_of(term.hash));
  }
  for (const auto& one : related) tables->roots.set(Tables::root_of(one.hash));
  tables_ = std::move(tables);
}
StreamMatcher::~StreamMatcher() = default;

std::uint64_t StreamMatcher::match(std::string_view stream, Signals& signals) const {
  const auto& [terms, related, slots, related_slots, roots, total, squares] = *tables_;
  if (terms.empty() || total <= 0) return 0;

  struct Sentence {
    std::uint64_t exact = 0;
    std::uint64_t soft = 0;  // by root or meaning
  };
  std::uint64_t seen = 0;
  std::uint64_t root = 0;
  std::uint64_t meaning = 0;
  Sentence now, before, head;
  std::uint64_t title = 0;
  std::uint64_t head_root = 0;
  std::uint64_t head_meaning = 0;
  std::uint64_t near_pairs = 0;     // bit i: terms i and i+1 stood together
  std::uint64_t ordered_pairs = 0;  // the same side by side in order
  double best = 0, best_bare = 0, best_soft = 0, best_pair = 0;
  double title_match = 0, heading_match = 0;
  bool in_head = true;
  std::size_t head_lines = 0;
  std::size_t line_words = 0;
  std::size_t line_matched = 0;
  std::size_t words = 0;
  constexpr std::size_t near = 3;  // words: "transfer of two-phase funds" still joins "two-phase transfer"
  std::array<std::size_t, terms_max> last{};
  const auto end_line = [&] {
    if (in_head) {
      if (line_words > 0) {
        heading_match =
            sum_weights(now.exact, terms) * static_cast<double>(line_matched) / static_cast<double>(line_words);
        if (head_lines++ == 0) {
          title = now.exact;
          title_match = heading_match;
        }
      }
      head.exact |= now.exact;
      head.soft |= now.soft;
    } else if (now.exact != 0 || now.soft != 0) {
      const double alone = sum_weights(now.exact, terms);
      best_bare = std::max(best_bare, alone);
      best_soft = std::max(best_soft, alone + 0.5 * sum_weights(now.soft & ~now.exact, terms));
      best_pair = std::max(best_pair, sum_weights(now.exact | before.exact, terms));
      // Half of what only the heading or the sentence before had: "It is …" speaks of what was named there.
      best = std::max(best, alone + 0.5 * sum_weights((before.exact | head.exact) & ~now.exact, terms));
    }
    before = now;
    now = {};
    line_words = line_matched = 0;
  };
  const std::size_t count = stream.size() / sizeof(std::uint32_t);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t hash = word_at(stream, i);
    if (hash == body_mark) {
      end_line();
      in_head = false;
      before = {};
      best = 0.5 * sum_weights(seen, terms);
      head_root = root;
      head_meaning = meaning;
      continue;
    }
    if (hash == sentence_mark) {
      end_line();
      continue;
    }
    ++words;
    if (!roots.test(Tables::root_of(hash))) {
      if (in_head && !is_stop_hash(hash)) ++line_words;
      continue;
    }
    const int found = slots.find(hash);
    // Titles keep their function words, which say nothing about whether the question is what the title names.
    if (found >= 0 || (in_head && !is_stop_hash(hash))) ++line_words;
    if (found < 0) {
      for (std::size_t t = 0; t < terms.size(); ++t) {
        if (same_root(hash, terms[t].hash)) {
          root |= std::uint64_t{1} << t;
          now.soft |= std::uint64_t{1} << t;
        }
      }
      if (const int like = related_slots.find(hash); like >= 0) {
        const auto bit = std::uint64_t{1} << related[static_cast<std::size_t>(like)].term;
        meaning |= bit;
        now.soft |= bit;
      }
      continue;
    }
    const auto t = static_cast<std::size_t>(found);
    ++line_matched;
    seen |= std::uint64_t{1} << t;
    now.exact |= std::uint64_t{1} << t;
    last[t] = i + 1;
    if (t > 0 && last[t - 1] != 0 && i + 1 - last[t - 1] <= near) {
      near_pairs |= std::uint64_t{1} << (t - 1);
      if (i - last[t - 1] == 0) ordered_pairs |= std::uint64_t{1} << (t - 1);
    }
    if (t + 1 < terms.size() && last[t + 1] != 0 && i + 1 - last[t + 1] <= near) near_pairs |= std::uint64_t{1} << t;
  }
  end_line();

  const auto set = [&](Signal which, double value) { at(signals, which) = static_cast<float>(value); };
  const auto share = [&](std::uint64_t bits) { return sum_weights(bits, terms) / total; };
  set(Signal::sentence, best / total);
  set(Signal::sentence_bare, best_bare / total);
  set(Signal::sentence_soft, best_soft / total);
  set(Signal::sentence_pair, best_pair / total);
  double pairs = 0, phrases = 0, rare = 0;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    if (seen >> t & 1) rare += terms[t].weight * terms[t].weight;
    if (t + 1 == terms.size()) break;
    const double weight = std::min(terms[t].weight, terms[t + 1].weight);
    if (near_pairs >> t & 1) pairs += weight;
    if (ordered_pairs >> t & 1) phrases += weight;
  }
  set(Signal::adjacency, pairs / total);
  set(Signal::phrase, phrases / total);
  set(Signal::coverage, share(seen));
  set(Signal::rare_coverage, rare / squares);
  set(Signal::heading, share(head.exact));
  set(Signal::title, share(title));
  set(Signal::heading_match, heading_match / total);
  set(Signal::title_match, title_match / total);
  set(Signal::root, share(root & ~seen));
  set(Signal::heading_root, share(head_root & ~head.exact));
  set(Signal::related, share(meaning & ~seen & ~root));
  set(Signal::heading_related, share(head_meaning & ~head.exact & ~head_root));
  set(Signal::length, static_cast<double>(words) / (static_cast<double>(words) + 60));
  set(Signal::above_first, head_lines <= 1 ? 1 : 0);
  return seen;
}

struct FeedbackMatcher::Tables {
  std::span<const RankedTerm> terms;
  HashSlots<256> slots;
};

FeedbackMatcher::FeedbackMatcher(std::span<const RankedTerm> terms)
    : tables_(std::make_unique<const Tables>(Tables{terms, HashSlots<256>(terms)})) {}
FeedbackMatcher::~FeedbackMatcher() = default;

double FeedbackMatcher::match(std::string_view stream) const {
  const auto& [terms, slots] = *tables_;
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
