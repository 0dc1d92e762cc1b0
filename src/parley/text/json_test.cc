#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "parley/text/json.h"

namespace parley::text {
namespace {

using namespace std::string_literals;

std::string reason_of(std::string_view text, JsonLimits limits = {}) {
  const auto value = parse_json(text, limits);
  return value ? "accepted" : std::string(value.error().reason().view());
}

TEST(Json, RefusesWhatReadersDisagreeOn) {
  const std::pair<std::string, const char*> cases[] = {
      {R"({"a":1,"a":2})", "a name is repeated in a JSON object"},
      {R"([{"x":{"a":1,"\u0061":2}}])", "a name is repeated in a JSON object"},
      {"\"\xff\"", "malformed JSON"},
      {"\"\xed\xa0\x80\"", "malformed JSON"},
      {R"("\ud800")", "malformed JSON"},
      {R"("\udc00")", "malformed JSON"},
      {R"("\ud800\ud800")", "malformed JSON"},
      {"\xEF\xBB\xBF{}", "malformed JSON"},
      {"1e400", "a number in the JSON is out of range"},
      {"-1e99999999999", "malformed JSON"},
      {"{} {}", "malformed JSON"},
      {"{}\0"s, "malformed JSON"},
      {"\"a\0b\""s, "malformed JSON"},
      {"NaN", "malformed JSON"},
      {"// x\n1", "malformed JSON"},
      {"[1,]", "malformed JSON"},
      {"", "malformed JSON"},
      {"  ", "malformed JSON"},
      {"tru", "malformed JSON"},
  };
  for (const auto& [text, reason] : cases) EXPECT_EQ(reason_of(text), reason) << text;
}

TEST(Json, HoldsItsLimits) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(reason_of(nested(32)), "accepted");
  EXPECT_EQ(reason_of(nested(33)), "the JSON is nested too deeply");
  EXPECT_EQ(reason_of(std::string(100'000, '[')), "the JSON is nested too deeply");
  EXPECT_EQ(reason_of("12345", {.bytes_max = 5}), "accepted");
  EXPECT_EQ(parse_json("123456", {.bytes_max = 5}).error().code(), Code::too_large);
}

TEST(Json, KeepsNumbersAsTheyWere) {
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "18446744073709551615", "0.1", "5e-324",
                           "1.7976931348623157e308", "2.2250738585072014e-308", "9007199254740993.0", "123456.789e-7",
                           "0.30000000000000004"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*parse_json(boost::json::serialize(*value)), *value) << text;
    if (value->is_double()) {
      EXPECT_EQ(value->get_double(), std::strtod(text, nullptr)) << text;
    }
  }
  EXPECT_EQ(parse_json("1e-400")->get_double(), 0);
  EXPECT_EQ(parse_json("0e999")->get_double(), 0);
  EXPECT_EQ(parse_json("0.000001e-320")->get_double(), 0);
}

}  // namespace
}  // namespace parley::text
