#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "parley/text/json.h"
#include "parley/text/json_fields.h"

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

class JsonFieldsTest : public testing::Test {
 protected:
  JsonFields of(std::string_view text) {
    value_ = *parse_json(text);
    return *JsonFields::of(value_);
  }
  template <class T>
  static std::string why(const Result<T>& result) {
    return result ? "accepted" : std::string(result.error().reason().view());
  }
  boost::json::value value_;
};

TEST_F(JsonFieldsTest, ReadsEachKind) {
  auto fields = of(R"({"s":"caf\u00e9","b":true,"i":-3,"d":0.5,"a":[1,2],"o":{"x":1},"n":null})");
  EXPECT_EQ(*fields.required_string<"s">({.code_points_max = 4}), "café");
  EXPECT_EQ(*fields.required_bool<"b">(), true);
  EXPECT_EQ(*fields.required_int<"i">({-3, 3}), -3);
  EXPECT_EQ(**fields.optional_number<"d">(0, 1), 0.5);
  EXPECT_EQ((*fields.required_array<"a">(2))->size(), 2);
  EXPECT_EQ(*fields.required_object<"o">()->required_int<"x">({0, 9}), 1);
  EXPECT_EQ(*fields.optional_string<"n">({.code_points_max = 9}), std::nullopt);
  EXPECT_EQ(*fields.optional_int<"absent">({0, 9}), std::nullopt);
  EXPECT_TRUE(fields.finish());
}

TEST_F(JsonFieldsTest, SaysWhichFieldIsWrongAndHow) {
  auto fields = of(R"({"s":"abc","e":"","z":"a\u0000b","i":5,"u":18446744073709551615,"d":1.5,"n":null,"a":[1,2,3]})");
  EXPECT_EQ(why(fields.required_string<"missing">({.code_points_max = 9})), "missing: is required");
  EXPECT_EQ(why(fields.required_string<"n">({.code_points_max = 9})), "n: is required");
  EXPECT_EQ(why(fields.required_string<"s">({.code_points_max = 2})), "s: is too long");
  EXPECT_EQ(why(fields.required_string<"e">({.code_points_max = 2, .code_points_min = 1})), "e: must not be empty");
  EXPECT_EQ(why(fields.required_string<"z">({.code_points_max = 9})), "z: holds a zero character");
  EXPECT_EQ(why(fields.required_string<"i">({.code_points_max = 9})), "i: must be a string");
  EXPECT_EQ(why(fields.required_int<"s">({0, 9})), "s: must be a whole number");
  EXPECT_EQ(why(fields.required_int<"d">({0, 9})), "d: must be a whole number");
  EXPECT_EQ(why(fields.required_int<"i">({0, 4})), "i: is out of range");
  EXPECT_EQ(why(fields.required_int<"u">({0, 9})), "u: is out of range");
  EXPECT_EQ(why(fields.optional_bool<"i">()), "i: must be true or false");
  EXPECT_EQ(why(fields.optional_number<"s">(0, 1)), "s: must be a number");
  EXPECT_EQ(why(fields.required_array<"a">(2)), "a: has too many items");
  EXPECT_EQ(why(fields.required_object<"a">()), "a: must be an object");
  EXPECT_EQ(why(JsonFields::of(boost::json::value(1))), "a JSON object is expected");
}

TEST_F(JsonFieldsTest, TellsOfFieldsNobodyAskedFor) {
  auto fields = of(R"({"limit":1,"limlt":2})");
  EXPECT_TRUE(fields.optional_int<"limit">({0, 9}));
  EXPECT_EQ(fields.unknown(), std::vector<std::string>{"limlt"});
  const auto finished = fields.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().operator_detail(), "limlt");
  EXPECT_FALSE(finished.error().reason().view().contains("limlt"));
}

}  // namespace
}  // namespace parley::text
