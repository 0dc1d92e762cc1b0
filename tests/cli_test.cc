// The program as people run it: a process of its own, its exit status and what it prints; alone on its folder, and
// beside the server that holds it.

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "testing/http_client.h"
#include "testing/process.h"
#include "testing/test_store.h"

namespace parley::scenarios {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

using testing::Finished;
using testing::HttpClient;
using testing::Program;

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

class Cli : public ::testing::Test {
 protected:
  void SetUp() override { data_ = folder_.path() / "data"; }

  using Words = std::vector<std::string>;

  Words with_data(Words words) const {
    words.insert(words.begin(), {PARLEY_PROGRAM, "--data", data_.string()});
    return words;
  }
  Finished parley(Words words, const testing::Variables& variables = {}) const {
    return testing::run_program(with_data(std::move(words)), variables);
  }
  /// Runs it, expects success, and gives its JSON.
  json::value result_of(Words words) const {
    words.emplace_back("--json");
    const auto finished = parley(words);
    EXPECT_EQ(finished.status, 0) << words.front() << ": " << finished.out << finished.err;
    boost::system::error_code error;
    auto value = json::parse(finished.out, error);
    EXPECT_FALSE(error) << words.front() << ": " << finished.out;
    return value;
  }
  static std::string text_in(const json::value& value, std::string_view name) {
    const auto* object = value.if_object();
    const auto* member = object ? object->if_contains(name) : nullptr;
    return member && member->is_string() ? std::string(member->as_string()) : std::string();
  }

  fs::path documents() const {
    const auto folder = folder_.path() / "documents";
    write(folder / "turbine.md",
          "# Turbine\n\n## Restart the turbine\n\nTo restart the turbine, press the green lever and wait for the "
          "lamp.\n");
    write(folder / "guide" / "harbour.md", "# Harbour\n\nThe harbour office opens at seven and closes at nineteen.\n");
    return folder;
  }
  void make_project() const {
    result_of({"tenant", "create", "Alpha"});
    result_of({"project", "create", "--tenant", "Alpha", "--name", "Docs", "--slug", "docs"});
    result_of({"ingest", "--project", "docs", documents().string()});
  }

  struct Serving {
    std::unique_ptr<Program> program;
    std::uint16_t port = 0;
  };
  Serving serve(Words more = {}, const testing::Variables& variables = {}) const {
    Words words{"serve", "--listen", "127.0.0.1:0"};
    words.insert(words.end(), more.begin(), more.end());
    Serving serving{.program = std::make_unique<Program>(with_data(words), variables)};
    const auto output = serving.program->read_until("\"started\"");
    if (!output) {
      ADD_FAILURE() << "the server did not start: " << serving.program->wait().output;
      return serving;
    }
    const std::string_view before = "127.0.0.1:";
    serving.port = static_cast<std::uint16_t>(std::stoi(output->substr(output->find(before) + before.size(), 5)));
    return serving;
  }

