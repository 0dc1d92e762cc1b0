#include "parley/llm/tokens.h"

#include <gtest/gtest.h>

namespace parley::llm {
namespace {

TEST(Tokens, the_estimate_is_a_figure_that_stays) {
  EXPECT_EQ(estimate_tokens(""), 0);
  EXPECT_EQ(estimate_tokens("a"), 1);
  EXPECT_EQ(estimate_tokens("How do I roll back an upgrade?"), 8);
  EXPECT_EQ(estimate_tokens("\xE4\xBD\xA0\xE5\xA5\xBD"), 2) << "two letters of three bytes";
  EXPECT_EQ(estimate_tokens("\xD0\xB4\xD0\xB0"), 1);
  EXPECT_EQ(estimate_tokens("\xF0\x9F\x98\x80"), 2);
}

TEST(Tokens, no_part_of_a_request_is_free) {
  Request request{.messages = {{.role = Role::user, .text = "hello"}}};
  const auto plain = estimate_tokens(request);
  request.messages.push_back({.role = Role::assistant, .tool_calls = {{"id", "look_up", "{\"word\":\"x\"}"}}});
  const auto with_call = estimate_tokens(request);
  EXPECT_GT(with_call, plain);
  request.tools.push_back({"look_up", "looks a word up", {{"type", "object"}}});
  EXPECT_GT(estimate_tokens(request), with_call);
  EXPECT_GE(tokens_max(request), estimate_tokens(request));
}

TEST(Price, is_exact_and_rounded_up_once) {
  const Prices prices{.input = 3'000'000, .cached_input = 300'000, .output = 15'000'000};
  EXPECT_EQ(cost_of({.input = 1'000'000, .cached_input = 0, .output = 0}, prices), 3'000'000);
  EXPECT_EQ(cost_of({.input = 1'000'000, .cached_input = 1'000'000, .output = 0}, prices), 300'000);
  EXPECT_EQ(cost_of({.input = 1, .cached_input = 0, .output = 1}, prices), 18);
  EXPECT_EQ(cost_of({.input = 1, .cached_input = 0, .output = 0}, {.input = 1}), 1);
  EXPECT_EQ(cost_of({}, prices), 0);
  EXPECT_EQ(cost_of({.input = -5, .cached_input = 9, .output = -1}, prices), 0) << "a wrong count gives nothing back";
  const Prices most{price_max, price_max, price_max};
  EXPECT_EQ(cost_of({.input = INT64_MAX, .cached_input = 0, .output = INT64_MAX}, most),
            2 * (usage_tokens_max / 1'000'000) * price_max);
}

}  // namespace
}  // namespace parley::llm
