#include <gtest/gtest.h>

#include "parley/text/base64.h"
#include "parley/text/hex.h"
#include "parley/text/percent.h"
#include "parley/text/utf8.h"

namespace parley::text {
namespace {

using namespace std::string_literals;
using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Utf8, AcceptsTheEdgesOfEachLengthAndNothingBeyondThem) {
  for (const char* good :
       {"", "a", "\x7f", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "eight ascii bytes, then \xC3\xA9"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << to_hex(bytes_of(good));
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC2", "\xE2\x82",
                          "\xF0\x9F\x98", "\xC3(", "long enough for the fast path \xE2\x28\xA1"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << to_hex(bytes_of(bad));
  }
}

TEST(Utf8, EveryCodePointSurvivesEncodingAndDecoding) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string encoded;
    append_utf8(encoded, c);
    const auto back = first_code_point(encoded);
    ASSERT_TRUE(back.valid && back.value == c && back.bytes == encoded.size()) << static_cast<unsigned>(c);
  }
}

TEST(Utf8, TruncationNeverCutsACodePoint) {
  const std::string text = "aé€😀";  // 1, 2, 3 and 4 bytes
  for (std::size_t n = 0; n <= text.size() + 2; ++n) {
    const auto cut = truncate_to_bytes(text, n);
    EXPECT_TRUE(is_valid_utf8(cut)) << n;
    EXPECT_LE(cut.size(), n);
    EXPECT_GT(cut.size() + 4, std::min(n, text.size()));
  }
  EXPECT_EQ(truncate_to_code_points(text, 3), "aé€");
  EXPECT_EQ(truncate_to_code_points(text, 9), text);
  EXPECT_EQ(length_in_code_points(text), 4);
  EXPECT_EQ(truncate_to_bytes("\x80\x80\x80\x80\x80\x80", 5).size(), 5);
}

TEST(Utf8, InvalidBytesAreReplacedOneByOne) {
  EXPECT_EQ(replace_invalid_utf8("ok\xC3(\xFF\xED\xA0\x80"), "ok\uFFFD(\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("déjà vu, all of it valid"), "déjà vu, all of it valid");
}

TEST(Hex, RoundTripsAndRefusesAnythingElse) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x9f, 0xff}), "009fff");
  EXPECT_EQ(parse_hex("009FfF"), (Bytes{0x00, 0x9f, 0xff}));
  EXPECT_EQ(parse_hex(""), Bytes{});
  for (const char* bad : {"0", "0g", " 00", "0x00", "00 ", "+1"}) EXPECT_FALSE(parse_hex(bad)) << bad;
}

TEST(Base64, MatchesTheExamplesOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(to_base64(bytes_of(plain)), encoded);
    EXPECT_EQ(parse_base64(encoded), bytes_of(plain));
    auto bare = std::string(encoded);
    while (bare.ends_with('=')) bare.pop_back();
    EXPECT_EQ(to_base64url(bytes_of(plain)), bare);
    EXPECT_EQ(parse_base64url(bare), bytes_of(plain));
  }
  EXPECT_EQ(to_base64url(Bytes{0xfb, 0xff}), "-_8");
  EXPECT_EQ(to_base64(Bytes{0xfb, 0xff}), "+/8=");
}

TEST(Base64, HasOneSpellingForEachValue) {
  for (const char* bad : {"Zg==", "Zh", "Z", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm9vY", "Zm9="}) {
    EXPECT_FALSE(parse_base64url(bad)) << bad;
  }
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm-v", "Zm9v====", "Zm9v\r\n"}) {
    EXPECT_FALSE(parse_base64(bad)) << bad;
  }
}

TEST(Percent, DecodesAPathSegment) {
  EXPECT_EQ(decode_path_segment("caf%C3%A9%20+a"), "café +a");
  EXPECT_EQ(decode_path_segment(""), "");
  EXPECT_EQ(decode_path_segment("%41"), "A");
  EXPECT_EQ(decode_path_segment("%2541"), "%41") << "decoded once, not twice";
}

TEST(Percent, RefusesSegmentsThatWouldNotStayOne) {
  for (const char* bad : {"%", "%4", "%4g", "%%41", "a%00b", "%C3", "%ED%A0%80", "%C0%AF", "..", ".", "%2e%2e", "%2E",
                          "a%2Fb", "a%5cb", "a/b", "a\\b"}) {
    EXPECT_FALSE(decode_path_segment(bad)) << bad;
  }
  EXPECT_FALSE(decode_path_segment("a\0b"s));
}

TEST(Percent, ReadsAQueryInOrder) {
  const auto query = parse_query("q=a+b%2Bc&&empty=&flag&x=1=2");
  ASSERT_TRUE(query);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : *query) pairs.emplace_back(name, value);
  EXPECT_EQ(pairs, (std::vector<std::pair<std::string, std::string>>{
                       {"q", "a b+c"}, {"empty", ""}, {"flag", ""}, {"x", "1=2"}}));
  EXPECT_TRUE(parse_query("")->empty());
}

TEST(Percent, RefusesAQueryThatCouldBeReadInTwoWays) {
  for (const char* bad : {"a=1&a=2", "a=1&%61=2", "a=%00", "%00=a", "a=%zz", "a=%FF"}) {
    EXPECT_FALSE(parse_query(bad)) << bad;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_FALSE(parse_query(many));
}

TEST(Percent, EncodingIsUndoneByDecoding) {
  std::string all;
  for (char32_t c = 1; c < 0x300; ++c) {
    if (c != '/' && c != '\\') append_utf8(all, c);
  }
  EXPECT_EQ(decode_path_segment(percent_encode(all)), all);
  EXPECT_EQ(parse_query("v=" + percent_encode(all))->front().value, all);
}

}  // namespace
}  // namespace parley::text
