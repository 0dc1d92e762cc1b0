#include "parley/server/config.h"

#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace parley::server {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : file_(std::filesystem::path(testing::TempDir()) / "parley_config_test.toml") {}
  ~ConfigTest() override { std::filesystem::remove(file_); }

  Result<Config> load(std::string_view text) {
    std::ofstream(file_, std::ios::trunc) << text;
    return load_config(file_);
  }
  std::filesystem::path file_;
};

TEST_F(ConfigTest, is_complete_without_a_file) {
  const auto config = load_config(file_.string() + ".absent");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, "127.0.0.1:8080");
  EXPECT_EQ(config->limits.of("chat_per_visitor"), (admission::Rate{15, std::chrono::minutes(1)}));
}

TEST_F(ConfigTest, reads_what_it_documents) {
  const auto config = load(
      "[server]\nlisten = \"[::1]:9000\"\nthreads = 3\nstop_grace = \"5s\"\n"
      "[limits]\nchat_per_visitor = \"3/s\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->listen, "[::1]:9000");
  EXPECT_EQ(config->threads, 3U);
  EXPECT_EQ(config->limits.of("chat_per_visitor"), (admission::Rate{3, std::chrono::seconds(1)}));
  EXPECT_EQ(config->limits.of("chat_per_secret_key"), (admission::Rate{600, std::chrono::minutes(1)}));
}

TEST_F(ConfigTest, an_unknown_or_wrong_entry_names_its_line) {
  for (const auto* text : {"[limits]\nchat_per_visiter = \"15/min\"\n", "[limits]\nchat_per_visitor = 15\n",
                           "[limits]\nchat_per_visitor = \"off\"\n", "[server]\nthreads = 0\n",
                           "[server]\nlisten = \"8080\"\n", "[oops]\na = 1\n", "[server\n"}) {
    const auto config = load(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code(), Code::invalid_argument);
    EXPECT_NE(config.error().operator_detail().find("line "), std::string::npos) << text;
  }
}

TEST_F(ConfigTest, every_limit_can_be_set_and_none_can_be_switched_off) {
  for (const auto& limit : admission::all_limits()) {
    const auto config = load(fmt::format("[limits]\n{} = \"7/h\"\n", limit.name.view()));
    ASSERT_TRUE(config) << describe_for_operator(config.error());
    for (std::size_t i = 0; i < admission::limits_count; ++i) {
      const auto& line = admission::all_limits()[i];
      EXPECT_EQ(config->limits[i], line.name.view() == limit.name.view() ? (kv::Rate{7, 1h}) : line.rate);
    }
    EXPECT_FALSE(load(fmt::format("[limits]\n{} = \"0/min\"\n", limit.name.view())));
    EXPECT_FALSE(load(fmt::format("[limits]\n{} = \"off\"\n", limit.name.view())));
  }
}

TEST_F(ConfigTest, places_for_chats_and_budgets_are_complete_without_a_section) {
  const auto config = load("");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->slots.running_max, 64U);
  for (const auto payer : admission::all_payers)
    for (const auto period : admission::all_periods) EXPECT_GT(config->budgets.of(payer, period), 0);
  const auto set = load(
      "[admission]\nchats_at_once = 8\nchats_at_once_per_organisation = 6\nchats_waiting = 9\nchat_wait = \"3s\"\n"
      "budget_per_key_per_day = \"1.50\"\n");
  ASSERT_TRUE(set) << describe_for_operator(set.error());
  EXPECT_EQ(set->slots.running_max, 8U);
  EXPECT_EQ(set->slots.running_per_organisation_max, 6U);
  EXPECT_EQ(set->slots.waiting_max, 9U);
  EXPECT_EQ(set->slots.wait_max, 3s);
  EXPECT_EQ(set->budgets.of(admission::Payer::key, admission::Period::day), 1'500'000);
  EXPECT_EQ(set->budgets.of(admission::Payer::key, admission::Period::month),
            admission::BudgetLimits().of(admission::Payer::key, admission::Period::month));
  EXPECT_EQ(load("[admission]\nchats_at_once = 8\n")->slots.running_per_organisation_max, 6U);
  for (const auto* bad : {"chats_at_once = 0", "chats_at_once = \"8\"", "chat_wait = \"2m\"", "chat_wait = \"off\"",
                          "budget_per_key_per_day = \"0\"", "budget_per_key_per_day = 5", "budget_per_key = \"5\""})
    EXPECT_FALSE(load(fmt::format("[admission]\n{}\n", bad))) << bad;
}

