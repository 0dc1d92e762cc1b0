#include "parley/llm/models.h"

#include <gtest/gtest.h>

#include "parley/llm/builtin.h"
#include "testing/fake_server.h"
#include "testing/scripted_model.h"
#include "testing/wait.h"

namespace parley::llm {
namespace {

class NoSecrets final : public secrets::Secrets {
 public:
  Async<Secret> read(secrets::Reference) override { co_return Secret("a key"); }
  void expire(const secrets::Reference&) override {}
};

class ModelsTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Models>> make(const std::vector<ModelOptions>& options) {
    return Models::make(options, *client, secrets, clock, crypto::system_random());
  }
  static ModelOptions right(std::string name) {
    return {.name = std::move(name), .model = "m", .price_input = 0, .price_output = 0};
  }

  net::Workers workers{1};
  std::unique_ptr<http::Client> client = http::Client::make(workers).value();
  NoSecrets secrets;
  ManualClock clock;
};

TEST_F(ModelsTest, without_a_configuration_the_built_in_answers) {
  const auto models = make({}).value();
  EXPECT_EQ(models->names(), (std::vector<std::string>{"builtin"}));
  EXPECT_EQ(models->usual()->names(), (std::vector<std::string>{"builtin"}));
  EXPECT_EQ(models->find("default"), nullptr);
  EXPECT_FALSE(wait(models->probe("builtin")).value().failure);
  EXPECT_EQ(wait(models->probe("other")).error().code(), Code::not_found);
}

TEST_F(ModelsTest, every_chain_ends_in_the_built_in_once) {
  auto first = right("default");
  first.fallback = {"cheap"};
  auto third = right("third");
  third.fallback = {"builtin", "cheap"};
  const auto models = make({first, right("cheap"), third}).value();
  EXPECT_EQ(models->usual()->names(), (std::vector<std::string>{"default", "cheap", "builtin"}));
  EXPECT_EQ(models->find("cheap")->names(), (std::vector<std::string>{"cheap", "builtin"}));
  EXPECT_EQ(models->find("third")->names(), (std::vector<std::string>{"third", "builtin", "cheap"}));
  const auto builtin = make({{.name = "default", .kind = Kind::builtin}}).value();
  EXPECT_EQ(builtin->usual()->names(), (std::vector<std::string>{"builtin"}));
}

TEST_F(ModelsTest, what_cannot_be_right_is_refused_with_the_models_name) {
  std::vector<ModelOptions> wrong;
  wrong.push_back(right("bad"));
  wrong.back().model.clear();
  wrong.push_back(right("bad"));
  wrong.back().price_input.reset();
  wrong.push_back(right("bad"));
  wrong.back().price_output.reset();
  wrong.push_back(right("bad"));
  wrong.back().kind = Kind::azure;
  wrong.push_back(right("bad"));
  wrong.back().output_tokens = wrong.back().context_tokens;
  wrong.push_back(right("bad"));
  wrong.back().fallback = {"nobody"};
  wrong.push_back(right("bad"));
  wrong.back().fallback = {"bad"};
  wrong.push_back(right("bad"));
  wrong.back().base_url = net::parse_http_url("https://models.example/v1?key=1").value();
  for (const auto& options : wrong) {
    const auto made = make({options});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), Code::invalid_argument);
    EXPECT_NE(made.error().operator_detail().find("models.bad"), std::string::npos);
  }
  EXPECT_FALSE(make({right("same"), right("same")}));
  EXPECT_FALSE(make({right("builtin")}));
}

TEST_F(ModelsTest, azure_has_its_two_kinds_of_address) {
  testing::FakeServer server([](auto& talk) { talk.send(testing::FakeServer::reply(404, "", "")); });
  client =
      http::Client::make(workers, {.policy = net::EgressPolicy::parse(std::vector{server.place()}).value()}).value();
  auto newer = right("newer");
  newer.kind = Kind::azure;
  newer.model = "my deployment";
  newer.base_url = net::parse_http_url(server.url()).value();
  newer.key = secrets::parse_reference("env:X").value();
  auto older = newer;
  older.name = "older";
  older.api_version = "2024-10-21";
  const auto models = make({newer, older}).value();
  ASSERT_TRUE(wait(models->probe("newer")));
  ASSERT_TRUE(wait(models->probe("older")));
  EXPECT_TRUE(server.requests().at(0).starts_with("GET /openai/v1/models HTTP/1.1\r\n"));
  EXPECT_NE(server.requests().at(0).find("\r\napi-key: a key\r\n"), std::string::npos);
  EXPECT_TRUE(server.requests().at(1).starts_with(
      "GET /openai/deployments/my%20deployment/models?api-version=2024-10-21 HTTP/1.1\r\n"));
}

TEST_F(ModelsTest, scripted_models_take_the_same_way) {
  const auto models =
      Models::of({testing::ScriptedModel::saying("default", {"a", "b"})}, clock, crypto::system_random());
  EXPECT_EQ(models->usual()->names(), (std::vector<std::string>{"default", "builtin"}));
}

}  // namespace
}  // namespace parley::llm
