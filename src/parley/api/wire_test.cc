#include "parley/api/wire.h"

#include <gtest/gtest.h>

#include "parley/api/actions.h"

namespace parley::api {
namespace {

namespace json = boost::json;
using actions::MessageInput;

json::object object(std::string_view text) { return json::parse(text).as_object(); }

TEST(Wire, reads_the_fields_of_its_table) {
  const auto input =
      read_wire<MessageInput>(object(R"({"message":"hi","project_slug":"docs","think_mode":true,"email":null,
                 "chat_uuid":"0189ABCD-ef01-4234-8567-89abcdef0123"})"));
  ASSERT_TRUE(input) << describe_for_operator(input.error());
  EXPECT_EQ(input->message, "hi");
  EXPECT_EQ(input->think_mode, true);
  EXPECT_FALSE(input->email);
  EXPECT_EQ(input->chat_uuid->to_string(), "0189abcd-ef01-4234-8567-89abcdef0123");
}

TEST(Wire, refuses_what_its_table_does_not_say_and_names_the_field) {
  struct Case {
    std::string text;
    std::string_view subject;
  };
  const std::vector<Case> cases{
      {R"({"project_slug":"docs"})", "message"},
      {R"({"message":"","project_slug":"docs"})", "message"},
      {R"({"message":7,"project_slug":"docs"})", "message"},
      {R"({"message":["hi"],"project_slug":"docs"})", "message"},
      {R"({"message":null,"project_slug":"docs"})", "message"},
      {R"({"message":")" + std::string(1'001, 'x') + R"(","project_slug":"docs"})", "message"},
      {R"({"message":"hi","project_slug":"docs","chat_uuid":"1"})", "chat_uuid"},
      {R"({"message":"hi","project_slug":"docs","think_mode":"yes"})", "think_mode"},
      {R"({"message":"hi","project_slug":"docs","tenant_id":"other"})", ""},
  };
  for (const auto& c : cases) {
    const auto input = read_wire<MessageInput>(object(c.text));
    ASSERT_FALSE(input) << c.text;
    EXPECT_EQ(input.error().code(), Code::invalid_argument) << c.text;
    EXPECT_EQ(input.error().subject(), c.subject) << c.text;
  }
}

struct Lists {
  std::vector<std::string> must, may;
  static constexpr auto fields() {
    return std::tuple{
        field("must", &Lists::must, {.required = Required::yes, .length_max = 3, .count_max = 2, .doc = "x"}),
        field("may", &Lists::may, {.length_max = 3, .count_max = 2, .doc = "y"})};
  }
};

TEST(Wire, a_list_holds_so_many_texts_of_such_a_length) {
  const auto read = [](std::string_view text) { return read_wire<Lists>(object(text)); };
  EXPECT_EQ(read(R"({"must":["a","b"]})")->must, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(read(R"({"must":["a"],"may":[]})")->may.empty());
  for (const auto* bad : {R"({"must":[]})", R"({"must":"a"})", R"({"must":["a","b","c"]})", R"({"must":["abcd"]})",
                          R"({"must":[""]})", R"({"must":[1]})", R"({"must":[["a"]]})", R"({"must":[null]})",
                          R"({"must":["a\u0000"]})", R"({"may":["a"]})"}) {
    const auto input = read(bad);
    ASSERT_FALSE(input) << bad;
    EXPECT_EQ(input.error().code(), Code::invalid_argument);
    EXPECT_EQ(input.error().subject(), "must") << bad;
  }
}

TEST(Wire, lengths_count_characters_as_people_do) {
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "\xe6\x9d\xb1";
  json::object body{{"message", text}, {"project_slug", "docs"}};
  EXPECT_TRUE(read_wire<MessageInput>(body));
  body["message"] = text + "x";
  EXPECT_FALSE(read_wire<MessageInput>(body));
}

TEST(Wire, a_query_is_read_by_the_same_table_and_no_name_counts_twice) {
  const auto query = query_to_object("q=two%20words&url=https%3A%2F%2Fdocs.example.org%2F");
  ASSERT_TRUE(query);
  const auto input = read_wire<actions::SearchInput>(*query);
  ASSERT_TRUE(input);
  EXPECT_EQ(input->q, "two words");
  EXPECT_FALSE(query_to_object("q=a&q=b"));
}

TEST(Wire, the_schema_says_what_the_parser_enforces) {
  const auto s = schema<MessageInput>();
  EXPECT_EQ(s.at("additionalProperties"), false);
  EXPECT_EQ(s.at("required"), (json::array{"message", "project_slug"}));
  EXPECT_EQ(s.at("properties").at("message").at("maxLength"), 1'000);
  EXPECT_EQ(s.at("properties").at("chat_uuid").at("format"), "uuid");
}

}  // namespace
}  // namespace parley::api
