// docs/access.md says who reaches a project and from where. This reads the table there and tries every combination of
// sender, credential, project and request against a server, so that neither can change without the other.

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/identity/visitor_token.h"
#include "tests/calls.h"

namespace parley::scenarios {
namespace {

using testing::HttpCall;
using testing::HttpHeader;
using testing::TestKey;
using testing::TestProject;
using testing::TestServer;

/// A line of the table: each column a list of names, or "any".
struct Line {
  std::vector<std::string> from, credential, project, asks;
  int status = 0;  ///< 200 for yes
  std::string text;
};

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(by);
    auto part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + by.size());
  }
}

std::vector<Line> read_table(const std::string& path) {
  std::ifstream file(path);
  std::vector<Line> lines;
  bool inside = false;
  for (std::string text; std::getline(file, text);) {
    if (text.starts_with("| From |")) {
      inside = true;
      std::getline(file, text);  // the rule under the header
      continue;
    }
    if (!text.starts_with("|")) inside = false;
    if (!inside) continue;
    const auto cells = split(text, "|");
    if (cells.size() != 7) ADD_FAILURE() << "not five columns: " << text;
    else
      lines.push_back({.from = split(cells[1], ","),
                       .credential = split(cells[2], ","),
                       .project = split(cells[3], ","),
                       .asks = split(cells[4], ","),
                       .status = cells[5].starts_with("yes") ? 200 : std::stoi(cells[5]),
                       .text = text});
  }
  return lines;
}

bool fits(const std::vector<std::string>& column, std::string_view name) {
  return std::ranges::any_of(column,
                             [&](const auto& cell) { return cell == "any" || cell == "anything" || cell == name; });
}

constexpr auto key_only_site = "https://key-only.example.org";

struct From {
  const char* name;
  std::vector<HttpHeader> headers;
};
const From senders[] = {
    {"a program", {}},
    {"our page", {TestServer::own_page()}},
    {"a listed site", {{"Origin", TestServer::site}, {"Sec-Fetch-Site", "cross-site"}}},
    {"a site of the key alone", {{"Origin", key_only_site}}},
    {"another site", {{"Origin", "https://elsewhere.example.net"}}},
    {"hidden", {{"Origin", "null"}}},
};

struct Project {
  const char* name;
  ProjectAccess access;
};
Project project_of(const char* name, Visibility visibility) {
  Project project{name, {.visibility = visibility, .origins = {TestServer::site}}};
  const std::string_view text = name;
  if (text.ends_with("server_reads")) project.access.server_reads = ProjectAccess::ServerReads::on;
  if (text.ends_with("verified visitors")) project.access.visitors = ProjectAccess::Visitors::verified;
  if (text.ends_with("biel_compat")) project.access.biel_compat = ProjectAccess::BielCompat::on;
  return project;
}

/// The token of a visitor whom the customer's server vouches for; without a key, one of our own pages.
std::string make_verified(TestServer& server, const TestProject& project, const std::optional<TestKey>& by) {
  auto& at = server.installation();
  const std::string name = by ? "site" : "own page";
  const auto issuer = at.wait(at.issuers->create({.tenant = project.ref.tenant,
                                                  .project = project.ref.project,
                                                  .name = name,
                                                  .issuer = name,
                                                  .audience = "chat",
                                                  .keys = identity::SharedSecret{}}));
  EXPECT_TRUE(issuer);
  identity::VisitorPass pass{
      .visitor = crypto::random_uuid(at.random),
      .tenant = project.ref.tenant,
      .project = project.ref.project,
      .scopes = ScopeSet::public_keys(),
      .identity = VerifiedIdentity{.issuer = issuer->issuer.id, .subject = "customer-7", .email = {}}};
  if (by) {
    const auto key = at.wait(at.keys->load(project.ref.tenant, by->id));
    pass.origin = TestServer::site;
    pass.vouched_by = identity::VisitorPass::Voucher{key->id, key->digest};
  }
  auto token = at.visitor_tokens->mint(pass).token;
  server.add_secret(token);
  return token;
}

class AccessTable : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  }
};

