#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/index.h"
#include "parley/knowledge/terms.h"

namespace parley::knowledge {

/// What kind of thing a question asks for, as far as its first words tell. Anything but English is `other`.
enum class Asks : std::uint8_t { other, person, place, time, number, reason, steps, definition };
Asks what_is_asked(std::string_view question);

/// One thing the question names: a word, or a compound with its parts.
struct Concept {
  double weight = 0;    ///< inverse document frequency; the highest there is for what the index has never seen
  bool name = false;    ///< written like a name or number in the question: more telling, and hard to paraphrase
  bool unseen = false;  ///< no passage of the index has it
  std::vector<std::uint8_t> terms;  ///< into SearchResult::terms: the word first, then parts
};
std::vector<Concept> concepts_of(std::string_view question, const SearchResult& found);

/// A word of a passage, as matching sees it.
struct SeenWord {
  std::uint32_t hash = 0;
  std::uint32_t begin : 11 = 0;   ///< in the text of its piece; what stands further back counts as being here
  std::uint32_t length : 11 = 0;  ///< as written
  std::uint32_t part : 1 = 0;
  std::uint32_t stop : 1 = 0;
  std::uint32_t name : 1 = 0;    ///< a capitalized word, not the first
  std::uint32_t number : 1 = 0;  ///< a number, in digits or letters
  std::uint32_t time : 1 = 0;    ///< a year or month
};

/// A hit taken apart into pieces and words: what needs no question, and so is done once for many.
struct AnalyzedHit {
  struct Piece {
    std::uint32_t words = 0;  ///< its first in `words`
    std::uint32_t words_end = 0;
  };
  struct Quotable : Piece {
    std::uint32_t block = 0;
    std::uint32_t begin = 0;  ///< bytes of the block
    std::uint32_t length = 0;
  };
  std::vector<SeenWord> words;
  Piece title;
  Piece path;
  std::vector<Piece> headings;
  std::vector<Quotable> units;  ///< in order

  std::size_t bytes() const {
    return sizeof *this + words.capacity() * sizeof(SeenWord) + headings.capacity() * sizeof(Piece) +
           units.capacity() * sizeof(Quotable);
  }
};
AnalyzedHit analyze_hit(const Hit& hit, Analyzer& analyzer);

/// A piece that can be quoted: a sentence of prose, or a list, table or code block.
struct Unit {
  std::size_t hit = 0;
  std::size_t block = 0;
  std::size_t order = 0;  ///< position among its hit's units
  BlockKind kind = BlockKind::prose;
  std::string_view text;    ///< a view into the hit's block
  std::uint64_t exact = 0;  ///< question terms it has
  std::uint64_t root = 0;   ///< question terms of which it has only the root
  std::uint16_t words = 0;
  std::uint16_t new_words = 0;  ///< content words that the question does not have
  bool fits = false;            ///< has what the question asks for (a year, a number, a name …)
  std::uint64_t same_form = 0;  ///< question terms that stand there as the question writes them
  std::uint16_t run = 0;        ///< longest run of words it shares with the question, function words included
  double adjacency = 0;         ///< share of neighbouring question words that stand together in it
  double score = 0;
};

/// A question with its candidates, taken apart once for choosing and for judging.
struct Evidence {
  Asks asks = Asks::other;
  std::vector<Concept> concepts;
  double weight = 0;                     ///< sum over concepts
  std::size_t question_words = 0;        ///< function words included
  std::vector<Unit> units;               ///< of the first hits, in order
  std::vector<std::uint64_t> hit_exact;  ///< per hit: terms in body or headings
  std::vector<std::uint64_t> hit_root;
  std::vector<double> heading_fit;           ///< per hit: share of the nearest heading that the question has
  std::vector<std::uint64_t> heading_exact;  ///< per hit: terms in title and headings
};

/// Share (0 to 1) of the question's weight that the terms cover; a root counts for `root_share`.
double covered(const Evidence& evidence, std::uint64_t exact, std::uint64_t root);

/// `found` must outlive the result, which points into it. Looks at the first `hits_max` hits.
Evidence gather_evidence(std::string_view question, const SearchResult& found, std::size_t hits_max = 8);

/// Sets the signals that need a passage's text, for each hit of `found`: `signals` has one entry per hit.
void set_text_signals(std::string_view question, const SearchResult& found, std::span<Signals> signals);

/// What the decision to answer rests on, each about 0 to 1.
inline constexpr std::array<std::string_view, 14> feature_names = {
    "constant",        "sentence_coverage", "passage_coverage", "names_covered",
    "unseen_weight",   "rarest_covered",    "adjacency",        "score",
    "score_gap",       "answer_fits",       "question_words",   "top3_coverage",
    "sentence_weight", "passage_weight"};
using Features = std::array<double, feature_names.size()>;
Features features_of(const Evidence& evidence, const SearchResult& found);

/// The probability that the passages answer the question, by the logistic model in evidence.cc.
double confidence_of(const Features& features);

}  // namespace parley::knowledge
