#include "parley/llm/sse.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::llm {
namespace {

using Seen = std::vector<std::pair<std::string, std::string>>;

Seen read(std::string_view bytes, std::size_t piece, SseLimits limits = {}, bool* too_large = nullptr) {
  SseParser parser(limits);
  Seen seen;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    auto rest = bytes.substr(at, piece);
    while (!rest.empty()) {
      const auto step = parser.feed(rest);
      rest.remove_prefix(step.consumed);
      if (step.status == SseParser::Status::event) seen.emplace_back(parser.event().name, parser.event().data);
      if (step.status == SseParser::Status::too_large) {
        if (too_large) *too_large = true;
        return seen;
      }
    }
  }
  return seen;
}

TEST(Sse, any_tearing_and_any_line_end_give_the_same_events) {
  const std::string text =
      "\xEF\xBB\xBF: a comment\ndata: one\n\nevent: named\ndata:two\ndata:  lines\nid: 7\nretry: 10\n\n"
      "event: without data\n\ndata\n\ndata: \xE2\x82\xAC\n\ndata: cut off\n";
  const Seen expected{{"", "one"}, {"named", "two\n lines"}, {"", ""}, {"", "\xE2\x82\xAC"}};
  for (const std::string_view end : {"\n", "\r\n", "\r"}) {
    std::string with_ends;
    for (const char c : text) {
      if (c == '\n') with_ends += end;
      else with_ends += c;
    }
    for (std::size_t piece = 1; piece <= with_ends.size(); ++piece)
      EXPECT_EQ(read(with_ends, piece), expected) << piece << " " << end.size();
  }
}

TEST(Sse, a_line_or_an_event_that_never_ends_is_refused_with_bounded_memory) {
  const SseLimits limits{.event_bytes_max = 100};
  std::string many_lines;
  for (int i = 0; i < 60; ++i) many_lines += "data: x\n";
  for (const std::string& bytes : {"data: " + std::string(200, 'x'), ": " + std::string(200, 'x'), many_lines}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
      bool too_large = false;
      EXPECT_TRUE(read(bytes, piece, limits, &too_large).empty());
      EXPECT_TRUE(too_large);
    }
  }
  bool too_large = false;
  EXPECT_EQ(read("data: " + std::string(90, 'x') + "\n\ndata: y\n\n", 3, limits, &too_large).size(), 2U);
  EXPECT_FALSE(too_large);
}

}  // namespace
}  // namespace parley::llm
