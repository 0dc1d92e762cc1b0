#include "parley/server/config.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

namespace parley::server {
namespace {

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
  EXPECT_EQ(config->limits.chat_per_visitor, (admission::Rate{15, std::chrono::minutes(1)}));
}

TEST_F(ConfigTest, reads_what_it_documents) {
  const auto config = load(
      "[server]\nlisten = \"[::1]:9000\"\nthreads = 3\nstop_grace = \"5s\"\n"
      "[limits]\nchat_per_visitor = \"3/s\"\n");
  ASSERT_TRUE(config) << describe_for_operator(config.error());
  EXPECT_EQ(config->listen, "[::1]:9000");
  EXPECT_EQ(config->threads, 3U);
  EXPECT_EQ(config->limits.chat_per_visitor, (admission::Rate{3, std::chrono::seconds(1)}));
  EXPECT_EQ(config->limits.chat_per_secret_key, (admission::Rate{600, std::chrono::minutes(1)}));
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
