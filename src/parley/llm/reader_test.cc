#include "parley/llm/reader.h"

#include <gtest/gtest.h>

#include "parley/llm/anthropic.h"
#include "parley/llm/openai.h"
#include "parley/text/json.h"

namespace parley::llm {
namespace {

struct Seen {
  std::vector<Event> events;
  std::optional<Failure> failure;
  Finish finish = Finish::stop;
  Usage usage;
  bool reported = false;

  std::string text() const {
    std::string all;
    for (const auto& event : events)
      if (const auto* delta = std::get_if<TextDelta>(&event)) all += delta->text;
    return all;
  }
  std::vector<ToolCall> calls() const {
    std::vector<ToolCall> all;
    for (const auto& event : events)
      if (const auto* call = std::get_if<ToolCall>(&event)) all.push_back(*call);
    return all;
  }
};

Seen read(const Protocol& protocol, std::string_view bytes, std::size_t piece) {
  EventStream stream(protocol.reader());
  Meter meter;
  Seen seen;
  for (std::size_t at = 0; at < bytes.size() && !seen.failure; at += piece)
    seen.failure = stream.feed(bytes.substr(at, piece), meter, seen.events);
  if (!seen.failure) seen.failure = stream.end(seen.events);
  seen.finish = stream.finish();
  seen.usage = meter.usage;
  seen.reported = meter.reported;
  return seen;
}

/// The same however it is torn; what it is when it comes whole.
Seen read_all_ways(const Protocol& protocol, std::string_view bytes) {
  auto whole = read(protocol, bytes, bytes.size() + 1);
  for (std::size_t piece = 1; piece <= bytes.size(); piece = piece < 40 ? piece + 1 : piece * 2) {
    const auto torn = read(protocol, bytes, piece);
    EXPECT_EQ(torn.events, whole.events) << piece;
    EXPECT_EQ(torn.failure, whole.failure) << piece;
    EXPECT_EQ(torn.usage, whole.usage) << piece;
  }
  return whole;
}

std::string event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

const OpenAiProtocol openai({.model = "m"});
const AnthropicProtocol anthropic("m");

TEST(OpenAi, text_usage_and_the_reason_of_the_end) {
  const auto seen = read_all_ways(
      openai,
      event(R"({"choices":[],"prompt_filter_results":[{"prompt_index":0}]})") +
          event(
              R"({"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})") +
          event(R"({"choices":[{"index":0,"delta":{"content":"Hel"}}],"usage":null})") + ": waiting\n\n" +
          event(R"({"choices":[{"index":0,"delta":{"content":"lo \u20ac"}}]})") +
          event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}]})") +
          event(R"({"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}})") +
          event("[DONE]") + event("nothing follows"));
  EXPECT_FALSE(seen.failure);
  EXPECT_EQ(seen.text(), "Hello \xE2\x82\xAC");
  EXPECT_EQ(seen.finish, Finish::length);
}

TEST(OpenAi, usage_is_counted_with_what_was_cached) {
  const auto seen =
      read_all_ways(openai, event(R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})") +
                                event(R"({"choices":null,"usage":{"prompt_tokens":12,"completion_tokens":3,)"
                                      R"("prompt_tokens_details":{"cached_tokens":8}}})"));
  EXPECT_FALSE(seen.failure) << "the end of the bytes after a reason is an end";
  EXPECT_TRUE(seen.reported);
  EXPECT_EQ(seen.usage, (Usage{.input = 12, .cached_input = 8, .output = 3}));
  const auto odd = read(
      openai, event(R"({"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":1e300}})") + event("[DONE]"), 7);
  EXPECT_FALSE(odd.reported) << "a count that cannot be is none";
}

TEST(OpenAi, tool_calls_are_put_together_from_pieces_that_arrive_mixed) {
  const auto seen = read_all_ways(
      openai, event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function",)"
                    R"("function":{"name":"look_up","arguments":""}}]}}]})") +
                  event(R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"list"}}]}}]})") +
                  event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"wo"}}]}}]})") +
                  event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"rd\":1}"}}]}}]})") +
                  event(R"({"choices":[{"delta":{},"finish_reason":"tool_calls"}]})") + event("[DONE]"));
  EXPECT_FALSE(seen.failure);
  EXPECT_EQ(seen.finish, Finish::tool_calls);
  EXPECT_EQ(seen.calls(), (std::vector<ToolCall>{{"a", "look_up", "{\"word\":1}"}, {"b", "list", "{}"}}));
  // Without numbers, and with "stop" at the end, as some servers have it.
  const auto loose = read_all_ways(
      openai,
      event(R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]})") +
          event(R"({"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{"}}]}}]})") +
          event(R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"}"}}]},"finish_reason":"stop"}]})") +
          event("[DONE]"));
  EXPECT_EQ(loose.calls(), (std::vector<ToolCall>{{"a", "f", "{}"}, {"b", "g", "{}"}}));
  EXPECT_EQ(loose.finish, Finish::tool_calls);
}

