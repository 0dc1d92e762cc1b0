#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/terms.h"

namespace parley::knowledge {

/// What a passage's score is made of besides BM25. All parts are fractions of the question's total word weight, so the
/// same numbers fit short and long questions. Chosen once over two public collections (a textbook one of abstracts, one
/// of encyclopaedia paragraphs); `retrieval_eval --ranking` prints what each part is worth.
struct RankingWeights {
  double bm25_k1 = 1.2;
  double bm25_b = 0.7;
  double sentence = 0.7;           ///< the best single sentence's share of the question's words
  double adjacency = 0.5;          ///< pairs of neighbouring question words that stand together in the passage
  double coverage = 0.0;           ///< share of the question's words anywhere in the passage
  double heading = 0.4;            ///< share of the question's words in title and headings
  double root = 0.4;               ///< share of words matched only by their root ("explanation" for "explain")
  double feedback = 1.2;           ///< likeness to the passages ranked best without it
  double document = 0.2;           ///< other good passages of the same document, each next one worth half
  double document_coverage = 0.3;  ///< question words that only other passages of the same document have
};

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

/// What matched where, for one passage.
struct StreamMatch {
  std::uint64_t terms = 0;  ///< bit i: terms[i] occurs
  double sentence = 0;
  double adjacency = 0;
  double coverage = 0;
  double heading = 0;
  double root = 0;
};

/// Compares one stream, read straight from the index as little-endian 32-bit words, with the question. A last odd piece
/// is ignored. `terms`: at most 64, in the order of the question.
StreamMatch match_stream(std::string_view stream, std::span<const RankedTerm> terms);

/// Sum over `terms` of weight times a saturating count in the stream's body: likeness to an expanded question.
double feedback_match(std::string_view stream, std::span<const RankedTerm> terms);

}  // namespace parley::knowledge
