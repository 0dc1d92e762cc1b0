#include "parley/knowledge/eval.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json.hpp>

namespace parley::knowledge {
namespace {

/// Lower case, white space runs as one space, without Markdown's marks: how a source file is written is no reason to
/// miss.
std::string normalized(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      if (!out.empty() && out.back() != ' ') out += ' ';
      continue;
    }
    // Marks of emphasis and code: a passage is kept without them, and who writes down an answer may copy them.
    if (c == '*' || c == '`' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Result<std::vector<std::string>> parse_texts(const boost::json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return fail(Code::invalid_argument, "a list of texts is expected");
  std::vector<std::string> texts;
  for (const auto& item : *list) {
    const auto* text = item.if_string();
    if (text == nullptr) return fail(Code::invalid_argument, "a list of texts is expected");
    texts.emplace_back(*text);
  }
  return texts;
}

Result<EvalQuestion> parse_line(std::string_view line, std::size_t number) {
  if (line.size() > eval_line_bytes_max) return fail(Code::too_large, "an evaluation line is too long");
  boost::system::error_code error;
  const auto value = boost::json::parse(line, error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return fail(Code::invalid_argument, "an evaluation line is not a JSON object");
  EvalQuestion question;
  const auto* text = object->if_contains("question");
  if (text == nullptr || !text->is_string()) return fail(Code::invalid_argument, "an evaluation line has no question");
  question.question = text->get_string();
  const auto* id = object->if_contains("id");
  question.id = id != nullptr && id->is_string() ? std::string(id->get_string()) : fmt::format("{}", number);
  if (const auto* list = object->if_contains("relevant")) {
    question.relevant = PARLEY_TRY(parse_texts(*list));
    question.has_relevant = true;
  }
  if (const auto* list = object->if_contains("answers")) {
    question.answers = PARLEY_TRY(parse_texts(*list));
    question.has_answers = true;
  }
  return question;
}

std::string_view without_anchor(std::string_view url) { return url.substr(0, url.find('#')); }

}  // namespace

Result<std::vector<EvalQuestion>> parse_eval_lines(std::string_view lines) {
  std::vector<EvalQuestion> questions;
  std::size_t number = 0;
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    auto line = lines.substr(0, end);
    lines.remove_prefix(std::min(lines.size(), end + 1));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (questions.size() == eval_questions_max) return fail(Code::too_large, "too many evaluation questions");
    auto question = parse_line(line, number);
    if (!question) return fail(std::move(question).error().with_detail(fmt::format("line {}", number)));
    questions.push_back(std::move(*question));
  }
  return questions;
}

bool contains_answer(const Answer& answer, std::string_view text) {
  const auto wanted = normalized(text);
  return std::ranges::any_of(answer.citations, [&](const Citation& citation) {
    return normalized(citation.quote).find(wanted) != std::string::npos;
  });
}

double ndcg_at_10(std::span<const bool> relevant_by_rank, std::size_t relevant_total) {
  double gain = 0;
  double best = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    const double discount = 1 / std::log2(static_cast<double>(i) + 2);
    if (i < relevant_by_rank.size() && relevant_by_rank[i]) gain += discount;
    if (i < relevant_total) best += discount;
  }
  return best > 0 ? gain / best : 0;
}

void Evaluation::add(const EvalQuestion& question, const EvalOutcome& outcome) {
  ++sums_.questions;
  const auto is_relevant = [&](std::string_view path, std::string_view url) {
    return std::ranges::any_of(question.relevant, [&](const std::string& wanted) {
      return wanted == path || wanted == url || without_anchor(wanted) == without_anchor(url);
    });
  };
  if (!question.relevant.empty()) {
    ++sums_.ranked;
    std::array<bool, 10> by_rank{};
    std::size_t first = 0;
    for (std::size_t i = 0; i < outcome.ranked.size(); ++i) {
      if (!is_relevant(outcome.ranked[i], i < outcome.urls.size() ? outcome.urls[i] : outcome.ranked[i])) continue;
      if (first == 0) first = i + 1;
      if (i < by_rank.size()) by_rank[i] = true;
    }
    if (first == 1) ++sums_.hit_at_1;
    if (first != 0 && first <= 5) ++sums_.hit_at_5;
    if (first != 0 && first <= 10) ++sums_.hit_at_10;
    if (first != 0) sums_.mrr += 1 / static_cast<double>(first);
    sums_.ndcg_at_10 += ndcg_at_10(by_rank, question.relevant.size());
    const auto& citations = outcome.answer.citations;
    if (!citations.empty() && is_relevant(citations[0].path, citations[0].url)) ++sums_.first_citation_relevant;
  }
  if (!question.answers.empty()) {
    ++sums_.answerable;
    if (outcome.answer.answered) ++sums_.answered_share;
    if (outcome.answer.answered &&
        std::ranges::any_of(question.answers, [&](const auto& text) { return contains_answer(outcome.answer, text); }))
      ++sums_.answer_containment;
  } else if (question.has_answers) {
    ++sums_.unanswerable;
  }
  if (question.has_answers && !outcome.answer.answered) {
    ++abstained_;
    if (question.answers.empty()) ++abstained_rightly_;
  }
}

EvalReport Evaluation::report() const {
  EvalReport report = sums_;
  const auto mean = [](double& sum, std::size_t count) { sum = count == 0 ? 0 : sum / static_cast<double>(count); };
  for (auto* sum : {&report.hit_at_1, &report.hit_at_5, &report.hit_at_10, &report.mrr, &report.ndcg_at_10,
                    &report.first_citation_relevant})
    mean(*sum, report.ranked);
  mean(report.answer_containment, report.answerable);
  mean(report.answered_share, report.answerable);
  report.abstention_precision = static_cast<double>(abstained_rightly_);
  mean(report.abstention_precision, abstained_);
  report.abstention_recall = static_cast<double>(abstained_rightly_);
  mean(report.abstention_recall, report.unanswerable);
  return report;
}

Result<EvalOutcome> ask_for_evaluation(const Index& index, std::string_view question) {
  // Deep enough that ten different documents come up although each has many passages.
  return outcome_of(question, PARLEY_TRY(index.search({.text = question, .limit = 60})));
}

EvalOutcome outcome_of(std::string_view question, const SearchResult& found) {
  EvalOutcome outcome;
  for (const auto& hit : found.hits) {
    if (std::ranges::find(outcome.ranked, hit.path) != outcome.ranked.end()) continue;
    outcome.ranked.push_back(hit.path);
    outcome.urls.push_back(hit.url);
  }
  outcome.answer = answer(question, found);
  return outcome;
}

Result<EvalReport> evaluate(const Index& index, std::span<const EvalQuestion> questions) {
  Evaluation evaluation;
  for (const auto& question : questions) {
    const auto outcome = PARLEY_TRY(ask_for_evaluation(index, question.question));
    evaluation.add(question, outcome);
  }
  return evaluation.report();
}

}  // namespace parley::knowledge
