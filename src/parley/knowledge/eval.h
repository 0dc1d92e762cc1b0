#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/knowledge/answer.h"

namespace parley::knowledge {

/// One line of an evaluation file: `{"id","question","relevant":[…],"answers":[…]}`.
struct EvalQuestion {
  std::string id;
  std::string question;
  std::vector<std::string> relevant;  ///< document paths or urls; any of them answers
  std::vector<std::string> answers;   ///< texts of which one must stand in a quote; empty: should abstain
  bool has_relevant = false;          ///< the list was there: absent lists are not scored, empty ones are
  bool has_answers = false;
};

inline constexpr std::size_t eval_questions_max = 100'000;  ///< a mistaken file, not an evaluation, has more
inline constexpr std::size_t eval_line_bytes_max = 1'000'000;

/// Reads JSON lines; empty lines are skipped. A line that is no object or has no text `question`: invalid_argument,
/// with the line number in the operator's detail. A missing id is the line number.
Result<std::vector<EvalQuestion>> parse_eval_lines(std::string_view lines);

/// What one question gave.
struct EvalOutcome {
  std::vector<std::string> ranked;  ///< document paths, best first, each once
  std::vector<std::string> urls;    ///< of the same documents
  Answer answer;
};

/// Means over the questions they apply to; a count of 0 leaves its figures at 0.
struct EvalReport {
  std::size_t questions = 0;
  std::size_t ranked = 0;  ///< questions with a non-empty `relevant`
  double hit_at_1 = 0;
  double hit_at_5 = 0;
  double hit_at_10 = 0;
  double mrr = 0;
  double ndcg_at_10 = 0;
  std::size_t answerable = 0;          ///< questions with a non-empty `answers`
  double answer_containment = 0;       ///< of those, a quote has one of the answers
  double answered_share = 0;           ///< of those, not abstained
  double first_citation_relevant = 0;  ///< of the ranked questions, the first citation is of a relevant document
  std::size_t unanswerable = 0;        ///< questions with an empty `answers`
  double abstention_precision = 0;     ///< of the abstentions, rightly so
  double abstention_recall = 0;        ///< of the unanswerable, abstained
};

/// Collects outcomes one by one, so that a long evaluation can be shown as it goes.
class Evaluation {
 public:
  void add(const EvalQuestion& question, const EvalOutcome& outcome);
  EvalReport report() const;

 private:
  EvalReport sums_;
  std::size_t abstained_ = 0;
  std::size_t abstained_rightly_ = 0;
};

/// Searches and answers every question. Stops at the first error of the index.
Result<EvalReport> evaluate(const Index& index, std::span<const EvalQuestion> questions);

/// One question against one index, as `evaluate` does it.
Result<EvalOutcome> ask_for_evaluation(const Index& index, std::string_view question);

/// The same from what a search found.
EvalOutcome outcome_of(std::string_view question, const SearchResult& found);

/// True if a quote holds the text, ignoring case, runs of white space, and the marks `*`, `_` and back-quote.
bool contains_answer(const Answer& answer, std::string_view text);

/// Gain over ranks 1 to 10 of a ranking with binary relevance, as a share of the best possible.
double ndcg_at_10(std::span<const bool> relevant_by_rank, std::size_t relevant_total);

}  // namespace parley::knowledge
