#include <gtest/gtest.h>

#include "parley/identity/origin.h"

namespace parley::identity {
namespace {

TEST(Origin, has_one_spelling) {
  EXPECT_EQ(parse_origin("https://Docs.Example.ORG"), "https://docs.example.org");
  EXPECT_EQ(parse_origin("HTTPS://docs.example.org:443"), "https://docs.example.org");
  EXPECT_EQ(parse_origin("http://localhost:80"), "http://localhost");
  EXPECT_EQ(parse_origin("http://localhost:8000"), "http://localhost:8000");
  EXPECT_EQ(parse_origin("https://docs.example.org:80"), "https://docs.example.org:80");
  EXPECT_EQ(parse_origin("http://[::1]:3000"), "http://[::1]:3000");
  EXPECT_EQ(parse_origin("http://[::1]"), "http://[::1]");
}

TEST(Origin, anything_else_is_refused) {
  for (const auto* bad : {"",
                          "null",
                          "*",
                          "https://",
                          "https://*",
                          "https://*.example.org",
                          "docs.example.org",
                          "//docs.example.org",
                          "https://docs.example.org/",
                          "https://docs.example.org/path",
                          "https://user@docs.example.org",
                          "https://docs.example.org?x",
                          "https://docs.example.org#x",
                          "ftp://docs.example.org",
                          "https://docs..example",
                          "https://.example",
                          "https://example.",
                          "https://exa mple",
                          "https://example:",
                          "https://example:0",
                          "https://example:65536",
                          "https://example:08",
                          "https://example:+80",
                          "https://example:80:80",
                          "http://[::1",
                          "http://::1",
                          "http://[zz]",
                          "file:///etc",
                          "https://ex\xc3\xa4mple.org"}) {
    EXPECT_FALSE(parse_origin(bad)) << bad;
  }
  EXPECT_FALSE(parse_origin("https://" + std::string(400, 'a')));
}

TEST(Origin, a_pattern_stands_for_exactly_one_label_on_the_left) {
  EXPECT_EQ(parse_origin_pattern("HTTPS://*.Example.org:443"), "https://*.example.org");
  EXPECT_EQ(parse_origin_pattern("https://docs.example.org"), "https://docs.example.org");
  for (const auto* text : {"https://*", "https://*.org", "https://a.*.example.org", "https://*a.example.org",
                           "https://*.*.example.org", "*://a.example.org", "https://*.0.0.1", "https://*.example.org/"})
    EXPECT_FALSE(parse_origin_pattern(text)) << text;

  const std::vector<std::string> list{"https://*.example.org"};
  EXPECT_TRUE(is_listed(list, "https://docs.example.org"));
  for (const auto* origin :
       {"https://example.org", "https://a.b.example.org", "http://docs.example.org", "https://docs.example.org:8443",
        "https://docs.example.org.evil.example", "https://docsexample.org"})
    EXPECT_FALSE(is_listed(list, origin)) << origin;
  EXPECT_FALSE(is_listed({}, "https://docs.example.org"));
}

}  // namespace
}  // namespace parley::identity
