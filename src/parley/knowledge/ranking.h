#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/terms.h"

namespace parley::knowledge {

/// What ranking sees of a passage. Unless said otherwise a share (0 to 1) of the question's total word weight, so that
/// the same numbers fit short and long questions.
enum class Signal : std::uint8_t {
  // From the word stream of the passage alone.
  bm25,           ///< Xapian's weight over the question's
  sentence,       ///< the best sentence, with half of what only the heading or the sentence before has
  sentence_bare,  ///< the best sentence alone
  sentence_soft,  ///< the best sentence, words of a common root or of like meaning counting half
  sentence_pair,  ///< the best two sentences that stand together
  adjacency,      ///< pairs of neighbouring question words that stand near each other
  phrase,         ///< the same side by side and in order
  coverage,       ///< anywhere in the passage
  rare_coverage,  ///< the same with weights squared: the rarest words decide
  heading,        ///< in title and headings
  title,          ///< in the page's title
  heading_match,  ///< nearest heading: its share of the question times the question's share of it
  title_match,    ///< the same for the title
  root,           ///< words matched by their root alone ("explanation" for "explain")
  heading_root,   ///< the same in title and headings
  related,        ///< words matched by one of like meaning alone
  heading_related,
  length,       ///< of the passage, saturating: a property of it, not a share
  above_first,  ///< 1: stands under no heading but the page's own
  // From what else was found.
  page,           ///< other good passages of the same page, each next one worth half
  page_coverage,  ///< question words that only other passages of the page have
  page_best,      ///< how much better the page's best passage is
  page_passages,  ///< how many of the page's passages were found, of ten
  feedback,       ///< likeness to the passages ranked best without it
  // From the text of the first few.
  text_sentence,    ///< the best sentence, compounds counted once
  text_context,     ///< the same with what its surroundings add
  text_adjacency,   ///< of the best sentence
  text_fits,        ///< 1: the best sentence has what the question asks for (a year, a name, a list of steps …)
  text_fit_share,   ///< the best sentence that has it
  text_run,         ///< longest run of the question's words, function words included, as a share of its words
  text_exact,       ///< question words that stand there in the same form
  text_density,     ///< weight matched in the best sentence times the share of its words that are the question's
  text_names,       ///< share of the question's names and numbers
  text_lists,       ///< share of the text that is list
  text_tables,      ///< share of the text that is table
  text_code,        ///< share of the text that is code
  text_steps,       ///< 1: the question asks how to do something and here are code or numbered steps
  text_definition,  ///< 1: the question asks what something is and a sentence begins "It is a …"
  path,             ///< question words in the page's path
  side_page,        ///< 1: change logs, internals and the like, which readers rarely want
  count
};
inline constexpr std::size_t signal_count = static_cast<std::size_t>(Signal::count);
using Signals = std::array<float, signal_count>;
inline float& at(Signals& signals, Signal which) { return signals[static_cast<std::size_t>(which)]; }
inline float at(const Signals& signals, Signal which) { return signals[static_cast<std::size_t>(which)]; }
std::string_view name_of(Signal signal);

/// The first signal that needs what else was found, and the first that needs the text.
inline constexpr auto first_page_signal = static_cast<std::size_t>(Signal::page);
inline constexpr auto first_text_signal = static_cast<std::size_t>(Signal::text_sentence);

/// Weights of one linear score for each stage: `stream` orders all candidates, `page` orders them with the pages seen,
/// `text` orders the first few of those. Set by hand, looking at the collections that `retrieval_eval` measures: their
/// figures are what the weights were chosen on, so judge them on other documentation.
struct RankingWeights {
  double bm25_k1 = 1.2;
  double bm25_b = 0.7;
  Signals stream;
  Signals page;
  Signals text;
  RankingWeights();  ///< what everybody gets
};

double score_of(const Signals& signals, const Signals& weights);

/// The words of a passage in order, as fixed-size hashes: what ranking needs to see of a candidate. Stop words and
/// parts of compounds that are indexed anyway are left in; `sentence_mark` separates sentences, `body_mark` ends the
/// title and headings.
using TokenStream = std::vector<std::uint32_t>;
inline constexpr std::uint32_t sentence_mark = 0;
inline constexpr std::uint32_t body_mark = 1;

/// A word looked for in streams.
struct RankedTerm {
  std::uint32_t hash = 0;
  double weight = 0;  ///< inverse document frequency
};

/// A word of like meaning to a question word.
struct RelatedTerm {
  std::uint32_t hash = 0;
  std::uint8_t term = 0;  ///< which word of the question
};

/// What a question looks for in streams, made ready once for many of them.
class StreamMatcher {
 public:
  /// `terms`: at most 64 count, in the order of the question; `related`: at most 128. Both must outlive this.
  StreamMatcher(std::span<const RankedTerm> terms, std::span<const RelatedTerm> related);
  ~StreamMatcher();
  StreamMatcher(const StreamMatcher&) = delete;
  StreamMatcher& operator=(const StreamMatcher&) = delete;

  /// Compares one stream, read straight from the index as little-endian 32-bit words, with the question, and sets the
  /// signals that need nothing else (`bm25` is left alone). Returns the set of terms that occur: bit i for terms[i]. A
  /// last odd piece is ignored.
  std::uint64_t match(std::string_view stream, Signals& signals) const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

/// Likeness to an expanded question: for each stream the sum over `terms` of weight times a saturating count in it.
class FeedbackMatcher {
 public:
  explicit FeedbackMatcher(std::span<const RankedTerm> terms);  ///< which must outlive this
  ~FeedbackMatcher();
  FeedbackMatcher(const FeedbackMatcher&) = delete;
  FeedbackMatcher& operator=(const FeedbackMatcher&) = delete;

  double match(std::string_view stream) const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace parley::knowledge