  db::TemporaryFolder folder_;
  fs::path data_;
};

TEST_F(Cli, people_are_made_changed_and_shut_out_and_all_of_it_is_on_the_trail) {
  result_of({"tenant", "create", "Alpha"});
  const auto ann = result_of({"user", "create", "Ann@Example.org", "--tenant", "Alpha", "--role", "administrator"});
  EXPECT_EQ(text_in(ann, "email"), "ann@example.org");
  EXPECT_TRUE(text_in(ann, "token").starts_with("pr_1"));
  result_of({"user", "create", "bob@example.org", "--tenant", "Alpha"});
  const auto listed = result_of({"user", "list", "--tenant", "Alpha"}).as_array();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(text_in(listed[1], "role"), "viewer");
  for (const auto& refused :
       {Words{"user", "disable", "ann@example.org"}, Words{"user", "remove", "ann@example.org", "--tenant", "Alpha"},
        Words{"user", "role", "ann@example.org", "--tenant", "Alpha", "--role", "viewer"}})
    EXPECT_EQ(parley(refused).status, 1) << refused[1] << ": the last administrator";
  EXPECT_EQ(text_in(result_of({"user", "role", "bob@example.org", "--tenant", "Alpha", "--role", "editor"}), "role"),
            "editor");
  result_of({"user", "disable", "bob@example.org"});
  EXPECT_EQ(parley({"user", "reset-password", "bob@example.org"}).status, 1) << "disabled";
  result_of({"user", "enable", "bob@example.org"});
  const auto link = text_in(result_of({"user", "reset-password", "bob@example.org"}), "token");
  EXPECT_TRUE(link.starts_with("pr_1"));
  result_of({"tenant", "require-second-factor", "on", "--tenant", "Alpha"});
  result_of({"user", "reset-second-factor", "bob@example.org"});
  const auto trail = parley({"trail", "show", "--tenant", "Alpha"}).out;
  for (const auto* action : {"user.create", "user.role", "user.disable", "user.enable", "user.reset_password",
                             "tenant.require_second_factor", "user.reset_second_factor"})
    EXPECT_NE(trail.find(action), std::string::npos) << action;
  EXPECT_EQ(trail.find("example.org"), std::string::npos) << "ids, no addresses";
  EXPECT_EQ(trail.find(link.substr(4)), std::string::npos);
}

TEST_F(Cli, sign_in_providers_are_added_listed_and_removed_and_no_secret_is_taken) {
  const auto tenant = text_in(result_of({"tenant", "create", "Alpha"}), "id");
  const Words wanted{"provider",       "add",           "--tenant",         "Alpha",
                     "--name",         "Example Login", "--issuer",         "https://id.example.org",
                     "--client-id",    "parley",        "--group",          "docs=editor",
                     "--email-domain", "example.org",   "--create-accounts"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), wanted.begin(), wanted.end());
    return more;
  };
  EXPECT_EQ(parley(with({"--client-secret", "file:client"})).status, 1) << "without an address to come back to";
  write(data_ / "parley.toml", "[server]\npublic_url = \"https://chat.example.org\"\n");
  const std::string literal = "a-secret-that-somebody-pasted";
  const auto pasted = parley(with({"--client-secret", literal}));
  EXPECT_EQ(pasted.status, 1);
  EXPECT_EQ((pasted.out + pasted.err).find(literal), std::string::npos) << "not even told back";
  for (const Words& wrong :
       {Words{"--client-secret", "file:../client"}, Words{"--client-secret", "env:A B"},
        Words{"--client-secret", "file:client", "--group", "docs"},
        Words{"--client-secret", "file:client", "--group", "docs=king"},
        Words{"--client-secret", "file:client", "--scope", "openid"}, Words{"--authentication", "client_secret_post"}})
    EXPECT_EQ(parley(with(wrong)).status, 1) << wrong.back();
  EXPECT_EQ(parley(with({"--default-role", "king"})).status, 2);

  auto made = result_of(with({"--client-secret", "file:client"}));
  EXPECT_EQ(text_in(made, "redirect_uri"), "https://chat.example.org/sign-in/callback");
  EXPECT_EQ(made.at("client_secret_found"), false);
  write(data_ / "sign_in_secrets" / tenant / "client", "word\n");
  made = result_of(with({"--client-secret", "file:client"}));
  EXPECT_EQ(made.at("client_secret_found"), true);
  EXPECT_EQ(made.at("groups").at("docs"), "editor");
  const auto listed = result_of({"provider", "list", "--tenant", "Alpha"});
  ASSERT_EQ(listed.as_array().size(), 2U);
  EXPECT_EQ(text_in(listed.at(1), "start"), "/sign-in/with/" + text_in(made, "id"));
  EXPECT_EQ(json::serialize(listed).find("word"), std::string::npos);
  result_of({"provider", "remove", "--tenant", "Alpha", text_in(made, "id")});
  EXPECT_EQ(parley({"provider", "remove", "--tenant", "Alpha", text_in(made, "id")}).status, 1);
  EXPECT_EQ(result_of({"provider", "list", "--tenant", "Alpha"}).as_array().size(), 1U);
  const auto trail = parley({"trail", "show", "--tenant", "Alpha"}).out;
  EXPECT_THAT(trail,
              ::testing::AllOf(::testing::HasSubstr("provider.create"), ::testing::HasSubstr("provider.remove")));
}

