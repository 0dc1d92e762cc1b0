// Passkeys over HTTP: with an authenticator in software, whose every part can be made wrong.

#include <algorithm>

#include "parley/identity/passkey_testing.h"
#include "parley/text/base64.h"
#include "tests/browser.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;
using identity::soft::SoftAnswer;
using identity::soft::SoftPasskey;
using testing::HttpAnswer;
using testing::TestServer;

class Passkeys : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
    server = std::make_unique<TestServer>();
    server->add_secret(good_password);
    ada.emplace(*server);
    const auto made = ada->send("POST", "/setup",
                                json::object{{"token", server->make_setup_token()},
                                             {"organisation", "Alpha"},
                                             {"email", "ada@example.org"},
                                             {"password", good_password}});
    ASSERT_EQ(made.status, 201) << made.body;
    ASSERT_EQ(ada->sign_in("ada@example.org").status, 200);
  }
  void TearDown() override {
    if (server) EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
  }

  static SoftAnswer answer_to(const HttpAnswer& begun) {
    EXPECT_EQ(begun.status, 200) << begun.body;
    auto answer = SoftAnswer::to(json::serialize(Browser::object(begun).at("publicKey")));
    // Without a public address the site is localhost, on any port.
    answer.origin = "http://localhost:8080";
    answer.site_id = "localhost";
    return answer;
  }
  HttpAnswer add(Browser& browser, SoftPasskey& device, const char* name = "Desk") {
    const auto begun = browser.send("POST", "/api/v1/account/passkeys/options/");
    if (begun.status != 200) return begun;
    const auto options = Browser::object(begun).at("publicKey");
    EXPECT_EQ(options.at("rp").at("id"), "localhost");
    const auto handle = text::parse_base64url(std::string_view(options.at("user").at("id").as_string())).value();
    device.user_handle.assign(handle.begin(), handle.end());
    auto made =
        browser.send("POST", "/api/v1/account/passkeys/",
                     json::object{{"name", name}, {"credential", json::parse(answer_to(begun).registration(device))}});
    const auto told = Browser::object(made);
    if (const auto* codes = told.if_contains("recovery_codes"))
      for (const auto& code : codes->as_array()) server->add_secret(std::string(code.as_string()));
    return made;
  }
  /// By itself, or as a factor of the browser's session.
  static HttpAnswer present(Browser& browser, const SoftPasskey& device, std::uint8_t flags = 0x05,
                            const char* path = "/api/v1/session/passkey/") {
    auto answer = answer_to(browser.send("POST", "/api/v1/session/passkey/options/", json::object()));
    answer.flags = flags;
    return browser.send("POST", path, json::object{{"credential", json::parse(answer.assertion(device))}});
  }
  std::vector<std::string> trail_of_ada() {
    std::vector<std::string> told;
    // Hers is the organisation that setting up made.
    for (const auto& tenant : server->installation().wait(server->installation().tenants->list()).value())
      for (const auto& record : server->trail_of(tenant.id))
        if (record.action.starts_with("session.") || record.action.starts_with("account."))
          told.push_back(record.action + " " + record.rule + " " + record.decision);
    return told;
  }

  std::unique_ptr<TestServer> server;
  std::optional<Browser> ada;
};

TEST_F(Passkeys, one_is_made_and_signs_its_owner_in_by_itself) {
  const std::string before = ada->cookie;
  SoftPasskey device;
  const auto made = add(*ada, device);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(Browser::object(made).at("needs"), "nothing");
  EXPECT_EQ(Browser::object(made).at("recovery_codes").as_array().size(), 10U) << "for when it is lost";
  EXPECT_NE(ada->cookie, before) << "the session goes on under a new token";
  EXPECT_THAT(ada->set_ticket, ::testing::HasSubstr("Max-Age=0"));
  EXPECT_EQ(ada->get("/api/v1/session/").at("factor_fresh"), true);
  const auto listed = ada->get("/api/v1/account/factors/");
  ASSERT_EQ(listed.at("passkeys").as_array().size(), 1U);
  EXPECT_EQ(listed.at("passkeys").at(0).at("name"), "Desk");
  EXPECT_TRUE(listed.at("passkeys").at(0).at("last_used_at").is_null());

  Browser elsewhere(*server);
  const auto in = present(elsewhere, device);
  ASSERT_EQ(in.status, 200) << in.body;
  EXPECT_THAT(elsewhere.set_ticket, ::testing::HasSubstr("Max-Age=0"));
  EXPECT_EQ(Browser::object(in).at("needs"), "nothing");
  EXPECT_EQ(elsewhere.send("GET", "/api/v1/members/").status, 200);
  EXPECT_EQ(elsewhere.get("/api/v1/session/").at("factor_fresh"), true) << "two factors in one";
  EXPECT_THAT(trail_of_ada(),
              ::testing::IsSupersetOf({"account.passkey.add own_account allowed", "session.begin passkey allowed"}));
}

