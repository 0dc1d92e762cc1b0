// The life of a key over HTTP: made, used, rotated, idle, enabled, revoked, and what its owner hears of.

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/db/session.h"
#include "parley/text/json.h"
#include "tests/served.h"

namespace parley::scenarios {
namespace {

using namespace db::literals;
namespace json = boost::json;

using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpClient;
using testing::HttpHeader;
using testing::TestProject;
using testing::TestServer;

class KeyScenarios : public Served<KeyScenarios> {
 protected:
  const TestProject& project() const { return server_->alpha_closed(); }
  TenantId tenant() const { return project().ref.tenant; }

  /// A key of the organisation that may do everything a key may.
  testing::TestKey make_owner() { return server_->make_key({.tenant = tenant(), .project = std::nullopt}); }

  static HttpHeader bearer(std::string_view text) { return {"Authorization", "Bearer " + std::string(text)}; }

  HttpAnswer send(std::string method, std::string path, std::string_view credential, std::optional<json::object> body,
                  bool issues = false) {
    HttpCall call{.method = std::move(method), .path = std::move(path), .headers = {bearer(credential)}};
    if (body) {
      call.headers.push_back({"Content-Type", "application/json"});
      call.body = json::serialize(*body);
    }
    auto answer = client_->send(call);
    EXPECT_THAT(server_->problems_of(answer, {.issues_token = issues}), ::testing::IsEmpty()) << answer.body;
    return answer;
  }

  static json::object object_of(const HttpAnswer& answer) {
    auto value = text::parse_json(answer.body);
    if (!value || !value->is_object()) {
      ADD_FAILURE() << "not a JSON object: " << answer.status << " " << answer.body;
      return {};
    }
    return value->as_object();
  }
  static std::string text_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
  }