TEST_F(Cli, what_is_not_said_of_a_project_stays_as_it_is) {
  result_of({"tenant", "create", "Alpha"});
  result_of({"project", "create", "--tenant", "Alpha", "--name", "Docs", "--slug", "docs", "--private"});
  const auto set = [&](const Words& more) {
    Words words{"project", "set", "--project", "docs"};
    words.insert(words.end(), more.begin(), more.end());
    return result_of(words).as_object();
  };
  EXPECT_TRUE(set({"--origin", "https://docs.example.org"}).at("is_private").as_bool())
      << "listing a site opens nothing to everybody";
  EXPECT_TRUE(set({"--visitors", "verified"}).at("is_private").as_bool());
  EXPECT_EQ(parley({"project", "set", "--project", "docs", "--biel-compat"}).status, 1) << "the two exclude each other";
  EXPECT_FALSE(set({"--public", "--server-reads"}).at("is_private").as_bool());
  const auto after = set({"--visitors", "any"});
  EXPECT_TRUE(after.at("server_reads").as_bool());
  EXPECT_FALSE(after.at("biel_compat").as_bool());
  EXPECT_FALSE(set({"--no-server-reads"}).at("server_reads").as_bool());
}

TEST_F(Cli, issuers_are_added_with_one_kind_of_keys_and_their_secret_is_shown_once) {
  result_of({"tenant", "create", "Alpha"});
  result_of({"project", "create", "--tenant", "Alpha", "--name", "Docs", "--slug", "docs"});
  const Words add{"issuer", "add", "--project", "docs", "--name", "shop", "--issuer", "https://shop.example"};
  const auto with = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const auto secret = text_in(result_of(with(add, {"--shared-secret", "--group", "staff"})), "secret");
  EXPECT_EQ(secret.size(), 43U);
  EXPECT_EQ(parley(add).status, 2) << "no keys";
  EXPECT_EQ(parley(with(add, {"--shared-secret", "--jwks-url", "https://a.example/keys"})).status, 2);
  EXPECT_EQ(parley(with(add, {"--jwks", "no-such-file"})).status, 1);
  const auto listed = parley({"issuer", "list", "--project", "docs"}).out;
  EXPECT_NE(listed.find("https://shop.example"), std::string::npos);
  EXPECT_EQ(listed.find(secret), std::string::npos);
  result_of({"issuer", "remove", "--project", "docs", "--name", "shop"});
  EXPECT_EQ(parley({"issuer", "remove", "--project", "docs", "--name", "shop"}).status, 1);
  const auto trail = parley({"trail", "show", "--tenant", "Alpha"}).out;
  EXPECT_NE(trail.find("issuer.add"), std::string::npos);
  EXPECT_NE(trail.find("issuer.remove"), std::string::npos);
  EXPECT_EQ(trail.find(secret), std::string::npos);
}

