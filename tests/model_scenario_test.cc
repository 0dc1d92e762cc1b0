// Chats with a language model behind them, which a server on loopback stands in for: what it is told, how its answer is
// shown and kept, and what happens when it fails, costs too much or never comes to an end.
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/text/json.h"
#include "testing/fake_server.h"
#include "testing/test_server.h"
#include "tests/calls.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;

using testing::FakeServer;
using ::testing::HasSubstr;
using testing::HttpAnswer;
using testing::HttpClient;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TestServer;

std::string said(std::string_view text) {
  return "data: " +
         json::serialize(json::object{
             {"choices", json::array{json::object{{"index", 0}, {"delta", json::object{{"content", text}}}}}}}) +
         "\n\n";
}
std::string ended(std::string_view reason) {
  return "data: " +
         json::serialize(json::object{
             {"choices", json::array{json::object{{"delta", json::object{}}, {"finish_reason", reason}}}}}) +
         "\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n";
}

/// A server whose chats are answered by `provider`.
class ModelScenarios : public ::testing::Test {
 protected:
  void start(FakeServer::Answer answer, std::string_view more_of_model = "", std::string_view more = "") {
    provider_.emplace(std::move(answer));
    const auto config = fmt::format(
        "{}\n[models.default]\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\n{}\n[egress.models]\nallow = "
        "[\"{}\"]\n{}",
        TestServer::config_without_limits, provider_->url("/v1"), more_of_model, provider_->place(), more);
    server_.emplace(config);
    client_.emplace(server_->port());
    key_.emplace(server_->make_key(server_->alpha_closed()));
  }
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  }
  void TearDown() override {
    if (server_) EXPECT_THAT(server_->stop_and_find_leaks(), IsEmpty());
  }

  testing::HttpCall call(std::string_view message, std::string_view chat = "") {
    json::object body{{"message", message}, {"project_slug", server_->alpha_closed().slug()}};
    if (!chat.empty()) body["chat_uuid"] = chat;
    return {.method = "POST",
            .path = "/api/v1/chats/",
            .headers = {key_->header(), {"Content-Type", "application/json"}},
            .body = json::serialize(body)};
  }
  HttpAnswer ask(std::string_view message, std::string_view chat = "") { return client_->send(call(message, chat)); }

  static json::object object_of(const HttpAnswer& answer) {
    auto value = text::parse_json(answer.body);
    if (value && value->is_object()) return value->as_object();
    ADD_FAILURE() << answer.status << " " << answer.body;
    return {};
  }
  static const json::object& message_of(const json::object& answer) { return answer.at("ai_message").as_object(); }
  static std::string text_of(const json::object& object, std::string_view name) {
    return std::string(object.at(name).as_string());
  }
  json::array asked(std::size_t request) const {
    const auto whole = provider_->requests()[request];
    const auto body = text::parse_json(whole.substr(whole.find("\r\n\r\n") + 4));
    if (body) return body->as_object().at("messages").as_array();
    ADD_FAILURE() << whole;
    return {};
  }

  std::optional<FakeServer> provider_;
  std::optional<TestServer> server_;
  std::optional<HttpClient> client_;
  std::optional<testing::TestKey> key_;
};

TEST_F(ModelScenarios, a_model_answers_from_passages_and_its_sources_are_those_it_was_given) {
  start([](FakeServer::Talk& talk) {
    talk.send(
        FakeServer::stream({said("Press the green "), said("lever [1"), said("]. Not this [40]."), ended("stop")}));
  });
  const auto answer = object_of(ask(question));
  EXPECT_TRUE(answer.at("answered").as_bool());
  const auto& ai = message_of(answer);
  EXPECT_EQ(text_of(ai, "message"), "Press the green lever [1]. Not this [40].");
  EXPECT_FALSE(ai.at("incomplete").as_bool());
  ASSERT_EQ(ai.at("sources").as_array().size(), 1U);
  EXPECT_THAT(text_of(ai.at("sources").as_array()[0].as_object(), "url"), HasSubstr("/turbine"));

  const auto messages = asked(0);
  ASSERT_EQ(messages.size(), 2U);
  const auto prompt = text_of(messages[1].as_object(), "content");
  EXPECT_THAT(prompt, HasSubstr(server_->alpha_closed().canary));
  EXPECT_THAT(prompt, HasSubstr(std::string(question)));
  for (const auto& other : server_->projects()) {
    if (other.slug() != server_->alpha_closed().slug()) EXPECT_THAT(prompt, Not(HasSubstr(other.canary)));
  }
}