  struct Made {
    std::string id, text;
    json::object all;
  };
  /// A key made over HTTP.
  Made make(const json::object& body, std::string_view maker) {
    const auto answer = send("POST", "/api/v1/keys/", maker, body, true);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return made_of(answer);
  }
  static Made made_of(const HttpAnswer& answer) {
    auto all = object_of(answer);
    Made made{.id = text_of(all, "id"), .text = text_of(all, "key"), .all = std::move(all)};
    server_->add_secret(made.text);
    return made;
  }
  json::object as_listed(const std::string& id, std::string_view reader) {
    const auto answer = send("GET", "/api/v1/keys/", reader, std::nullopt);
    EXPECT_EQ(answer.status, 200);
    for (const auto& key : object_of(answer).at("keys").as_array())
      if (text_of(key.as_object(), "id") == id) return key.as_object();
    return {};
  }
  int read_with(std::string_view credential) {
    return send("GET", "/api/v1/projects/alpha-closed/", credential, std::nullopt).status;
  }
  int count_on_trail(std::string_view actor, std::string_view action, std::string_view object, std::string_view rule) {
    const auto records = server_->trail_of(tenant());
    return static_cast<int>(std::ranges::count_if(records, [&](const trail::StoredRecord& r) {
      return (actor.empty() || r.actor_id == actor) && r.action == action &&
             (object.empty() || r.object_id == object) && (rule.empty() || r.rule == rule);
    }));
  }
  void run(const db::Sql& sql, const auto&... args) {
    const auto done = server_->installation().store->control().write_blocking(
        [&](db::ControlWriter& writer) -> Result<std::int64_t> { return writer.run(sql, args...); });
    ASSERT_TRUE(done) << describe_for_operator(done.error());
  }
};

TEST_F(KeyScenarios, a_key_is_made_used_rotated_and_revoked) {
  const auto owner = make_owner();
  const auto made = make({{"scopes", json::array{"project_read"}},
                          {"project_slug", project().slug()},
                          {"name", "help desk"},
                          {"expires", "30d"},
                          {"addresses", json::array{"127.0.0.0/8", "2001:db8::/32"}},
                          {"groups", json::array{"staff"}}},
                         owner.text);
  EXPECT_THAT(made.text, ::testing::MatchesRegex("sk_1[0-9A-Za-z]{38}"));
  EXPECT_EQ(read_with(made.text), 200);
  auto listed = as_listed(made.id, owner.text);
  EXPECT_EQ(text_of(listed, "state"), "active");
  EXPECT_EQ(text_of(listed, "name"), "help desk");
  EXPECT_EQ(listed.at("addresses"), (json::array{"127.0.0.0/8", "2001:db8::/32"}));
  EXPECT_EQ(listed.at("groups"), json::array{"staff"});
  EXPECT_FALSE(listed.contains("key"));
  EXPECT_EQ(count_on_trail(owner.id.to_string(), "key.create", made.id, "scope_held"), 1);

  const auto rotated_answer =
      send("POST", fmt::format("/api/v1/keys/{}/rotate/", made.id), owner.text, json::object{{"overlap", "1h"}}, true);
  ASSERT_EQ(rotated_answer.status, 201) << rotated_answer.body;
  const auto rotated = made_of(rotated_answer);
  EXPECT_EQ(read_with(made.text), 200);
  EXPECT_EQ(read_with(rotated.text), 200);
  EXPECT_EQ(rotated.all.at("scopes"), made.all.at("scopes"));
  EXPECT_EQ(rotated.all.at("addresses"), made.all.at("addresses"));
  EXPECT_EQ(rotated.all.at("groups"), made.all.at("groups"));
  EXPECT_EQ(count_on_trail(owner.id.to_string(), "key.rotate", made.id, "scope_held"), 1);
  EXPECT_EQ(count_on_trail(owner.id.to_string(), "key.create", rotated.id, "scope_held"), 1);

  EXPECT_EQ(send("DELETE", fmt::format("/api/v1/keys/{}/", made.id), owner.text, std::nullopt).status, 200);
  EXPECT_EQ(read_with(made.text), 401);
  EXPECT_EQ(read_with(rotated.text), 200);
  EXPECT_EQ(text_of(as_listed(made.id, owner.text), "state"), "revoked");
  EXPECT_EQ(count_on_trail(owner.id.to_string(), "key.revoke", made.id, "scope_held"), 1);
  for (const auto* what : {"rotate", "enable"})
    EXPECT_EQ(send("POST", fmt::format("/api/v1/keys/{}/{}/", made.id, what), owner.text, json::object()).status, 409);
  EXPECT_EQ(send("DELETE", fmt::format("/api/v1/keys/{}/", made.id), owner.text, std::nullopt).status, 200)
      << "twice is no error";
}

TEST_F(KeyScenarios, a_key_is_for_a_project_or_says_that_it_is_for_all) {
  const auto owner = make_owner();
  const json::array scopes{"project_read"};
  EXPECT_EQ(send("POST", "/api/v1/keys/", owner.text, json::object{{"scopes", scopes}}).status, 400);
  EXPECT_EQ(send("POST", "/api/v1/keys/", owner.text,
                 json::object{{"scopes", scopes}, {"project_slug", project().slug()}, {"all_projects", true}})
                .status,
            400);
  const auto all = make({{"scopes", scopes}, {"all_projects", true}}, owner.text);
  EXPECT_FALSE(all.all.contains("project"));
  EXPECT_EQ(read_with(all.text), 200);

  const auto foreign =
      send("POST", "/api/v1/keys/", owner.text, json::object{{"scopes", scopes}, {"project_slug", "beta-closed"}});
  const auto nowhere =
      send("POST", "/api/v1/keys/", owner.text, json::object{{"scopes", scopes}, {"project_slug", "no-such"}});
  EXPECT_EQ(foreign.status, 404);
  EXPECT_EQ(testing::blanked(foreign), testing::blanked(nowhere));
}

TEST_F(KeyScenarios, what_cannot_be_a_key_is_refused) {
  const auto owner = make_owner();
  const json::object good{{"scopes", json::array{"project_read"}}, {"project_slug", project().slug()}};
  const auto with = [&](std::string_view name, json::value value) {
    auto body = good;
    body[name] = std::move(value);
    return body;
  };
  auto page = with("kind", "public");
  page["origins"] = json::array{"https://docs.example.org"};
  auto page_with_group = page, page_that_syncs = page;
  page_with_group["groups"] = json::array{"staff"};
  page_that_syncs["scopes"] = json::array{"project_sync"};
  for (const auto& body :
       {with("scopes", json::array()), with("scopes", json::array{"everything"}),
        with("scopes", json::array{"members_manage"}), with("scopes", "project_read"), with("kind", "other"),
        with("kind", "public"), with("expires", "91d"), with("expires", "0d"), with("expires", "soon"),
        with("exception", "not needed"), with("origins", json::array{"https://a.example.org"}),
        with("addresses", json::array{"10.0.0.1/8"}), with("addresses", json::array{"0.0.0.0/0"}),
        with("groups", json::array{""}), with("name", "two\nlines"), with("tenant", "Beta"), with("id", "x"),
        page_with_group, page_that_syncs}) {
    const auto answer = send("POST", "/api/v1/keys/", owner.text, body);
    EXPECT_EQ(answer.status, 400) << json::serialize(body);
  }
  auto long_lived = with("expires", "200d");
  long_lived["exception"] = "the appliance is reconfigured once a year";
  const auto made = make(long_lived, owner.text);
  EXPECT_EQ(text_of(made.all.at("exception").as_object(), "reason"), "the appliance is reconfigured once a year");
  EXPECT_FALSE(text_of(made.all.at("exception").as_object(), "since").empty());
  const auto rotated =
      made_of(send("POST", fmt::format("/api/v1/keys/{}/rotate/", made.id), owner.text, json::object(), true));
  EXPECT_FALSE(rotated.all.contains("exception"));

  const auto page_key = make(page, owner.text);
  EXPECT_TRUE(page_key.text.starts_with("pk_1"));
}

TEST_F(KeyScenarios, nobody_hands_out_what_they_do_not_hold) {
  const auto owner = make_owner();
  const auto clerk = make({{"scopes", json::array{"keys_manage", "project_read"}},
                           {"all_projects", true},
                           {"addresses", json::array{"127.0.0.0/8"}},
                           {"groups", json::array{"staff"}}},
                          owner.text);
  const auto wanted = [&](json::array scopes, json::array groups, json::array addresses) {
    return json::object{{"scopes", std::move(scopes)},
                        {"project_slug", project().slug()},
                        {"groups", std::move(groups)},
                        {"addresses", std::move(addresses)}};
  };
  make(wanted({"project_read"}, {"staff"}, {"127.0.0.0/16"}), clerk.text);
  auto all_groups = wanted({"project_read"}, {}, {"127.0.0.1"});
  all_groups["all_groups"] = true;
  int refused = 0;
  for (const auto& body :
       {wanted({"project_search"}, {}, {"127.0.0.1"}), wanted({"project_read", "chats_read"}, {}, {"127.0.0.1"}),
        wanted({"project_read"}, {"partners"}, {"127.0.0.1"}), all_groups, wanted({"project_read"}, {}, {}),
        wanted({"project_read"}, {}, {"10.0.0.0/8"}), wanted({"project_read"}, {}, {"127.0.0.0/8", "10.0.0.0/8"})}) {
    EXPECT_EQ(send("POST", "/api/v1/keys/", clerk.text, body).status, 403) << json::serialize(body);
    ++refused;
  }
  // A successor's text is told to whoever asks for it.
  const auto wide = make(wanted({"chats_read"}, {}, {}), owner.text);
  EXPECT_EQ(send("POST", fmt::format("/api/v1/keys/{}/rotate/", wide.id), clerk.text, json::object()).status, 403);
  EXPECT_EQ(count_on_trail(clerk.id, "key.create", "", "beyond_own_rights"), refused);
  EXPECT_EQ(count_on_trail(clerk.id, "key.rotate", "", "beyond_own_rights"), 1);
  EXPECT_EQ(count_on_trail(clerk.id, "key.create", "", "scope_held"), 1);
}

TEST_F(KeyScenarios, a_key_from_an_address_it_is_not_for_is_refused_like_any_other_and_its_owner_hears_of_it) {
  const auto owner = make_owner();
  const auto made = make({{"scopes", json::array{"project_read"}},
                          {"project_slug", project().slug()},
                          {"addresses", json::array{"192.0.2.0/24"}}},
                         owner.text);
  const auto answer = send("GET", "/api/v1/projects/alpha-closed/", made.text, std::nullopt);
  const auto unknown = send("GET", "/api/v1/projects/alpha-closed/",
                            identity::make_api_key(identity::KeyKind::secret).reveal(), std::nullopt);
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(testing::blanked(answer), testing::blanked(unknown));
  auto claimed = HttpCall{.path = "/api/v1/projects/alpha-closed/",
                          .headers = {bearer(made.text), {"X-Forwarded-For", "192.0.2.1"}, {"X-Real-IP", "192.0.2.1"}}};
  EXPECT_EQ(client_->send(claimed).status, 401);
  EXPECT_EQ(count_on_trail(made.id, "project.read", project().ref.project.to_string(), "address_not_allowed"), 2);
}

TEST_F(KeyScenarios, a_key_nobody_has_used_for_thirty_days_is_off_until_it_is_enabled) {
  const auto owner = make_owner();
  const auto made = make({{"scopes", json::array{"project_read"}}, {"project_slug", project().slug()}}, owner.text);
  const auto before = server_->installation().clock.now() - std::chrono::days(31);
  run("UPDATE api_keys SET created_at = $2 WHERE id = $1"_sql, made.id, before);
  EXPECT_EQ(read_with(made.text), 401);
  EXPECT_EQ(text_of(as_listed(made.id, owner.text), "state"), "idle");
  EXPECT_EQ(count_on_trail(made.id, "project.read", "", "key_idle"), 1);
  const auto enabled = send("POST", fmt::format("/api/v1/keys/{}/enable/", made.id), owner.text, std::nullopt);
  EXPECT_EQ(enabled.status, 200) << enabled.body;
  EXPECT_EQ(text_of(object_of(enabled), "state"), "active");
  EXPECT_EQ(read_with(made.text), 200);
  EXPECT_EQ(count_on_trail(owner.id.to_string(), "key.enable", made.id, "scope_held"), 1);
}

TEST_F(KeyScenarios, a_secret_key_in_a_browser_is_on_the_trail_and_in_the_log) {
  const auto key = server_->make_key(project());
  const auto answer = client_->send({.path = "/api/v1/projects/alpha-closed/",
                                     .headers = {key.header(), {"Origin", "https://elsewhere.example.net"}}});
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(count_on_trail(key.id.to_string(), "project.read", "", "secret_key_in_browser"), 1);
  const auto log = server_->log();
  const auto line = log.find(R"("event":"secret_key_in_browser")");
  ASSERT_NE(line, std::string::npos);
  const auto whole = log.substr(log.rfind('\n', line) + 1, log.find('\n', line) - log.rfind('\n', line) - 1);
  EXPECT_THAT(whole, ::testing::HasSubstr(R"("level":"warning")"));
  EXPECT_THAT(whole, ::testing::HasSubstr(key.id.to_string()));
  EXPECT_THAT(whole, ::testing::HasSubstr(tenant().to_string()));
}

}  // namespace
}  // namespace parley::scenarios