TEST_F(Cli, goes_from_nothing_to_an_answer_with_its_source) {
  EXPECT_FALSE(text_in(result_of({"tenant", "create", "Alpha"}), "id").empty());
  EXPECT_EQ(text_in(result_of({"project", "create", "--tenant", "Alpha", "--name", "Docs", "--slug", "docs"}), "slug"),
            "docs");
  const auto random = text_in(result_of({"project", "create", "--tenant", "Alpha", "--name", "More"}), "slug");
  EXPECT_EQ(random.size(), 10U) << random;
  EXPECT_EQ(result_of({"tenant", "list"}).as_array().size(), 1U);
  EXPECT_EQ(result_of({"project", "list", "--tenant", "Alpha"}).as_array().size(), 2U);

  const auto ingested = result_of({"ingest", "--project", "docs", documents().string()});
  EXPECT_EQ(ingested.at("added").as_int64(), 2);
  EXPECT_EQ(result_of({"ingest", "--project", "docs", documents().string()}).at("unchanged").as_int64(), 2);

  const auto found = result_of({"search", "--project", "docs", "restart turbine"});
  ASSERT_FALSE(found.at("results").as_array().empty());
  EXPECT_EQ(text_in(found.at("results").as_array()[0], "url"), "turbine.md#restart-the-turbine");

  const auto answer = result_of({"ask", "--project", "docs", "How do I restart the turbine?"});
  EXPECT_TRUE(answer.at("answered").as_bool());
  EXPECT_THAT(text_in(answer, "answer"), ::testing::HasSubstr("green lever"));
  EXPECT_THAT(text_in(answer.at("citations").as_array().at(0), "quote"), ::testing::HasSubstr("green lever"));
  EXPECT_EQ(text_in(answer, "chat_uuid").size(), 36U);

  write(folder_.path() / "questions.jsonl",
        R"({"id":"1","question":"How do I restart the turbine?","relevant":["turbine.md"],"answers":["green lever"]})"
        "\n");
  const auto measured = result_of({"eval", "--project", "docs", (folder_.path() / "questions.jsonl").string()});
  EXPECT_EQ(measured.at("hit_at_1").to_number<double>(), 1.0);

  const auto key = result_of({"key", "create", "--project", "docs", "--scopes", "create_chat, project_read",
                              "--expires", "12h", "--name", "site"});
  EXPECT_THAT(text_in(key, "key"), ::testing::MatchesRegex("sk_1[0-9A-Za-z]{38}"));
  EXPECT_EQ(key.at("scopes").as_array().size(), 2U);
  const auto id = text_in(key, "id");
  const auto next = result_of({"key", "rotate", id, "--overlap", "1h"});
  EXPECT_NE(text_in(next, "key"), text_in(key, "key"));
  EXPECT_EQ(text_in(result_of({"key", "enable", id}), "state"), "active");
  EXPECT_TRUE(result_of({"key", "revoke", id}).at("revoked").as_bool());
  const auto wide = result_of({"key", "create", "--tenant", "Alpha", "--scopes", "project_read", "--expires", "200d",
                               "--exception", "changed once a year", "--address", "127.0.0.0/8", "--address", "::1",
                               "--group", "staff", "--group", "partners"});
  EXPECT_EQ(text_in(wide.at("exception"), "reason"), "changed once a year");
  EXPECT_EQ(wide.at("addresses").as_array().size(), 2U);
  EXPECT_EQ(wide.at("groups").as_array().size(), 2U);
  EXPECT_THAT(parley({"key", "list", "--tenant", "Alpha"}).out,
              ::testing::AllOf(::testing::HasSubstr("changed once a year"), ::testing::HasSubstr("from ::1/128"),
                               ::testing::HasSubstr("all projects"), ::testing::HasSubstr("revoked")));
  const auto list = parley({"key", "list", "--project", "docs", "--json"});
  EXPECT_THAT(list.out, ::testing::HasSubstr("revoked_at"));
  EXPECT_THAT(list.out, ::testing::Not(::testing::HasSubstr(text_in(key, "key"))));

  EXPECT_FALSE(result_of({"routes"}).as_array().empty());
  EXPECT_TRUE(result_of({"migrate", "status"}).at("complete").as_bool());
  EXPECT_FALSE(result_of({"migrate", "up"}).at("migrated").as_bool());
  EXPECT_TRUE(result_of({"doctor"}).at("ok").as_bool());
  EXPECT_TRUE(result_of({"selftest", "tenancy"}).at("held").as_bool());

  const auto verified = result_of({"trail", "verify", "--tenant", "Alpha"});
  EXPECT_TRUE(verified.at("whole").as_bool());
  const auto head = text_in(verified.at("tenants").as_array()[0].at("chains").as_array()[0], "head");
  EXPECT_EQ(parley({"trail", "verify", "--tenant", "Alpha", "--head", head}).status, 0);
  EXPECT_EQ(parley({"trail", "verify", "--head", head}).status, 0);
  EXPECT_EQ(parley({"trail", "verify", "--head", std::string(64, 'a')}).status, 1);
  const auto shown = parley({"trail", "show", "--tenant", "Alpha"});
  for (const auto* action : {"tenant.create", "project.create", "project.ingest", "key.create", "key.rotate",
                             "key.enable", "key.revoke", "chat.create"})
    EXPECT_THAT(shown.out, ::testing::HasSubstr(action));
  EXPECT_THAT(shown.out, ::testing::Not(::testing::HasSubstr("turbine")));
}