TEST(OpenAi, calls_that_the_limit_cut_off_are_not_made) {
  const auto seen =
      read_all_ways(openai, event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
                                  R"("arguments":"{\"half"}}]},"finish_reason":"length"}]})") +
                                event("[DONE]"));
  EXPECT_FALSE(seen.failure);
  EXPECT_TRUE(seen.calls().empty());
}

TEST(OpenAi, what_was_said_before_a_failure_stays_said_and_the_providers_words_do_not_appear) {
  const std::string begun = event(R"({"choices":[{"delta":{"content":"Hel"}}]})");
  for (const auto& [bytes, failure] : std::vector<std::pair<std::string, Failure>>{
           {begun + event(R"({"error":{"message":"canary","code":500}})"), Failure::interrupted},
           {begun + event(R"({"object":"error","message":"canary"})"), Failure::interrupted},
           {begun + event(R"({"choices":[{"delta":{},"finish_reason":"error"}]})"), Failure::interrupted},
           {begun, Failure::interrupted},
           {begun + "data: {\"choices\":[", Failure::interrupted},
           {begun + event("canary"), Failure::bad_answer},
           {begun + event("[1,2]"), Failure::bad_answer},
           {begun + event(R"({"choices":["canary"]})"), Failure::bad_answer},
           {begun + event(R"({"choices":[{"delta":{"tool_calls":["canary"]}}]})"), Failure::bad_answer},
           {begun + event(R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"x"}}]}}]})"),
            Failure::bad_answer}}) {
    const auto seen = read_all_ways(openai, bytes);
    EXPECT_EQ(seen.failure, failure) << bytes;
    EXPECT_EQ(seen.text(), "Hel");
  }
}

TEST(OpenAi, an_answer_without_end_is_cut_by_the_bounds) {
  const auto delta = event(R"({"choices":[{"delta":{"content":")" + std::string(60'000, 'x') + R"("}}]})");
  EventStream stream(openai.reader());
  Meter meter;
  std::size_t fed = 0;
  std::optional<Failure> failure;
  while (!failure && fed < 10 * answer_text_bytes_max) {
    std::vector<Event> events;
    failure = stream.feed(delta, meter, events);
    fed += delta.size();
  }
  EXPECT_EQ(failure, Failure::bad_answer);
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += event(R"({"choices":[{"delta":{"tool_calls":[{"index":)" + std::to_string(i) + R"(}]}}]})");
  EXPECT_EQ(read(openai, many, 1'000).failure, Failure::bad_answer);
}

TEST(OpenAi, asks_for_what_the_request_says) {
  Request request{.messages = {{.role = Role::system, .text = "Be brief."},
                               {.role = Role::user, .text = "\"quoted\"\n"},
                               {.role = Role::assistant, .tool_calls = {{"c", "f", "{\"a\":1}"}}},
                               {.role = Role::tool, .text = "result", .tool_call_id = "c"}},
                  .tools = {{"f", "does it", {{"type", "object"}}}},
                  .temperature = 0.5};
  const auto body = text::parse_json(openai.body(request, 77)).value();
  EXPECT_EQ(body.at("model"), "m");
  EXPECT_EQ(body.at("stream"), true);
  EXPECT_EQ(body.at_pointer("/stream_options/include_usage"), true);
  EXPECT_EQ(body.at("max_tokens"), 77);
  EXPECT_EQ(body.at_pointer("/messages/1/content"), "\"quoted\"\n");
  EXPECT_EQ(body.at_pointer("/messages/2/tool_calls/0/function/arguments"), "{\"a\":1}");
  EXPECT_EQ(body.at_pointer("/messages/3/tool_call_id"), "c");
  EXPECT_EQ(body.at_pointer("/tools/0/function/name"), "f");
  const OpenAiProtocol newer({.model = "m", .limit_field = OpenAiProtocol::LimitField::max_completion_tokens});
  EXPECT_EQ(text::parse_json(newer.body(request, 77))->at("max_completion_tokens"), 77);
}

std::string named(std::string_view data) {
  const auto type = text::parse_json(data)->at("type").as_string();
  return "event: " + std::string(type.data(), type.size()) + "\n" + event(data);
}
const std::string start = named(
    R"({"type":"message_start","message":{"id":"x","role":"assistant","content":[],"stop_reason":null,)"
    R"("usage":{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":2,"output_tokens":1}}})");
