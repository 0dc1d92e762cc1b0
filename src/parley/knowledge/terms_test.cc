#include "parley/knowledge/terms.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace parley::knowledge {
namespace {

std::vector<std::string> stems(std::string_view text, std::string_view language = "english") {
  auto analyzer = Analyzer::make(language);
  std::vector<std::string> out;
  for (const auto& token : analyzer->analyze(text)) {
    if (!token.word->stop) out.push_back(token.word->stem);
  }
  return out;
}
bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

TEST(Analyzer, identifiers_are_found_by_their_parts_and_as_a_whole) {
  for (const auto* text : {"debitsPosted", "debits_posted", "debits-posted"}) {
    const auto words = stems(text);
    EXPECT_TRUE(has(words, "debit")) << text;
    EXPECT_TRUE(has(words, "post")) << text;
    EXPECT_TRUE(has(words, "debitspost")) << text;
  }
  EXPECT_TRUE(has(stems("HTTPServer"), "http"));
  EXPECT_TRUE(has(stems("HTTPServer"), "server"));
}

TEST(Analyzer, numbers_stay_whole_and_ranges_come_apart) {
  EXPECT_EQ(stems("1,000"), stems("1000"));
  EXPECT_TRUE(has(stems("version 3.5"), "3.5"));
  EXPECT_EQ(stems("1914-1918"), (std::vector<std::string>{"1914", "1918"}));
}

TEST(Analyzer, inflections_accents_and_case_do_not_matter) {
  EXPECT_EQ(stems("written"), stems("writes"));
  EXPECT_EQ(stems("Caf\xc3\xa9"), stems("cafe"));
  EXPECT_EQ(stems("\xc5\x81\xc3\xb3"
                  "d\xc5\xba"),
            stems("lodz"));
  EXPECT_EQ(stems("server\xe2\x80\x99s"), stems("servers"));
  EXPECT_EQ(stems("\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd").size(), 2u);
}

TEST(Analyzer, unknown_languages_are_refused) {
  EXPECT_EQ(Analyzer::make("klingon").error().code(), Code::invalid_argument);
  EXPECT_TRUE(Analyzer::make("german"));
}

TEST(Hash, words_of_one_root_are_recognised) {
  EXPECT_TRUE(same_root(hash_of_stem("immun"), hash_of_stem("immunolog")));
  EXPECT_FALSE(same_root(hash_of_stem("immun"), hash_of_stem("immun")));
  EXPECT_FALSE(same_root(hash_of_stem("1914"), hash_of_stem("19145")));
}

}  // namespace
}  // namespace parley::knowledge