TEST_F(Cli, wrong_words_are_status_2_and_change_nothing) {
  for (const Words& words : {Words{},
                             {"nonsense"},
                             {"ingest"},
                             {"ingest", "--project", "x"},
                             {"tenant"},
                             {"tenant", "create"},
                             {"tenant", "create", "a", "b"},
                             {"key", "create", "--project", "x", "--scopes", "a", "--kind", "other"},
                             {"key", "create", "--scopes", "a"},
                             {"key", "create", "--project", "x", "--tenant", "y", "--scopes", "a"},
                             {"key", "list"},
                             {"serve", "--no-such-option"},
                             {"ask", "--project"},
                             {"trail", "show", "--tenant", "x", "--count", "0"},
                             {"restore"},
                             {"--data"}}) {
    const auto finished = parley(words);
    EXPECT_EQ(finished.status, 2) << fmt::format("{}", fmt::join(words, " ")) << finished.err;
    EXPECT_FALSE(finished.err.empty());
    EXPECT_TRUE(finished.out.empty());
  }
  EXPECT_FALSE(fs::exists(data_));
  EXPECT_EQ(parley({"--help"}).status, 0);
  EXPECT_EQ(parley({"ingest", "--help"}).status, 0);
  EXPECT_EQ(parley({"--version"}).status, 0);
}