TEST_F(Passkeys, signing_in_by_it_alone_asks_who_is_there) {
  SoftPasskey device;
  ASSERT_EQ(add(*ada, device).status, 201);
  Browser thief(*server);
  EXPECT_EQ(present(thief, device, 0x01).status, 401) << "present, and nobody verified";
  EXPECT_TRUE(thief.cookie.empty());
  SoftPasskey other;
  other.user_handle = device.user_handle;
  const auto unknown = present(thief, other);
  EXPECT_EQ(unknown.status, 401);
  other.id = device.id;
  EXPECT_EQ(testing::blanked(present(thief, other)), testing::blanked(unknown)) << "a wrong signature says no more";
}

TEST_F(Passkeys, a_ticket_is_its_browsers_and_good_once) {
  SoftPasskey device;
  ASSERT_EQ(add(*ada, device).status, 201);
  Browser mine(*server);
  const auto begun = mine.send("POST", "/api/v1/session/passkey/options/", json::object());
  EXPECT_THAT(mine.set_ticket, ::testing::AllOf(::testing::HasSubstr("; Secure"), ::testing::HasSubstr("; HttpOnly"),
                                                ::testing::HasSubstr("; SameSite=Strict")));
  const json::object answer{{"credential", json::parse(answer_to(begun).assertion(device))}};
  Browser other(*server);
  EXPECT_EQ(other.send("POST", "/api/v1/session/passkey/", answer).status, 401) << "no ticket";
  other.send("POST", "/api/v1/session/passkey/options/", json::object());
  EXPECT_EQ(other.send("POST", "/api/v1/session/passkey/", answer).status, 401) << "another one's challenge";
  const std::string ticket = mine.ticket;
  EXPECT_EQ(mine.send("POST", "/api/v1/session/passkey/", answer).status, 200);
  Browser again(*server);
  again.ticket = ticket;
  EXPECT_EQ(again.send("POST", "/api/v1/session/passkey/", answer).status, 401) << "twice";
  // Another site's page can begin nothing, nor end it.
  const std::vector<testing::HttpHeader> site{{"Origin", TestServer::site}};
  EXPECT_EQ(again.send("POST", "/api/v1/session/passkey/options/", json::object(), site).status, 403);
  EXPECT_EQ(again.send("POST", "/api/v1/session/passkey/", answer, site).status, 403);
}

TEST_F(Passkeys, it_is_the_second_factor_after_a_password) {
  SoftPasskey device;
  ASSERT_EQ(add(*ada, device).status, 201);
  for (const char* path : {"/api/v1/session/passkey/", "/api/v1/session/factor/"}) {
    Browser browser(*server);
    const auto owed = Browser::object(browser.sign_in("ada@example.org"));
    EXPECT_EQ(owed.at("needs"), "factor");
    EXPECT_TRUE(std::ranges::find(owed.at("factors").as_array(), json::value("passkey")) !=
                owed.at("factors").as_array().end());
    EXPECT_EQ(browser.send("GET", "/api/v1/account/factors/").status, 401);
    EXPECT_EQ(browser.send("POST", "/api/v1/account/passkeys/options/").status, 401) << "not one of the thief's own";
    const std::string token = std::exchange(browser.csrf, "");
    EXPECT_EQ(browser.send("POST", "/api/v1/session/passkey/options/", json::object()).status, 403);
    browser.csrf = token;
    const std::string before = browser.cookie;
    const auto in = present(browser, device, 0x01, path);
    ASSERT_EQ(in.status, 200) << in.body;
    EXPECT_NE(browser.cookie, before);
    EXPECT_EQ(browser.send("GET", "/api/v1/members/").status, 200);
  }
  // A session that has ended is in the way of nobody who signs in anew.
  Browser stale(*server);
  stale.sign_in("ada@example.org");
  const std::string old = stale.cookie;
  present(stale, device, 0x01);
  stale.cookie = old;
  stale.csrf.clear();
  EXPECT_EQ(present(stale, device).status, 200);
  EXPECT_EQ(ada->send("POST", "/api/v1/session/factor/", json::object()).status, 400);
}

