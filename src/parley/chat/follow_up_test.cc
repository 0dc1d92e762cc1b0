#include "parley/chat/follow_up.h"

#include <gtest/gtest.h>

namespace parley::chat {
namespace {

constexpr std::string_view before = "How do I rotate a key?";

TEST(FollowUpTest, a_question_that_leans_on_the_one_before_is_searched_for_with_it) {
  for (const std::string_view question :
       {"How long does it last?", "And for visitors?", "Why?", "What about public ones", "Is that safe on Windows too",
        "but what happens to people who are signed in"})
    EXPECT_EQ(search_words(question, before), std::string(before) + "\n" + std::string(question));
}

TEST(FollowUpTest, a_question_that_stands_alone_is_searched_for_alone) {
  for (const std::string_view question :
       {"How can I restore a backup on another machine?", "Which ports must be open in the firewall?",
        "Wie kann ich eine Sicherung auf einem anderen Rechner einspielen?"})
    EXPECT_EQ(search_words(question, before), question);
}

TEST(FollowUpTest, the_first_question_has_nothing_to_lean_on) { EXPECT_EQ(search_words("Why?", ""), "Why?"); }

}  // namespace
}  // namespace parley::chat