const std::string stop = named(R"({"type":"message_stop"})");
std::string stopped(std::string_view reason) {
  return named(R"({"type":"message_delta","delta":{"stop_reason":")" + std::string(reason) +
               R"(","stop_sequence":null},"usage":{"output_tokens":9}})") +
         stop;
}
std::string text_block(std::string_view text) {
  return named(R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})") +
         named(R"({"type":"ping"})") +
         named(R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":")" + std::string(text) +
               R"("}})") +
         named(R"({"type":"content_block_stop","index":0})");
}

TEST(Anthropic, text_usage_and_the_reason_of_the_end) {
  for (const auto& [reason, finish] : std::vector<std::pair<std::string, Finish>>{{"end_turn", Finish::stop},
                                                                                  {"stop_sequence", Finish::stop},
                                                                                  {"max_tokens", Finish::length},
                                                                                  {"refusal", Finish::withheld}}) {
    const auto seen = read_all_ways(anthropic, start + text_block("Hel") + text_block("lo") + stopped(reason));
    EXPECT_FALSE(seen.failure);
    EXPECT_EQ(seen.text(), "Hello");
    EXPECT_EQ(seen.finish, finish) << reason;
    EXPECT_TRUE(seen.reported);
    EXPECT_EQ(seen.usage, (Usage{.input = 17, .cached_input = 5, .output = 9}));
  }
}

TEST(Anthropic, tool_calls_are_put_together_and_thinking_is_not_shown) {
  const auto seen = read_all_ways(
      anthropic,
      start + named(R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}})") +
          named(R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})") +
          named(R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}})") +
          named(R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1",)"
                R"("name":"look_up","input":{}}})") +
          named(
              R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a"}})") +
          named(R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",)"
                R"("partial_json":"\":1}"}})") +
          named(R"({"type":"something_new","index":1})") + stopped("tool_use"));
  EXPECT_FALSE(seen.failure);
  EXPECT_EQ(seen.text(), "");
  EXPECT_EQ(seen.finish, Finish::tool_calls);
  EXPECT_EQ(seen.calls(), (std::vector<ToolCall>{{"t1", "look_up", "{\"a\":1}"}}));
}

TEST(Anthropic, what_is_broken_off_is_no_answer) {
  const auto begun = start + text_block("Hel");
  for (const auto& [bytes, failure] : std::vector<std::pair<std::string, Failure>>{
           {begun, Failure::interrupted},
           {begun + named(R"({"type":"error","error":{"type":"overloaded_error","message":"canary"}})"),
            Failure::interrupted},
           {begun + event("canary"), Failure::bad_answer},
           {begun + event("{}"), Failure::bad_answer},
           {begun + named(R"({"type":"content_block_delta","index":0})"), Failure::bad_answer}}) {
    const auto seen = read_all_ways(anthropic, bytes);
    EXPECT_EQ(seen.failure, failure) << bytes;
    EXPECT_EQ(seen.text(), "Hel");
  }
}

TEST(Anthropic, asks_for_what_the_request_says) {
  Request request{.messages = {{.role = Role::system, .text = "Be brief."},
                               {.role = Role::user, .text = "How?"},
                               {.role = Role::assistant, .tool_calls = {{"c", "f", "{\"a\":1}"}, {"d", "f", "junk"}}},
                               {.role = Role::tool, .text = "one", .tool_call_id = "c"},
                               {.role = Role::tool, .text = "two", .tool_call_id = "d"}},
                  .tools = {{"f", "does it", {{"type", "object"}}}},
                  .temperature = 1.5};
  const auto body = text::parse_json(anthropic.body(request, 77)).value();
  EXPECT_EQ(body.at("system"), "Be brief.");
  EXPECT_EQ(body.at("max_tokens"), 77);
  EXPECT_EQ(body.at("temperature"), 1.0);
  ASSERT_EQ(body.at("messages").as_array().size(), 3U);
  EXPECT_EQ(body.at_pointer("/messages/1/content/0/input/a"), 1);
  EXPECT_TRUE(body.at_pointer("/messages/1/content/1/input").as_object().empty());
  EXPECT_EQ(body.at_pointer("/messages/2/role"), "user");
  EXPECT_EQ(body.at_pointer("/messages/2/content/1/tool_use_id"), "d");
  EXPECT_EQ(body.at_pointer("/tools/0/input_schema/type"), "object");
}

}  // namespace
}  // namespace parley::llm
