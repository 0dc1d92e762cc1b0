#include <set>
#include <string>

#include <gtest/gtest.h>

#include "parley/identity/session_token.h"

namespace parley::identity {
namespace {

TEST(SessionToken, has_one_spelling) {
  const Secret made = make_session_token();
  const std::string text(made.reveal());
  EXPECT_EQ(text.size(), session_token_characters);
  EXPECT_TRUE(text.starts_with(session_token_prefix));
  ASSERT_TRUE(parse_session_token(text));
  for (const auto& other : {text + " ", " " + text, "\"" + text + "\"", text.substr(0, 52), std::string(),
                            "ps_2" + text.substr(4), "sk_1" + text.substr(4), text + text})
    EXPECT_EQ(parse_session_token(other).error().code(), Code::unauthenticated) << other.size();
  std::string typo = text;
  typo[20] = typo[20] == 'a' ? 'b' : 'a';
  EXPECT_FALSE(parse_session_token(typo));
}

TEST(SessionToken, none_is_like_another) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto parsed = parse_session_token(make_session_token().reveal());
    ASSERT_TRUE(parsed);
    seen.insert(parsed->digest().hex());
    seen.insert(parsed->csrf_token());
  }
  EXPECT_EQ(seen.size(), 200U);
}

TEST(SessionToken, has_a_csrf_token_of_its_own) {
  const Secret text = make_session_token();
  const auto one = *parse_session_token(text.reveal());
  const auto other = *parse_session_token(make_session_token().reveal());
  EXPECT_EQ(one.csrf_token().size(), 43U);
  EXPECT_EQ(one.csrf_token(), parse_session_token(text.reveal())->csrf_token());
  EXPECT_TRUE(one.matches_csrf(one.csrf_token()));
  EXPECT_FALSE(one.matches_csrf(other.csrf_token()));
  EXPECT_FALSE(one.matches_csrf(""));
  EXPECT_FALSE(one.matches_csrf(one.csrf_token() + "="));
  EXPECT_FALSE(one.matches_csrf(text.reveal())) << "the token itself does not prove that our page sent it";
  EXPECT_EQ(one.csrf_token().find(std::string(text.reveal().substr(4, 8))), std::string::npos);
}

}  // namespace
}  // namespace parley::identity
