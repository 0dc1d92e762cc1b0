#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/index.h"

namespace parley::knowledge {

/// Where a piece of an answer stands. `quote` is a run of one block of the cited passage, byte for byte.
struct Citation {
  std::string title;  ///< of the document, with the nearest heading where that says more: "Upgrading: Rolling back"
  std::string url;    ///< with '#' and the anchor where there is one
  std::string path;   ///< of the document
  std::string passage_id;
  std::string quote;  ///< empty for a page that is only suggested
};

struct Answer {
  bool answered = false;
  /// For a person in a chat, in Markdown: the quotes in reading order, code fenced; or that nothing was found, with
  /// the nearest pages.
  std::string text;
  /// Answered: what `text` quotes, the most telling first. Not answered: the nearest pages, possibly none.
  std::vector<Citation> citations;
  double confidence = 0;  ///< 0 to 1, that the passages answer the question at all; `answered` is a cut through it
};

/// Set together with the confidence model on half of a public collection; see evidence.cc and `retrieval_eval abstain`.
inline constexpr double answer_confidence_min = 0.5;

/// Sentences quoted in one answer, over all its citations. A list, table or code block counts as one.
inline constexpr std::size_t answer_sentences_max = 3;

/// Answers from what a search found, in its own words only: chooses the sentences, list or code block that answer best,
/// or says that nothing does. `found` holds the hits for the same question; the first eight are looked at.
///
/// Pure: no I/O, no clock; the same input gives the same answer. Safe from any thread. Any bytes are accepted.
/// `confidence_min`: how sure it must be to answer; 0 always answers if anything was found.
Answer answer(std::string_view question, const SearchResult& found, double confidence_min = answer_confidence_min);

}  // namespace parley::knowledge
