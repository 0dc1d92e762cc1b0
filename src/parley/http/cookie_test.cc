#include <string>

#include <gtest/gtest.h>

#include "parley/http/cookie.h"

namespace parley::http {
namespace {

Result<std::optional<std::string_view>> read(const RequestHead& head) { return find_cookie(head, "__Host-parley"); }

RequestHead with(std::string value) {
  RequestHead head;
  head.headers = {{"Host", "parley.example"}, {"Cookie", std::move(value)}};
  return head;
}

TEST(Cookie, is_found_among_others_whatever_they_hold) {
  for (const auto* value : {"__Host-parley=ps_1abc", "__Host-parley=ps_1abc; theme=dark", "a=b; __Host-parley=ps_1abc",
                            "a={\"x\":\"y, z\"};b;=c;; \t__Host-parley=ps_1abc\t ;d=\"e\"",
                            "a=\"; __Host-parley=ps_1abc; b=\"", "x=__Host-parley; __Host-parley=ps_1abc"}) {
    const auto head = with(value);
    EXPECT_EQ(read(head).value(), std::optional<std::string_view>("ps_1abc")) << value;
  }
}

TEST(Cookie, that_was_not_sent_is_none) {
  EXPECT_EQ(read(RequestHead()).value(), std::optional<std::string_view>());
  for (const auto* value :
       {"", ";", "a=b", "__host-parley=x", "__Host-parley2=x", "x__Host-parley=x", "=__Host-parley=x"}) {
    const auto head = with(value);
    EXPECT_EQ(read(head).value(), std::optional<std::string_view>()) << value;
  }
}

TEST(Cookie, in_another_spelling_or_twice_is_refused) {
  for (const auto& value :
       {std::string("__Host-parley"), std::string("__Host-parley="), std::string("__Host-parley =ps_1abc"),
        std::string("__Host-parley= ps_1abc"), std::string("__Host-parley=\"ps_1abc\""),
        std::string("__Host-parley=ps_1abc, b"), std::string("__Host-parley=ps%5f1"), std::string("__Host-parley=a=b"),
        std::string("__Host-parley=a; __Host-parley=a"), std::string("__Host-parley=a; b=c;__Host-parley=d"),
        std::string("__Host-parley=a; __Host-parley"), "__Host-parley=" + std::string(513, 'a')}) {
    const auto head = with(value);
    const auto outcome = read(head);
    ASSERT_FALSE(outcome) << value;
    EXPECT_EQ(outcome.error().code(), Code::unauthenticated);
  }
  auto twice = with("__Host-parley=a");
  twice.headers.push_back({"cookie", "b=c"});
  EXPECT_FALSE(read(twice));
}

}  // namespace
}  // namespace parley::http