TEST_F(ModelScenarios, a_follow_up_is_searched_for_with_what_it_leans_on_and_the_model_is_told_what_was_said) {
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::stream({said("The lever [1]."), ended("stop")})); });
  const auto first = object_of(ask(question));
  const auto second = ask("And how long does it take?", text_of(first, "chat_uuid"));
  EXPECT_EQ(second.status, 200) << second.body;
  const auto messages = asked(1);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(text_of(messages[1].as_object(), "content"), question);
  EXPECT_EQ(text_of(messages[2].as_object(), "content"), "The lever [1].");
  EXPECT_THAT(text_of(messages[3].as_object(), "content"), HasSubstr(server_->alpha_closed().canary));
}

TEST_F(ModelScenarios, an_answer_without_a_source_counts_as_none) {
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::stream({said("Surely 42."), ended("stop")})); });
  const auto answer = object_of(ask(question));
  EXPECT_FALSE(answer.at("answered").as_bool());
  EXPECT_EQ(text_of(message_of(answer), "message"), "Surely 42.");
}

TEST_F(ModelScenarios, when_the_model_fails_the_documents_speak_for_themselves) {
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::reply(401, "", R"({"error":"your key sk-leaky"})")); });
  const auto answer = ask(question);
  EXPECT_EQ(answer.status, 201);
  EXPECT_THAT(answer.body, HasSubstr(server_->alpha_closed().canary));
  EXPECT_THAT(answer.body, Not(HasSubstr("sk-leaky")));
  EXPECT_TRUE(object_of(answer).at("answered").as_bool());
}

TEST_F(ModelScenarios, what_a_model_said_before_it_broke_off_is_kept_as_incomplete) {
  start([](FakeServer::Talk& talk) {
    talk.send(FakeServer::stream_head() + FakeServer::chunk(said("Press the [1]")));
    talk.close();
  });
  const auto cut = object_of(ask(question));
  EXPECT_TRUE(message_of(cut).at("incomplete").as_bool());
  EXPECT_EQ(text_of(message_of(cut), "message"), "Press the [1]");
}

TEST_F(ModelScenarios, an_answer_that_is_cut_at_the_limit_is_incomplete) {
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::stream({said("Press [1]"), ended("length")})); });
  EXPECT_TRUE(message_of(object_of(ask(question))).at("incomplete").as_bool());
}

TEST_F(ModelScenarios, what_could_cost_more_than_is_left_is_refused_before_anybody_is_asked) {
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::stream({said("x"), ended("stop")})); },
        "price_input = \"1000\"\nprice_output = \"1000\"\n", "[admission]\nbudget_per_key_per_day = \"0.01\"\n");
  const auto refused = ask(question);
  EXPECT_EQ(refused.status, 402);
  EXPECT_THAT(refused.body, HasSubstr("budget_exceeded"));
  EXPECT_EQ(provider_->calls(), 0);
}

TEST_F(ModelScenarios, what_was_paid_counts_against_the_budget) {
  // 100 tokens of input and 10 of output cost 0.11 each time; what is set aside before is some three times that.
  start([](FakeServer::Talk& talk) { talk.send(FakeServer::stream({said("The lever [1]."), ended("stop")})); },
        "price_input = \"1000\"\nprice_output = \"1000\"\noutput_tokens = 64\n",
        "[admission]\nbudget_per_key_per_day = \"4\"\n");
  int answered = 0;
  for (int i = 0; i < 60 && ask(question).status == 201; ++i) ++answered;
  EXPECT_GE(answered, 10);
  EXPECT_LE(answered, 37);
  EXPECT_EQ(provider_->calls(), answered);
}

TEST_F(ModelScenarios, when_the_reader_leaves_the_model_is_left_too) {
  std::mutex mutex;
  std::condition_variable changed;
  bool gone = false;
  start([&](FakeServer::Talk& talk) {
    talk.send(FakeServer::stream_head() + FakeServer::chunk(said("Press the lever [1]")));
    talk.wait_until_gone();
    const std::lock_guard lock(mutex);
    gone = true;
    changed.notify_all();
  });
  auto streamed = call(question);
  streamed.headers.push_back({"Accept", "text/event-stream"});
  HttpClient reader(server_->port());
  ASSERT_TRUE(reader.write(testing::to_bytes(streamed)));
  ASSERT_TRUE(reader.read_until("Press the lever"));
  reader.close();
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return gone; }));
}

}  // namespace
}  // namespace parley::scenarios
