#include <set>
#include <string>

#include <gtest/gtest.h>

#include "parley/identity/api_key.h"

namespace parley::identity {
namespace {

TEST(ApiKey, a_made_key_parses_to_its_kind) {
  for (const auto kind : {KeyKind::secret, KeyKind::public_key}) {
    const auto text = make_api_key(kind);
    EXPECT_EQ(text.reveal().size(), api_key_characters);
    const auto key = parse_api_key(text.reveal());
    ASSERT_TRUE(key);
    EXPECT_EQ(key->kind(), kind);
    EXPECT_TRUE(text.reveal().ends_with(key->last4()));
    EXPECT_EQ(key->digest(), parse_api_key(text.reveal())->digest());
  }
}

TEST(ApiKey, no_two_are_alike) {
  std::set<std::string> digests;
  for (int i = 0; i < 1000; ++i) digests.insert(parse_api_key(make_api_key(KeyKind::secret).reveal())->digest().hex());
  EXPECT_EQ(digests.size(), 1000U);
}

TEST(ApiKey, every_single_typing_mistake_is_recognised) {
  const auto made = make_api_key(KeyKind::secret);
  const std::string text(made.reveal());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : std::string("0aZ-_ \n")) {
      auto changed = text;
      changed[i] = c;
      if (changed != text) EXPECT_FALSE(parse_api_key(changed)) << i;
    }
  }
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    auto exchanged = text;
    std::swap(exchanged[i], exchanged[i + 1]);
    if (exchanged != text) EXPECT_FALSE(parse_api_key(exchanged)) << i;
  }
}

TEST(ApiKey, anything_else_is_unauthenticated_with_one_public_reason) {
  const auto made = make_api_key(KeyKind::secret);
  const std::string text(made.reveal());
  for (const auto& bad :
       {std::string(), std::string("sk_1"), text + "0", " " + text, text.substr(1), "SK_" + text.substr(3),
        "xk_" + text.substr(3), "pk_" + text.substr(3), "sk_2" + text.substr(4), std::string(1 << 20, 'a')}) {
    const auto key = parse_api_key(bad);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code(), Code::unauthenticated);
    EXPECT_EQ(key.error().reason().view(), "the API key is not valid");
  }
}

TEST(ApiKey, refusing_does_not_repeat_what_was_presented) {
  const std::string bad = "sk_1" + std::string(38, 'q');
  EXPECT_EQ(parse_api_key(bad).error().operator_detail().find("qqq"), std::string::npos);
}

}  // namespace
}  // namespace parley::identity