TEST_F(Passkeys, an_organisation_that_requires_a_factor_takes_one) {
  EXPECT_EQ(ada->send("PUT", "/api/v1/organisation/", json::object{{"require_second_factor", true}}).status, 200);
  EXPECT_EQ(Browser::object(ada->sign_in("ada@example.org")).at("needs"), "enrolment");
  EXPECT_EQ(ada->send("GET", "/api/v1/members/").status, 403);
  SoftPasskey device;
  const auto made = add(*ada, device);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(Browser::object(made).at("needs"), "nothing");
  EXPECT_EQ(ada->send("GET", "/api/v1/members/").status, 200);
  const std::string path = "/api/v1/account/passkeys/" + std::string(Browser::object(made).at("id").as_string()) + "/";
  EXPECT_EQ(ada->send("DELETE", path).status, 409) << "the last one stays";
  SoftPasskey second;
  EXPECT_EQ(add(*ada, second, "Drawer").status, 201);
  EXPECT_EQ(ada->send("DELETE", path).status, 204);
  Browser gone(*server);
  EXPECT_EQ(present(gone, device).status, 401);
  EXPECT_EQ(present(gone, second).status, 200);
}

TEST_F(Passkeys, changing_them_asks_for_what_the_session_showed_just_now) {
  SoftPasskey device;
  const auto made = add(*ada, device);
  const std::string id(Browser::object(made).at("id").as_string());
  const std::string path = "/api/v1/account/passkeys/" + id + "/";
  EXPECT_EQ(ada->send("PUT", path, json::object{{"name", "Drawer"}}).status, 204);
  EXPECT_EQ(ada->get("/api/v1/account/factors/").at("passkeys").at(0).at("name"), "Drawer");
  EXPECT_EQ(ada->send("PUT", path, json::object{{"name", ""}}).status, 400);
  EXPECT_EQ(ada->send("PUT", "/api/v1/account/passkeys/no-id/", json::object{{"name", "x"}}).status, 404);
  EXPECT_EQ(ada->send("DELETE", "/api/v1/account/passkeys/00000000-0000-4000-8000-000000000000/").status, 404);
  const std::string token = std::exchange(ada->csrf, "");
  EXPECT_EQ(ada->send("DELETE", path).status, 403);
  EXPECT_EQ(ada->send("POST", "/api/v1/account/passkeys/options/").status, 403);
  ada->csrf = token;

  // Somebody else's, with a session in which everything was shown.
  const auto invited =
      ada->send("POST", "/api/v1/invitations/", json::object{{"email", "bob@example.org"}, {"role", "administrator"}});
  const std::string link(Browser::object(invited).at("link").as_string());
  server->add_secret(link.substr(link.find('#') + 1));
  Browser bob(*server);
  bob.send("POST", "/api/v1/invitations/accept/",
           json::object{{"token", link.substr(link.find('#') + 1)}, {"password", good_password}});
  SoftPasskey bobs;
  ASSERT_EQ(add(bob, bobs).status, 201);
  EXPECT_EQ(bob.send("PUT", path, json::object{{"name", "mine"}}).status, 404);
  EXPECT_EQ(bob.send("DELETE", path).status, 404);
  EXPECT_EQ(add(bob, device).status, 409) << "known, and another's";

  EXPECT_EQ(ada->send("DELETE", path).status, 204);
  EXPECT_EQ(ada->get("/api/v1/account/factors/").at("passkeys").as_array().size(), 0U);
  EXPECT_EQ(Browser::object(ada->sign_in("ada@example.org")).at("needs"), "nothing") << "none is left to ask for";
  EXPECT_THAT(trail_of_ada(), ::testing::IsSupersetOf({"account.passkey.rename own_account allowed",
                                                       "account.passkey.remove own_account allowed"}));
}

TEST_F(Passkeys, a_copy_is_let_in_nowhere_and_heard_of) {
  SoftPasskey device;
  ASSERT_EQ(add(*ada, device).status, 201);
  device.count = 7;
  Browser owner(*server);
  EXPECT_EQ(present(owner, device).status, 200);
  Browser thief(*server);
  EXPECT_EQ(present(thief, device).status, 401) << "the counter stands still";
  EXPECT_TRUE(thief.cookie.empty());
  EXPECT_THAT(trail_of_ada(), ::testing::Contains("session.begin passkey_copied refused"));
  EXPECT_THAT(server->log(), ::testing::HasSubstr("passkey_copied"));
  device.count = 8;
  EXPECT_EQ(present(thief, device).status, 200);
}

}  // namespace
}  // namespace parley::scenarios
