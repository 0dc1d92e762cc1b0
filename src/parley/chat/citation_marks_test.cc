#include "parley/chat/citation_marks.h"

#include <gtest/gtest.h>

namespace parley::chat {
namespace {

std::string whole(std::size_t passages, std::string_view text, std::size_t piece_bytes,
                  std::vector<std::size_t>* cited = nullptr) {
  CitationMarks marks(passages);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) out += marks.pass(text.substr(at, piece_bytes));
  out += marks.finish();
  if (cited) *cited = marks.cited();
  return out;
}

struct Case {
  std::string_view text, shown;
  std::vector<std::size_t> cited;
};

const Case cases[] = {
    {"Keys rotate [7]. They expire [2, 7].", "Keys rotate [1]. They expire [2, 1].", {6, 1}},
    {"Nothing is cited.", "Nothing is cited.", {}},
    {"Made up [9], nought [0], and both [9, 3].", "Made up [9], nought [0], and both [1].", {2}},
    {"[99999999999999999999999] is none, nor is items[0]", "[99999999999999999999999] is none, nor is items[0]", {}},
    {"A link [name](https://a.example) and a box [ ] stay.",
     "A link [name](https://a.example) and a box [ ] stay.",
     {}},
    {"In code `a[1]` and\n```\nb[2]\n```\nnot, here [3].", "In code `a[1]` and\n```\nb[2]\n```\nnot, here [1].", {2}},
    {"Two ticks ``x ` [1]`` [2]", "Two ticks ``x ` [1]`` [1]", {1}},
    {"[[1]]", "[[1]]", {0}},
    {"It breaks off [1", "It breaks off [1", {}},
    {"[1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5] is no citation",
     "[1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5] is no citation",
     {}},
};

TEST(CitationMarksTest, numbers_of_passages_become_numbers_of_sources_however_the_text_is_torn) {
  for (const auto& one : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1'000}}) {
      std::vector<std::size_t> cited;
      EXPECT_EQ(whole(8, one.text, piece, &cited), one.shown) << one.text << " by " << piece;
      EXPECT_EQ(cited, one.cited) << one.text;
    }
  }
}

TEST(CitationMarksTest, without_passages_nothing_can_be_cited) { EXPECT_EQ(whole(0, "Sure [1].", 4), "Sure [1]."); }

}  // namespace
}  // namespace parley::chat