TEST_F(AccessTable, in_the_documentation_is_what_the_server_does) {
  const auto table = read_table("docs/access.md");
  ASSERT_GT(table.size(), 10U) << "the table has moved; run in the repository's root";
  TestServer server;
  auto client = server.client();
  const TestProject& target = server.alpha_open();

  const TestKey secret = server.make_key(target);
  const TestKey page_key = server.make_key({.tenant = target.ref.tenant,
                                            .project = target.ref.project,
                                            .scopes = ScopeSet::public_keys(),
                                            .kind = identity::KeyKind::public_key,
                                            .origins = {TestServer::site, key_only_site}});
  const std::pair<const char*, std::string> credentials[] = {
      {"none", ""},
      {"secret key", secret.text},
      {"public key", page_key.text},
      {"visitor of a site", server.make_visitor(target, page_key)},
      {"visitor of our page", server.make_visitor(target)},
      {"verified visitor of a site", make_verified(server, target, page_key)},
      {"verified visitor of our page", make_verified(server, target, {})},
  };
  const Project projects[] = {
      project_of("private", Visibility::private_project),
      project_of("private with biel_compat", Visibility::private_project),
      project_of("public", Visibility::public_project),
      project_of("public with server_reads", Visibility::public_project),
      project_of("public with biel_compat", Visibility::public_project),
      project_of("private with verified visitors", Visibility::private_project),
      project_of("public with verified visitors", Visibility::public_project),
  };
  const auto visitor_body = [&](std::string_view credential) {
    return credential == "secret key"
               ? fmt::format(R"({{"project_slug":"{}","origin":"{}"}})", target.slug(), TestServer::site)
               : fmt::format(R"({{"project_slug":"{}"}})", target.slug());
  };
  const HttpHeader json_body{"Content-Type", "application/json"};

  int run = 0;
  std::vector<int> used(table.size());
  for (const auto& [project_name, access] : projects) {
    server.set_access(target, access);
    for (const auto& [sender, sender_headers] : senders) {
      for (const auto& [credential, token] : credentials) {
        const std::pair<const char*, HttpCall> requests[] = {
            {"project", {.path = "/api/v1/projects/alpha-open/"}},
            {"search", {.path = "/api/v1/projects/alpha-open/search/?q=turbine"}},
            {"visitor token",
             {.method = "POST", .path = "/api/v1/visitors/", .headers = {json_body}, .body = visitor_body(credential)}},
            {"chat",
             {.method = "POST",
              .path = "/api/v1/chats/",
              .headers = {json_body},
              .body = fmt::format(R"({{"project_slug":"{}","message":"{}"}})", target.slug(), question)}},
        };
        for (auto [asks, call] : requests) {
          const std::string cell = fmt::format("{} | {} | {} | {}", sender, credential, project_name, asks);
          const auto line = std::ranges::find_if(table, [&](const Line& l) {
            return fits(l.from, sender) && fits(l.credential, credential) && fits(l.project, project_name) &&
                   fits(l.asks, asks);
          });
          ASSERT_NE(line, table.end()) << "no line for " << cell;
          ++used[static_cast<std::size_t>(line - table.begin())];
          for (const auto& header : sender_headers) call.headers.push_back(header);
          if (!token.empty()) call.headers.push_back({"Authorization", "Bearer " + token});
          const auto answer = client.send(call);
          ++run;
          if (line->status == 200)
            EXPECT_TRUE(answer.status == 200 || answer.status == 201)
                << cell << ": " << answer.status << answer.body << "\n"
                << line->text;
          else EXPECT_EQ(answer.status, line->status) << cell << "\n" << line->text;

          // A site's page may read the answer exactly if some project lists the site.
          const bool listed = std::string_view(sender) == "a listed site";
          EXPECT_EQ(answer.header("Access-Control-Allow-Origin"),
                    listed ? std::optional<std::string>(TestServer::site) : std::nullopt)
              << cell;
          EXPECT_EQ(answer.header("Vary"), "Origin") << cell;
          EXPECT_FALSE(answer.header("Access-Control-Allow-Credentials")) << cell;
        }
      }
    }
  }
  for (std::size_t i = 0; i < table.size(); ++i) EXPECT_GT(used[i], 0) << "decides nothing: " << table[i].text;
  fmt::print("access table: {} combinations tried, {} lines\n", run, table.size());
}

TEST_F(AccessTable, a_browser_is_told_beforehand_which_sites_may_ask) {
  TestServer server;
  auto client = server.client();
  const auto ask = [&](std::string path, std::string method, std::string origin) {
    return client.send(
        {.method = "OPTIONS",
         .path = std::move(path),
         .headers = {{"Origin", std::move(origin)}, {"Access-Control-Request-Method", std::move(method)}}});
  };
  const auto yes = ask("/api/v1/chats/", "POST", TestServer::site);
  EXPECT_EQ(yes.status, 204);
  EXPECT_EQ(yes.header("Access-Control-Allow-Origin"), TestServer::site);
  EXPECT_EQ(yes.header("Access-Control-Allow-Methods"), "POST");
  EXPECT_FALSE(yes.header("Access-Control-Allow-Credentials"));
  for (const auto* origin :
       {"https://elsewhere.example.net", "null", "http://docs.example.org", "https://docs.example.org:8443",
        "https://docs.example.org.evil.example", "https://evildocs.example.org", "*"}) {
    const auto no = ask("/api/v1/chats/", "POST", origin);
    EXPECT_EQ(no.status, 403) << origin;
    EXPECT_FALSE(no.header("Access-Control-Allow-Origin")) << origin;
  }
  EXPECT_EQ(ask("/api/v1/chats/", "DELETE", TestServer::site).status, 403);
  EXPECT_EQ(ask("/setup", "POST", TestServer::site).status, 403);
}

TEST_F(AccessTable, the_demo_page_of_a_public_project_may_be_framed_by_its_sites_alone) {
  TestServer server;
  auto client = server.client();
  const auto policy = [&](std::string slug) {
    return client.send({.path = "/demo/" + slug}).header("Content-Security-Policy").value_or("");
  };
  EXPECT_THAT(policy("alpha-open"), ::testing::HasSubstr(fmt::format("frame-ancestors {}", TestServer::site)));
  EXPECT_THAT(policy("alpha-closed"), ::testing::HasSubstr("frame-ancestors 'none'"));
  EXPECT_EQ(policy("alpha-closed"), policy("nothing-of-the-kind"));
}

}  // namespace
}  // namespace parley::scenarios