TEST_F(Cli, what_cannot_be_done_is_status_1_with_a_reason) {
  make_project();
  for (const Words& words : {
           Words{"tenant", "create", "Alpha"},
           {"tenant", "create", ""},
           {"project", "create", "--tenant", "Nobody", "--name", "x"},
           {"project", "create", "--tenant", "Alpha", "--name", "x", "--slug", "docs"},
           {"project", "create", "--tenant", "Alpha", "--name", "x", "--slug", "Not A Slug"},
           {"search", "--project", "nowhere", "x"},
           {"ask", "--project", "docs", ""},
           {"ask", "--project", "docs", std::string(1'001, 'a')},
           {"ingest", "--project", "docs", (folder_.path() / "not there").string()},
           {"ingest", "--project", "docs", "--base-url", "ftp://x", documents().string()},
           {"key", "create", "--project", "docs", "--scopes", "everything"},
           {"key", "create", "--project", "docs", "--scopes", ""},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--expires", "91d"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--expires", "0d"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--kind", "public"},
           {"key", "create", "--project", "docs", "--scopes", "project_sync", "--kind", "public", "--origin",
            "https://a.example"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--origin", "https://a.example"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--expires", "366d", "--exception", "x"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--exception", "not needed"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--address", "10.0.0.1/8"},
           {"key", "create", "--project", "docs", "--scopes", "chat_create", "--all-groups", "--group", "staff"},
           {"key", "enable", "00000000-0000-4000-8000-000000000000"},
           {"key", "revoke", "not-an-id"},
           {"key", "revoke", "00000000-0000-4000-8000-000000000000"},
           {"eval", "--project", "docs", "not there"},
           {"trail", "verify", "--head", "xyz"},
           {"trail", "show", "--tenant", "Nobody"},
       }) {
    const auto finished = parley(words);
    EXPECT_EQ(finished.status, 1) << fmt::format("{}", fmt::join(words, " ")) << ": " << finished.out;
    EXPECT_FALSE(finished.err.empty()) << fmt::format("{}", fmt::join(words, " "));
  }
  // As JSON, too.
  const auto refused = parley({"--json", "tenant", "create", "Alpha"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.out, ::testing::HasSubstr(R"("code":"conflict")"));
}

TEST_F(Cli, a_file_that_cannot_be_read_is_named_and_counted_and_stops_nothing) {
  result_of({"tenant", "create", "Alpha"});
  result_of({"project", "create", "--tenant", "Alpha", "--name", "Docs", "--slug", "docs"});
  const auto folder = documents();
  fs::create_symlink("nowhere", folder / "broken.md");
  fs::create_symlink("/etc/hostname", folder / "outside.md");
  int skipped = 2;
  write(folder / "closed.md", "# Closed\n\nNobody reads this.\n");
  if (::geteuid() != 0) {  // root reads everything
    fs::permissions(folder / "closed.md", fs::perms::none);
    ++skipped;
  }
  const auto finished = parley({"ingest", "--project", "docs", "--json", folder.string()});
  EXPECT_EQ(finished.status, 1) << finished.err;
  boost::system::error_code error;
  const auto report = json::parse(finished.out, error);
  ASSERT_FALSE(error) << finished.out;
  EXPECT_EQ(report.at("skipped").as_int64(), skipped);
  EXPECT_THAT(finished.err, ::testing::HasSubstr("broken.md"));
  EXPECT_THAT(finished.err, ::testing::HasSubstr("outside.md"));
  EXPECT_TRUE(result_of({"ask", "--project", "docs", "How do I restart the turbine?"}).at("answered").as_bool());
}

TEST_F(Cli, the_same_commands_reach_a_running_server) {
  // Longer than a socket's address may be.
  data_ = folder_.path() / std::string(100, 'l') / std::string(100, 'o') / "data";
  auto serving = serve();
  ASSERT_NE(serving.port, 0);
  EXPECT_EQ(fs::status(data_ / "admin.sock").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  make_project();
  EXPECT_TRUE(result_of({"ask", "--project", "docs", "How do I restart the turbine?"}).at("answered").as_bool());
  EXPECT_FALSE(result_of({"search", "--project", "docs", "turbine"}).at("results").as_array().empty());
  EXPECT_EQ(parley({"tenant", "create", "Alpha"}).status, 1);
  EXPECT_EQ(parley({"nonsense"}).status, 2);
  EXPECT_TRUE(result_of({"trail", "verify"}).at("whole").as_bool());
  EXPECT_TRUE(result_of({"doctor"}).at("ok").as_bool());
  EXPECT_TRUE(result_of({"selftest", "tenancy"}).at("held").as_bool());
  result_of({"backup", (folder_.path() / "copy").string()});
  EXPECT_EQ(parley({"restore", "--verify", (folder_.path() / "copy").string()}).status, 0);

  // A key made now works now, and a revoked one no more.
  const auto key = result_of({"key", "create", "--project", "docs", "--scopes", "project_read"});
  HttpClient client(serving.port);
  const testing::HttpCall read{.path = "/api/v1/projects/docs/",
                               .headers = {{"Authorization", "Bearer " + text_in(key, "key")}}};
  EXPECT_EQ(client.send(read).status, 200);
  result_of({"key", "revoke", text_in(key, "id")});
  EXPECT_EQ(client.send(read).status, 401);

  // One server for a folder, and one for a port.
  const auto second = parley({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, ::testing::HasSubstr("another Parley"));
  const auto port_taken = testing::run_program({PARLEY_PROGRAM, "--data", (folder_.path() / "other").string(), "serve",
                                                "--listen", fmt::format("127.0.0.1:{}", serving.port)});
  EXPECT_EQ(port_taken.status, 1);
  EXPECT_FALSE(port_taken.err.empty());
  EXPECT_EQ(parley({"restore", (folder_.path() / "copy").string()}).status, 1);
  EXPECT_EQ(client.send({.path = "/readyz"}).status, 200);

  client.close();
  serving.program->signal(SIGTERM);
  const auto ended = serving.program->wait();
  EXPECT_EQ(ended.status, 0);
  EXPECT_FALSE(fs::exists(data_ / "admin.sock"));
  EXPECT_THAT(ended.output, ::testing::Not(::testing::HasSubstr(text_in(key, "key"))));
  EXPECT_THAT(ended.output, ::testing::Not(::testing::HasSubstr("green lever")));
  // Without it the command works on the folder itself again.
  EXPECT_EQ(result_of({"tenant", "list"}).as_array().size(), 1U);
}

TEST_F(Cli, a_killed_server_leaves_nothing_in_the_way) {
  make_project();
  {
    auto serving = serve();
    serving.program->signal(SIGKILL);
    EXPECT_EQ(serving.program->wait().status, 128 + SIGKILL);
  }
  EXPECT_TRUE(fs::exists(data_ / "admin.sock"));
  EXPECT_EQ(result_of({"tenant", "list"}).as_array().size(), 1U);
  auto again = serve();
  EXPECT_EQ(result_of({"tenant", "list"}).as_array().size(), 1U);
  EXPECT_TRUE(result_of({"trail", "verify"}).at("whole").as_bool());
}

TEST_F(Cli, a_stopping_server_finishes_the_answer_it_is_at) {
  make_project();
  const auto key = text_in(result_of({"key", "create", "--project", "docs", "--scopes", "chat_create"}), "key");
  auto serving = serve();
  const std::string body = R"({"message":"How do I restart the turbine?","project_slug":"docs"})";
  const auto bytes = testing::to_bytes({.method = "POST",
                                        .path = "/api/v1/chats/",
                                        .headers = {{"Authorization", "Bearer " + key},
                                                    {"Content-Type", "application/json"},
                                                    {"Expect", "100-continue"}},
                                        .body = body});
  HttpClient client(serving.port), idle(serving.port);
  EXPECT_EQ(idle.send({.path = "/healthz"}).status, 200);
  // The server asks for the body once a handler is at it.
  ASSERT_TRUE(client.write(bytes.substr(0, bytes.size() - body.size())));
  ASSERT_TRUE(client.read_until("100 Continue\r\n\r\n"));
  serving.program->signal(SIGTERM);
  ASSERT_TRUE(serving.program->read_until("\"stopping\""));
  ASSERT_TRUE(client.write(body));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_THAT(answer.body, ::testing::HasSubstr("green lever"));
  EXPECT_EQ(serving.program->wait().status, 0);
  EXPECT_THAT(parley({"trail", "show", "--tenant", "Alpha"}).out, ::testing::HasSubstr("chat.create"));
}

// --- backups ----------------------------------------------------------------------------------------------------

TEST_F(Cli, a_backup_is_restored_under_its_own_key_and_answers_again) {
  make_project();
  const auto key = result_of({"key", "create", "--project", "docs", "--scopes", "project_read"});
  const auto copy = folder_.path() / "copy";
  result_of({"backup", copy.string()});
  EXPECT_EQ(parley({"backup", copy.string()}).status, 1) << "over one that is there";
  for (const auto& entry : fs::recursive_directory_iterator(copy)) EXPECT_NE(entry.path().filename(), "master.key");
  EXPECT_EQ(parley({"restore", copy.string()}).status, 1) << "over an installation";

  const auto old = data_;
  data_ = folder_.path() / "restored";
  const auto without = parley({"restore", copy.string()});
  EXPECT_EQ(without.status, 1);
  EXPECT_THAT(without.err, ::testing::HasSubstr("master key"));
  EXPECT_EQ(
      parley({"restore", copy.string()}, {{"PARLEY_MASTER_KEY", std::string(32, '5') + std::string(32, 'c')}}).status,
      1);
  EXPECT_FALSE(fs::exists(data_ / "control.db"));

  fs::create_directories(data_);
  fs::copy_file(old / "master.key", data_ / "master.key");
  const auto done = parley({"restore", copy.string()});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(result_of({"ask", "--project", "docs", "How do I restart the turbine?"}).at("answered").as_bool());
  EXPECT_TRUE(result_of({"trail", "verify"}).at("whole").as_bool());
  EXPECT_THAT(parley({"trail", "show", "--tenant", "Alpha"}).out, ::testing::HasSubstr("restored_from_backup"));
  EXPECT_TRUE(result_of({"doctor"}).at("ok").as_bool());
  EXPECT_THAT(parley({"key", "list", "--project", "docs"}).out, ::testing::HasSubstr(text_in(key, "id")));
}

TEST_F(Cli, a_backup_with_any_byte_changed_is_refused) {
  make_project();
  const auto copy = folder_.path() / "copy";
  result_of({"backup", copy.string()});
  const auto verify = [&] { return parley({"restore", "--verify", copy.string()}).status; };
  ASSERT_EQ(verify(), 0);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(copy))
    if (entry.is_regular_file()) files.push_back(entry.path());
  ASSERT_GE(files.size(), 4U);
  for (const auto& file : files) {
    const std::string before = content_of(file);
    ASSERT_FALSE(before.empty()) << file;
    for (const std::size_t at : {std::size_t{0}, before.size() / 3, before.size() / 2, before.size() - 1}) {
      std::string changed = before;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      write(file, changed);
      EXPECT_EQ(verify(), 1) << file << " at " << at << " of " << before.size();
    }
    write(file, before.substr(0, before.size() - 1));
    EXPECT_EQ(verify(), 1) << file << " cut";
    write(file, before + "x");
    EXPECT_EQ(verify(), 1) << file << " longer";
    fs::remove(file);
    EXPECT_EQ(verify(), 1) << file << " gone";
    write(file, before);
  }
  write(copy / "extra", "x");
  EXPECT_EQ(verify(), 1) << "a file nobody listed";
  fs::remove(copy / "extra");
  EXPECT_EQ(verify(), 0);
  // What is refused leaves nothing behind.
  write(files.front(), content_of(files.front()) + "x");
  const auto key = data_ / "master.key";
  const auto old = data_;
  data_ = folder_.path() / "restored";
  fs::create_directories(data_);
  fs::copy_file(key, data_ / "master.key");
  EXPECT_EQ(parley({"restore", copy.string()}).status, 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(data_), {}), 1);
}

// --- TLS --------------------------------------------------------------------------------------------------------

class CliTls : public Cli {
 protected:
  void make_certificate(std::string_view name) const {
    const auto made =
        testing::run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                              "-nodes", "-days", "2", "-subj", fmt::format("/CN={}", name), "-keyout",
                              (folder_.path() / "new.key").string(), "-out", (folder_.path() / "new.pem").string()});
    ASSERT_EQ(made.status, 0) << made.err;
    fs::rename(folder_.path() / "new.key", key_path());
    fs::rename(folder_.path() / "new.pem", cert_path());
  }
  fs::path key_path() const { return folder_.path() / "tls.key"; }
  fs::path cert_path() const { return folder_.path() / "tls.pem"; }

  static std::string fetch(std::uint16_t port, Words more) {
    Words words{"openssl", "s_client", "-ign_eof", "-connect", fmt::format("127.0.0.1:{}", port)};
    words.insert(words.end(), more.begin(), more.end());
    const auto finished =
        testing::run_program(words, {}, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return finished.out + finished.err;
  }
};

TEST_F(CliTls, is_spoken_in_its_two_last_versions_and_nothing_else_is) {
  make_certificate("first.example");
  auto serving = serve({"--tls-cert", cert_path().string(), "--tls-key", key_path().string()});
  ASSERT_NE(serving.port, 0);
  using ::testing::HasSubstr;
  using ::testing::Not;
  for (const auto* version : {"-tls1_2", "-tls1_3"}) {
    const auto answer = fetch(serving.port, {version});
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200")) << version;
    EXPECT_THAT(answer, HasSubstr("Strict-Transport-Security: ")) << version;
    EXPECT_THAT(answer, HasSubstr("first.example")) << version;
  }
  for (const auto* version : {"-tls1_1", "-tls1"})
    EXPECT_THAT(fetch(serving.port, {version, "-cipher", "ALL:@SECLEVEL=0"}), Not(HasSubstr("HTTP/1.1"))) << version;
  HttpClient plain(serving.port);
  const auto answer = plain.send({.path = "/healthz"});
  EXPECT_NE(answer.status, 200);
  EXPECT_THAT(answer.body, Not(HasSubstr("ok")));

  make_certificate("second.example");
  // The server looks for a new one when somebody connects, at most once a second.
  constexpr int tries_max = 1'000;
  std::string seen;
  for (int i = 0; i < tries_max && seen.find("second.example") == std::string::npos; ++i)
    seen = fetch(serving.port, {"-tls1_3"});
  EXPECT_THAT(seen, HasSubstr("second.example"));
  EXPECT_THAT(seen, HasSubstr("HTTP/1.1 200"));
  serving.program->signal(SIGTERM);
  EXPECT_EQ(serving.program->wait().status, 0);
}

TEST_F(CliTls, needs_a_certificate_and_its_key) {
  make_certificate("first.example");
  EXPECT_EQ(parley({"serve", "--listen", "127.0.0.1:0", "--tls-cert", cert_path().string()}).status, 1);
  write(folder_.path() / "empty.pem", "");
  EXPECT_EQ(parley({"serve", "--listen", "127.0.0.1:0", "--tls-cert", (folder_.path() / "empty.pem").string(),
                    "--tls-key", key_path().string()})
                .status,
            1);
  EXPECT_EQ(parley({"serve", "--listen", "nonsense"}).status, 1);
  write(data_ / "parley.toml", "[limits]\nchat_per_visiter = \"1/min\"\n");
  const auto misspelt = parley({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(misspelt.status, 1);
  EXPECT_THAT(misspelt.err, ::testing::HasSubstr("chat_per_visiter"));
}

TEST_F(Cli, a_demonstration_answers_about_parley_itself) {
  auto serving = serve({"--demo"});
  ASSERT_NE(serving.port, 0);
  const auto answer = result_of({"ask", "--project", "parley", "How do I revoke a key?"});
  EXPECT_TRUE(answer.at("answered").as_bool());
  HttpClient client(serving.port);
  EXPECT_EQ(client.send({.path = "/demo/parley"}).status, 200);
  EXPECT_EQ(client.send({.path = "/api/v1/projects/parley/", .headers = {{"Sec-Fetch-Site", "same-origin"}}}).status,
            200);
}

}  // namespace
}  // namespace parley::scenarios
