#include "parley/knowledge/answer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/knowledge/eval.h"
#include "parley/knowledge/sentences.h"
#include "parley/knowledge/terms.h"

namespace parley::knowledge {
namespace {

using Sentences = std::vector<std::string_view>;

TEST(Sentences, end_where_a_reader_would_end_them) {
  EXPECT_EQ(split_sentences("One is here. Two is there!  Three?"),
            (Sentences{"One is here.", "Two is there!", "Three?"}));
  EXPECT_EQ(split_sentences("Use e.g. Xapian. It is 3.5 times faster, says Dr. Smith of the U.S. army.").size(), 2u);
  EXPECT_EQ(split_sentences("Edit config.toml now. Then run `a. B`. Done (see p. 4. Really). End.").size(), 4u);
  EXPECT_TRUE(split_sentences(" \n ").empty());
}

TEST(Sentences, are_bounded_and_lose_nothing_but_white_space) {
  const std::string text(5'000, 'x');
  std::size_t bytes = 0;
  for (const auto sentence : split_sentences(text)) {
    EXPECT_LE(sentence.size(), sentence_bytes_max);
    bytes += sentence.size();
  }
  EXPECT_EQ(bytes, text.size());
}

SearchResult found_one(std::string_view question, std::vector<Block> blocks) {
  SearchResult found;
  found.language = "english";
  found.passages = 100;
  auto analyzer = Analyzer::make("english");
  for (const auto& token : analyzer->analyze(question)) {
    if (token.word->stop) continue;
    found.terms.push_back({.word = std::string(question.substr(token.begin, token.end - token.begin)),
                           .stem = token.word->stem,
                           .hash = token.word->hash,
                           .passages = 2,
                           .weight = 4});
  }
  found.hits.push_back({.passage_id = "p",
                        .path = "ops.md",
                        .url = "https://example.org/ops",
                        .title = "Operating",
                        .headings = {"Operating", "Restarting"},
                        .anchor = "restarting",
                        .blocks = std::move(blocks),
                        .score = 3});
  return found;
}

TEST(Answer, quotes_the_sentence_that_answers_with_its_source) {
  const std::string_view question = "When was the turbine hall of Dunmore built?";
  const auto made = answer(
      question,
      found_one(question, {{BlockKind::prose,
                            "Dunmore is small. The turbine hall of Dunmore was built in 1911. Visitors like it."}}));
  ASSERT_TRUE(made.answered);
  EXPECT_EQ(made.citations[0].quote, "The turbine hall of Dunmore was built in 1911.");
  EXPECT_EQ(made.citations[0].url, "https://example.org/ops#restarting");
  EXPECT_EQ(made.citations[0].title, "Operating: Restarting");
  EXPECT_LE(made.citations.size(), answer_sentences_max);
}

TEST(Answer, fences_code_so_that_it_cannot_end_its_own_fence) {
  const std::string_view question = "How do I restart the turbine service?";
  const auto made = answer(question, found_one(question, {{BlockKind::code, "restart turbine service\n```\nx"}}), 0);
  EXPECT_NE(made.text.find("````\nrestart turbine service\n```\nx\n````"), std::string::npos) << made.text;
}

TEST(Answer, abstains_and_names_the_nearest_pages) {
  const std::string_view question = "Which Martian emperor banned zeppelins in Kraznovia?";
  const auto made = answer(question, found_one(question, {{BlockKind::prose, "The service can be restarted."}}));
  EXPECT_FALSE(made.answered);
  ASSERT_EQ(made.citations.size(), 1u);
  EXPECT_TRUE(made.citations[0].quote.empty());
  EXPECT_NE(made.text.find("Operating"), std::string::npos);
}

TEST(Answer, says_so_when_nothing_was_found) {
  const auto made = answer("anything", SearchResult{});
  EXPECT_FALSE(made.answered);
  EXPECT_TRUE(made.citations.empty());
  EXPECT_FALSE(made.text.empty());
}

TEST(Eval, reads_lines_and_refuses_what_is_none) {
  const auto questions = parse_eval_lines(
      "{\"question\":\"q\",\"relevant\":[\"a\"]}\n\n{\"id\":\"x\",\"question\":\"r\",\"answers\":[]}\n");
  ASSERT_TRUE(questions);
  ASSERT_EQ(questions->size(), 2u);
  EXPECT_FALSE((*questions)[0].has_answers);
  EXPECT_TRUE((*questions)[1].has_answers);
  for (const auto* bad : {"[]", "{", "{\"id\":\"x\"}", "{\"question\":\"q\",\"answers\":[1]}"})
    EXPECT_EQ(parse_eval_lines(bad).error().code(), Code::invalid_argument) << bad;
}

TEST(Eval, figures_are_those_worked_out_by_hand) {
  Evaluation evaluation;
  EvalOutcome second;
  second.ranked = second.urls = {"x", "a"};
  second.answer.answered = true;
  second.answer.citations = {{.title = "", .url = "x", .path = "x", .passage_id = "", .quote = "in  the YEAR 1911"}};
  evaluation.add({.id = "1",
                  .question = "",
                  .relevant = {"a"},
                  .answers = {"year 1911"},
                  .has_relevant = true,
                  .has_answers = true},
                 second);
  evaluation.add({.id = "2", .question = "", .relevant = {}, .answers = {}, .has_relevant = true, .has_answers = true},
                 EvalOutcome{});
  const auto report = evaluation.report();
  EXPECT_EQ(report.hit_at_1, 0);
  EXPECT_EQ(report.hit_at_5, 1);
  EXPECT_EQ(report.mrr, 0.5);
  EXPECT_NEAR(report.ndcg_at_10, 0.6309, 1e-4);
  EXPECT_EQ(report.answer_containment, 1);
  EXPECT_EQ(report.abstention_precision, 1);
  EXPECT_EQ(report.abstention_recall, 1);
}

}  // namespace
}  // namespace parley::knowledge