TEST_F(ConfigTest, nobody_is_a_trusted_proxy_unless_named) {
  EXPECT_TRUE(load("")->proxies.trusted.empty());
  const auto config = load("[proxies]\ntrusted = [\"10.0.0.0/8\", \"2001:db8::1\"]\nheader = \"forwarded\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->proxies.trusted.size(), 2U);
  EXPECT_EQ(config->proxies.header, admission::ForwardedHeader::forwarded);
  for (const auto* bad : {"trusted = \"10.0.0.0/8\"", "trusted = [\"10.0.0.1/8\"]", "trusted = [\"0.0.0.0/0\"]",
                          "trusted = [\"proxy\"]", "trusted = [7]", "header = \"x-real-ip\"", "trust = []"})
    EXPECT_FALSE(load(fmt::format("[proxies]\n{}\n", bad))) << bad;
}

TEST_F(ConfigTest, counters_are_shared_only_if_a_server_is_named) {
  EXPECT_FALSE(load("")->redis);
  ::setenv("PARLEY_CONFIG_TEST_WORD", "of-this-test", 1);
  const auto config = load(
      "[redis]\nurl = \"redis://10.0.0.5:6380/2\"\nuser = \"parley\"\npassword = \"env:PARLEY_CONFIG_TEST_WORD\"\n"
      "prefix = \"docs\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->redis->address.host, "10.0.0.5");
  EXPECT_EQ(config->redis->address.port, 6380);
  EXPECT_EQ(config->redis->address.database, 2);
  EXPECT_EQ(config->redis->address.password.reveal(), "of-this-test");
  EXPECT_EQ(config->redis->prefix, "docs");
  for (const auto* bad : {"prefix = \"docs\"", "url = \"redis://u:p@host\"", "url = \"host\"",
                          "url = \"redis://host\"\npassword = \"plain\"", "url = \"redis://host\"\nprefix = \"a b\""})
    EXPECT_FALSE(load(fmt::format("[redis]\n{}\n", bad))) << bad;
}

TEST_F(ConfigTest, places_to_ask_are_listed_for_each_purpose) {
  const auto judge = [](const Config& config, const char* host, const char* address, std::uint16_t port) {
    return config.egress_sign_in.policy.judge(host, boost::asio::ip::make_address(address), port);
  };
  const auto none = load("");
  EXPECT_EQ(judge(*none, "id.internal", "10.1.2.3", 8443), net::Permission::refused);
  EXPECT_EQ(judge(*none, "id.example.org", "93.184.216.34", 443), net::Permission::open);
  const auto config =
      load("[egress.sign_in]\nallow = [\"id.internal:8443\", \"10.9.0.0/16\"]\nca_file = \"/etc/parley/ca.pem\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(judge(*config, "id.internal", "10.1.2.3", 8443), net::Permission::allow_listed);
  EXPECT_EQ(judge(*config, "id.internal", "10.1.2.3", 22), net::Permission::refused);
  EXPECT_EQ(judge(*config, "x", "10.9.8.7", 9), net::Permission::allow_listed);
  EXPECT_EQ(config->egress_sign_in.ca_file, "/etc/parley/ca.pem");
  for (const auto* bad : {"[egress]\nallow = [\"10.9.0.0/16\"]", "[egress.signin]\nallow = []",
                          "[egress.sign_in]\nallow = \"10.9.0.0/16\"", "[egress.sign_in]\nallow = [\"id.internal\"]",
                          "[egress.sign_in]\nallow = [\"0.0.0.0/0\"]", "[egress.sign_in]\nallow = [7]",
                          "[egress.sign_in]\nallowed = []", "[egress]\nsign_in = 7"})
    EXPECT_FALSE(load(std::string(bad) + "\n")) << bad;
}

TEST_F(ConfigTest, mail_needs_a_server_a_sender_and_tls_for_a_password) {
  EXPECT_FALSE(load("")->mail);
  ::setenv("PARLEY_CONFIG_TEST_WORD", "of-this-test", 1);
  const auto config = load(
      "[mail]\nurl = \"smtp://mail.example\"\nfrom = \"parley@example.com\"\nuser = \"parley\"\n"
      "password = \"env:PARLEY_CONFIG_TEST_WORD\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->mail->server.host, "mail.example");
  EXPECT_EQ(config->mail->server.port, 587);
  EXPECT_EQ(config->mail->from.text(), "parley@example.com");
  EXPECT_TRUE(load("[mail]\nurl = \"smtp://127.0.0.1:25\"\nfrom = \"parley@example.com\"\ntls = \"none\"\n"));
  const std::string good = "[mail]\nurl = \"smtp://mail.example\"\nfrom = \"parley@example.com\"\n";
  for (const std::string& bad : {"[mail]\nfrom = \"parley@example.com\"\n"s, "[mail]\nurl = \"smtp://mail.example\"\n"s,
                                 "[mail]\nurl = \"mail.example\"\nfrom = \"parley@example.com\"\n"s,
                                 "[mail]\nurl = \"smtp://mail.example\"\nfrom = \"Parley <parley@example.com>\"\n"s,
                                 good + "user = \"parley\"\n", good + "password = \"plain\"\n",
                                 good + "tls = \"none\"\n", good + "tls = \"maybe\"\n", good + "host = \"x\"\n",
                                 "[mail]\nurl = \"smtp://127.0.0.1\"\nfrom = \"a@b\"\ntls = \"none\"\nuser = \"u\"\n"
                                 "password = \"env:PARLEY_CONFIG_TEST_WORD\"\n"s})
    EXPECT_FALSE(load(bad)) << bad;
}

TEST_F(ConfigTest, models_are_read_with_all_their_keys) {
  EXPECT_TRUE(load("")->models.empty());
  const auto config = load(
      "[models.default]\nkind = \"openai\"\nbase_url = \"https://models.example/v1\"\nmodel = \"large\"\n"
      "key = \"vault:secret/parley/models#key\"\nprice_input = \"2.50\"\nprice_cached_input = \"0.25\"\n"
      "price_output = \"10\"\ncontext_tokens = 128000\noutput_tokens = 2000\ntimeout_connect = \"2s\"\n"
      "timeout_first_byte = \"20s\"\ntimeout_between = \"15s\"\ntimeout_total = \"2m\"\nfallback = [\"local\"]\n"
      "[models.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9100/v1\"\nmodel = \"small\"\n"
      "[egress.models]\nallow = [\"127.0.0.1:9100\"]\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  ASSERT_EQ(config->models.size(), 2U);
  const auto& model = config->models.at(0);
  EXPECT_EQ(model.name, "default");
  EXPECT_EQ(model.base_url->to_string(), "https://models.example/v1");
  EXPECT_EQ(model.key->to_string(), "vault:secret/parley/models#key");
  EXPECT_EQ(model.price_input, 2'500'000);
  EXPECT_EQ(model.price_cached_input, 250'000);
  EXPECT_EQ(model.price_output, 10'000'000);
  EXPECT_EQ(model.context_tokens, 128'000);
  EXPECT_EQ(model.timeouts.first_byte, 20s);
  EXPECT_EQ(model.timeouts.total, 2min);
  EXPECT_EQ(model.fallback, (std::vector<std::string>{"local"}));
  EXPECT_EQ(config->egress_models.policy.judge("127.0.0.1", boost::asio::ip::make_address("127.0.0.1"), 9100),
            net::Permission::allow_listed);
  EXPECT_EQ(config->egress_secrets.policy.judge("127.0.0.1", boost::asio::ip::make_address("127.0.0.1"), 9100),
            net::Permission::refused)
      << "a list is for one purpose";
  const std::string good = "[models.default]\nkind = \"openai\"\nmodel = \"m\"\n";
  ASSERT_TRUE(load(good));
  for (const std::string& bad :
       {good + "price_input = 2.5\n", good + "price_input = \"-1\"\n", good + "price_input = \"10001\"\n",
        good + "timeout_total = \"1h\"\n", good + "timeout_total = 30\n", good + "base_url = \"models.example\"\n",
        good + "base_url = \"https://user:pass@models.example\"\n", good + "context_tokens = 0\n",
        good + "fallback = \"local\"\n", good + "temperature = 1\n", "[models.default]\nmodel = \"m\"\n"s,
        "[models.default]\nkind = \"other\"\n"s, "[models]\ndefault = \"openai\"\n"s,
        "[models.\"a b\"]\nkind = \"builtin\"\n"s, "[egress.models]\nallow = [\"10.0.0.0/7\"]\n"s,
        "[egress.elsewhere]\nallow = []\n"s, "[egress.models]\nallow = \"10.0.0.1:80\"\n"s})
    EXPECT_FALSE(load(bad)) << bad;
}

TEST_F(ConfigTest, a_key_written_into_the_file_is_refused_and_not_repeated) {
  const auto config = load("[models.default]\nkind = \"openai\"\nmodel = \"m\"\nkey = \"a-literal-canary\"\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().operator_detail().find("models.default.key"), std::string::npos);
  EXPECT_EQ(describe_for_operator(config.error()).find("canary"), std::string::npos);
}

TEST_F(ConfigTest, keepers_of_secrets_are_opened_by_the_environment_or_a_file) {
  const auto config = load(
      "[secrets.vault]\nurl = \"https://vault.example:8200\"\ntoken = \"file:/run/vault/token\"\n"
      "namespace = \"team\"\n"
      "[secrets.aws]\nregion = \"eu-west-1\"\naccess_key_id = \"env:AWS_ACCESS_KEY_ID\"\n"
      "secret_access_key = \"env:AWS_SECRET_ACCESS_KEY\"\nsession_token = \"env:AWS_SESSION_TOKEN\"\n"
      "[secrets.azure]\nurl = \"https://name.vault.azure.net\"\ntenant = \"t\"\nclient_id = \"c\"\n"
      "client_secret = \"env:AZURE_CLIENT_SECRET\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->keepers.vault->token.to_string(), "file:/run/vault/token");
  EXPECT_EQ(config->keepers.aws->region, "eu-west-1");
  EXPECT_EQ(config->keepers.azure->login.host, "login.microsoftonline.com");
  const std::string vault = "[secrets.vault]\nurl = \"https://vault.example:8200\"\n";
  for (const std::string& bad :
       {vault, vault + "token = \"canary\"\n", vault + "token = \"aws:token\"\n",
        vault + "token = \"env:T\"\nregion = \"x\"\n", vault + "token = \"env:T\"\nnamespace = \"a b\"\n",
        "[secrets.aws]\nregion = \"evil.example/\"\n"s, "[secrets.other]\nurl = \"https://x.example\"\n"s,
        "[secrets]\nvault = \"x\"\n"s}) {
    const auto refused = load(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(describe_for_operator(refused.error()).find("canary"), std::string::npos);
  }
}

/// docs/configuration.md says every limit with the default that is compiled in.
TEST_F(ConfigTest, the_documented_limits_are_the_compiled_ones) {
  std::ifstream page("docs/configuration.md");
  if (!page) GTEST_SKIP() << "docs/configuration.md is not below the working directory";
  const std::string text((std::istreambuf_iterator<char>(page)), std::istreambuf_iterator<char>());
  for (const auto& limit : admission::all_limits()) {
    const auto line = fmt::format("| `{}` | `\"{}\"` |", limit.name.view(), kv::to_string(limit.rate));
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  for (const auto payer : admission::all_payers)
    for (const auto period : admission::all_periods) {
      const auto line = fmt::format("| `{}` | `\"{}\"` |", admission::budget_name(payer, period).view(),
                                    admission::BudgetLimits().of(payer, period) / admission::BudgetLimits::unit);
      EXPECT_NE(text.find(line), std::string::npos) << line;
    }
}

TEST_F(ConfigTest, a_secret_written_into_the_file_is_refused) {
  EXPECT_FALSE(load("[database]\nurl = \"host=/run user=parley\"\n"));
  ::setenv("PARLEY_CONFIG_TEST_URL", "host=/run", 1);
  const auto config = load("[database]\nurl = \"env:PARLEY_CONFIG_TEST_URL\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->database_url->reveal(), "host=/run");
}

TEST(Listen, needs_an_address_and_a_port) {
  EXPECT_EQ(parse_listen("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_listen("[::]:443")->address, "::");
  for (const auto* bad :
       {"", ":", "8080", "localhost:8080", "::1:8080", "127.0.0.1:65536", "127.0.0.1:80x", "127.0.0.1:"})
    EXPECT_FALSE(parse_listen(bad)) << bad;
}

}  // namespace
}  // namespace parley::server
