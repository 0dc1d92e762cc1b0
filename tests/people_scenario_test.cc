// People: setting up, signing in, second factors, roles, invitations. As a browser does it, cookie and CSRF token and
// all.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/crypto/totp.h"
#include "parley/text/json.h"
#include "tests/browser.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;
using testing::HttpAnswer;
using testing::HttpHeader;
using testing::TestServer;

Secret from_base32(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    bits = bits << 5 | static_cast<std::uint32_t>(c >= 'A' ? c - 'A' : c - '2' + 26);
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xff);
    }
  }
  return Secret(bytes);
}

class People : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
    server = std::make_unique<TestServer>();
    server->add_secret(good_password);
    server->add_secret(other_password);
  }
  void TearDown() override {
    if (server) EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
  }

  /// Makes the first administrator, of Alpha, and signs them in.
  Browser administrator() {
    Browser browser(*server);
    const auto made = browser.send("POST", "/setup",
                                   json::object{{"token", server->make_setup_token()},
                                                {"organisation", "Alpha"},
                                                {"email", "ada@example.org"},
                                                {"password", good_password}});
    EXPECT_EQ(made.status, 201) << made.body;
    const auto in = browser.sign_in("ada@example.org");
    EXPECT_EQ(in.status, 200) << in.body;
    return browser;
  }

  /// Invites somebody and accepts as them.
  Browser join(Browser& inviter, const std::string& email, const std::string& role) {
    const auto invited = inviter.send("POST", "/api/v1/invitations/", json::object{{"email", email}, {"role", role}});
    EXPECT_EQ(invited.status, 201) << invited.body;
    const std::string link(Browser::object(invited).at("link").as_string());
    const auto token = link.substr(link.find('#') + 1);
    server->add_secret(token);
    Browser guest(*server);
    const auto looked = guest.send("POST", "/api/v1/invitations/look/", json::object{{"token", token}});
    EXPECT_EQ(Browser::object(looked).at("organisation"), "Alpha");
    const auto accepted =
        guest.send("POST", "/api/v1/invitations/accept/", json::object{{"token", token}, {"password", good_password}});
    EXPECT_EQ(accepted.status, 200) << accepted.body;
    const auto again = guest.send("POST", "/api/v1/invitations/look/", json::object{{"token", token}});
    EXPECT_EQ(again.status, 404) << "a link is good once";
    return guest;
  }

  /// Sets up an authenticator app; gives its secret and the recovery codes.
  std::pair<Secret, std::vector<std::string>> enrol(Browser& browser) {
    const auto begun = Browser::object(browser.send("POST", "/api/v1/account/totp/", json::object()));
    const std::string text(begun.at("secret").as_string());
    server->add_secret(text);
    // From here on no step ends: what is tried is that the code of one is good once, and the next one's as well.
    server->clock().hold();
    const auto secret = from_base32(text);
    const auto confirmed =
        browser.send("POST", "/api/v1/account/totp/confirm/", json::object{{"code", code_of(secret)}});
    EXPECT_EQ(confirmed.status, 200) << confirmed.body;
    std::vector<std::string> codes;
    const auto shown = Browser::object(confirmed);
    for (const auto& code : shown.at("recovery_codes").as_array()) {
      codes.emplace_back(code.as_string());
      server->add_secret(codes.back());
    }
    return {secret, codes};
  }
  /// The code of now, or of the step after: one step's is accepted once.
  std::string code_of(const Secret& secret, int later = 0) {
    const auto step = crypto::totp_step(server->installation().clock.now(), std::chrono::seconds(30));
    return std::string(crypto::totp_code(secret, step + later).reveal());
  }

  std::unique_ptr<TestServer> server;
};

TEST_F(People, the_first_administrator_signs_in_and_out) {
  Browser ada = administrator();
  EXPECT_THAT(ada.set_cookie,
              ::testing::AllOf(::testing::StartsWith("__Host-parley_session=ps_1"), ::testing::HasSubstr("; Secure"),
                               ::testing::HasSubstr("; HttpOnly"), ::testing::HasSubstr("; SameSite=Strict"),
                               ::testing::HasSubstr("; Path=/"), ::testing::Not(::testing::HasSubstr("Domain"))));
  const auto me = ada.get("/api/v1/session/");
  EXPECT_EQ(me.at("needs"), "nothing");
  EXPECT_EQ(me.at("account").at("email"), "ada@example.org");
  EXPECT_EQ(me.at("organisation").at("name"), "Alpha");
  EXPECT_EQ(me.at("organisation").at("role"), "administrator");
  EXPECT_EQ(me.at("scopes").as_array().size(), all_scopes().size());

  const std::string before = ada.cookie;
  EXPECT_EQ(ada.send("DELETE", "/api/v1/session/").status, 204);
  EXPECT_THAT(ada.set_cookie, ::testing::HasSubstr("Max-Age=0"));
  ada.cookie = before;
  EXPECT_EQ(ada.send("GET", "/api/v1/session/").status, 401) << "signed out is signed out, cookie or not";
}

TEST_F(People, a_wrong_password_and_an_unknown_address_are_told_apart_by_nobody) {
  Browser ada = administrator();
  Browser stranger(*server);
  const auto wrong = stranger.sign_in("ada@example.org", other_password);
  const auto unknown = stranger.sign_in("nobody@example.org", other_password);
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(testing::blanked(wrong), testing::blanked(unknown));
  EXPECT_FALSE(wrong.header("Set-Cookie"));
  const auto asked = stranger.send("POST", "/api/v1/password-resets/", json::object{{"email", "nobody@example.org"}});
  const auto known = stranger.send("POST", "/api/v1/password-resets/", json::object{{"email", "ada@example.org"}});
  EXPECT_EQ(asked.status, 202);
  EXPECT_EQ(testing::blanked(asked), testing::blanked(known));
}

TEST_F(People, a_change_needs_our_page_and_its_token) {
  Browser ada = administrator();
  const auto change = [&](std::vector<HttpHeader> headers) {
    return ada.send("PUT", "/api/v1/organisation/", json::object{{"require_second_factor", false}}, std::move(headers));
  };
  EXPECT_EQ(change({TestServer::own_page()}).status, 200);
  const std::string token = ada.csrf;
  for (const auto* wrong : {"", "x", "undefined"}) {
    ada.csrf = wrong;
    EXPECT_EQ(change({TestServer::own_page()}).status, 403) << wrong;
  }
  ada.csrf = token;
  Browser eve = join(ada, "eve@example.org", "viewer");
  ada.csrf = eve.csrf;
  EXPECT_EQ(change({TestServer::own_page()}).status, 403) << "another session's token";
  ada.csrf = token;
  EXPECT_EQ(change({{"Origin", "https://docs.example.org"}}).status, 403);
  EXPECT_EQ(change({{"Origin", "null"}}).status, 403);
  EXPECT_EQ(change({{"Sec-Fetch-Site", "same-site"}}).status, 403);
  EXPECT_EQ(change({{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  // Reading, too: a session is for our pages.
  EXPECT_EQ(ada.send("GET", "/api/v1/members/", {}, {{"Origin", "https://docs.example.org"}}).status, 403);
  EXPECT_EQ(ada.send("GET", "/api/v1/members/").status, 200);
  // Two cookies of the name: somebody has put one beside ours.
  ada.cookie += "; __Host-parley_session=" + eve.cookie;
  EXPECT_EQ(ada.send("GET", "/api/v1/members/").status, 401);
}

TEST_F(People, a_second_factor_is_asked_for_once_there_is_one) {
  Browser ada = administrator();
  const std::string old = ada.cookie;
  const auto [secret, codes] = enrol(ada);
  EXPECT_EQ(codes.size(), 10U);
  EXPECT_NE(ada.cookie, old) << "the session goes on under a new token";
  Browser stale(*server);
  stale.cookie = old;
  EXPECT_EQ(stale.send("GET", "/api/v1/session/").status, 401);
  EXPECT_EQ(ada.get("/api/v1/session/").at("factor_fresh"), true);

  Browser again(*server);
  EXPECT_EQ(Browser::object(again.sign_in("ada@example.org")).at("needs"), "factor");
  // With the password alone: nothing.
  for (const auto* path : {"/api/v1/session/", "/api/v1/members/", "/api/v1/account/factors/", "/api/v1/keys/"})
    EXPECT_EQ(again.send("GET", path).status, 401) << path;
  EXPECT_EQ(again.send("POST", "/api/v1/account/totp/", json::object()).status, 401);
  EXPECT_EQ(again.send("POST", "/api/v1/session/factor/", json::object{{"totp", "000000"}}).status, 401);
  EXPECT_EQ(again.send("POST", "/api/v1/session/factor/", json::object{{"totp", code_of(secret)}}).status, 401)
      << "the code that enrolled it was used";
  const auto in = again.send("POST", "/api/v1/session/factor/", json::object{{"totp", code_of(secret, 1)}});
  EXPECT_EQ(in.status, 200) << in.body;
  EXPECT_EQ(again.send("GET", "/api/v1/members/").status, 200);

  Browser by_code(*server);
  by_code.sign_in("ada@example.org");
  EXPECT_EQ(by_code.send("POST", "/api/v1/session/factor/", json::object{{"recovery_code", codes[0]}}).status, 200);
  by_code.sign_in("ada@example.org");
  EXPECT_EQ(by_code.send("POST", "/api/v1/session/factor/", json::object{{"recovery_code", codes[0]}}).status, 401);
}

TEST_F(People, an_organisation_can_require_a_second_factor_of_everyone) {
  Browser ada = administrator();
  Browser bob = join(ada, "bob@example.org", "editor");
  EXPECT_EQ(bob.get("/api/v1/session/").at("needs"), "nothing");
  EXPECT_EQ(ada.send("PUT", "/api/v1/organisation/", json::object{{"require_second_factor", true}}).status, 200);

  // Nobody is excepted, not who switched it on either.
  EXPECT_EQ(ada.send("GET", "/api/v1/members/").status, 401);
  EXPECT_EQ(bob.send("GET", "/api/v1/session/").status, 401);
  EXPECT_EQ(Browser::object(ada.sign_in("ada@example.org")).at("needs"), "enrolment");
  for (const auto* path :
       {"/api/v1/members/", "/api/v1/keys/", "/api/v1/projects/alpha-closed/", "/api/v1/account/sessions/"}) {
    const auto refused = ada.send("GET", path);
    EXPECT_TRUE(refused.status == 403 || refused.status == 404) << path << refused.status;
  }
  enrol(ada);
  EXPECT_EQ(ada.get("/api/v1/session/").at("needs"), "nothing");
  EXPECT_EQ(ada.send("GET", "/api/v1/members/").status, 200);
}

TEST_F(People, roles_are_what_they_say_and_change_at_once) {
  Browser ada = administrator();
  Browser viewer = join(ada, "viewer@example.org", "viewer");
  Browser maintainer = join(ada, "maintainer@example.org", "maintainer");

  EXPECT_EQ(viewer.send("GET", "/api/v1/projects/alpha-closed/").status, 200);
  EXPECT_EQ(viewer.send("GET", "/api/v1/projects/alpha-closed/search/?q=turbine").status, 200);
  EXPECT_EQ(viewer.send("GET", "/api/v1/projects/beta-closed/").status, 404);
  EXPECT_EQ(viewer.send("GET", "/api/v1/projects/beta-open/").status, 404);
  EXPECT_EQ(viewer.send("GET", "/api/v1/members/").status, 403);
  EXPECT_EQ(viewer.send("GET", "/api/v1/keys/").status, 403);
  EXPECT_EQ(maintainer.send("GET", "/api/v1/keys/").status, 200);
  const auto chat = json::object{{"project_slug", "alpha-closed"}, {"message", "How do I restart the turbine?"}};
  EXPECT_EQ(viewer.send("POST", "/api/v1/chats/", chat).status, 201);

  const auto id_of = [&](std::string_view email) -> std::string {
    const auto list = ada.get("/api/v1/members/");
    for (const auto& row : list.at("members").as_array())
      if (row.at("email").as_string() == email) return std::string(row.at("id").as_string());
    return {};
  };
  const auto change = [](Browser& by, const std::string& id, std::string_view role) {
    return by.send("PUT", "/api/v1/members/" + id + "/", json::object{{"role", role}}).status;
  };
  // A maintainer manages members, but no administrator, and makes none.
  EXPECT_EQ(change(maintainer, id_of("viewer@example.org"), "editor"), 200);
  EXPECT_EQ(change(maintainer, id_of("viewer@example.org"), "administrator"), 403);
  EXPECT_EQ(change(maintainer, id_of("ada@example.org"), "viewer"), 409) << "and would be the last one";
  EXPECT_EQ(maintainer.send("DELETE", "/api/v1/members/" + id_of("ada@example.org") + "/").status, 409);
  EXPECT_EQ(maintainer.send("PUT", "/api/v1/organisation/", json::object{{"require_second_factor", true}}).status, 403);
  EXPECT_EQ(change(viewer, id_of("viewer@example.org"), "administrator"), 403);
  EXPECT_EQ(change(ada, id_of("ada@example.org"), "viewer"), 409) << "the last administrator stays one";
  EXPECT_EQ(change(ada, "00000000-0000-4000-8000-000000000000", "viewer"), 404);

  // What nobody may smuggle in.
  EXPECT_EQ(viewer
                .send("POST", "/api/v1/chats/",
                      json::object{{"project_slug", "alpha-closed"}, {"message", "x"}, {"role", "administrator"}})
                .status,
            400);

  EXPECT_EQ(change(ada, id_of("maintainer@example.org"), "viewer"), 200);
  EXPECT_EQ(maintainer.send("GET", "/api/v1/keys/").status, 403) << "at once";
  EXPECT_EQ(
      ada.send("PUT", "/api/v1/members/" + id_of("viewer@example.org") + "/",
               json::object{{"role", "viewer"},
                            {"grants", json::array{json::object{{"project", "alpha-closed"}, {"role", "editor"}}}}})
          .status,
      200);
  EXPECT_EQ(
      ada.send("PUT", "/api/v1/members/" + id_of("viewer@example.org") + "/",
               json::object{{"role", "viewer"},
                            {"grants", json::array{json::object{{"project", "beta-closed"}, {"role", "editor"}}}}})
          .status,
      404);
  EXPECT_EQ(ada.send("DELETE", "/api/v1/members/" + id_of("viewer@example.org") + "/").status, 204);
  const auto gone = viewer.send("GET", "/api/v1/projects/alpha-closed/");
  EXPECT_TRUE(gone.status == 401 || gone.status == 404) << gone.status;
}

TEST_F(People, groups_decide_what_a_member_reads_and_change_within_a_second) {
  Browser ada = administrator();
  Browser viewer = join(ada, "viewer@example.org", "viewer");
  Browser maintainer = join(ada, "maintainer@example.org", "maintainer");
  server->add_document(server->alpha_closed(), "# Plans\n\nThe turbine moves to hall zqcobaltvord.\n", "staff");
  const auto finds = [](Browser& who) {
    const auto answer = who.send("GET", "/api/v1/projects/alpha-closed/search/?q=hall");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body.find("zqcobaltvord") != std::string::npos;
  };
  const auto row_of = [&](std::string_view email) -> json::object {
    const auto list = ada.get("/api/v1/members/");
    for (const auto& row : list.at("members").as_array())
      if (row.at("email").as_string() == email) return row.as_object();
    return {};
  };
  const auto put = [&](Browser& by, std::string_view email, json::value groups) {
    const auto row = row_of(email);
    return by
        .send("PUT", "/api/v1/members/" + std::string(std::string_view(row.at("id").as_string())) + "/",
              json::object{{"role", row.at("role")}, {"groups", std::move(groups)}})
        .status;
  };
  server->clock().hold();
  EXPECT_FALSE(finds(viewer));
  EXPECT_FALSE(finds(ada)) << "nor does a role open what is for a group";
  EXPECT_TRUE(row_of("viewer@example.org").at("groups").as_array().empty());
  EXPECT_EQ(put(ada, "viewer@example.org", json::array{"staff", "board"}), 200);
  EXPECT_EQ(row_of("viewer@example.org").at("groups"), (json::array{"board", "staff"}));
  server->clock().advance(std::chrono::seconds(1));
  EXPECT_TRUE(finds(viewer));
  EXPECT_FALSE(finds(maintainer));

  EXPECT_EQ(put(maintainer, "maintainer@example.org", json::array{"staff"}), 403) << "nor to oneself";
  EXPECT_EQ(put(maintainer, "viewer@example.org", json::array{}), 403);
  EXPECT_EQ(put(maintainer, "viewer@example.org", json::array{"board", "staff"}), 200) << "as they are";
  EXPECT_EQ(put(viewer, "viewer@example.org", json::array{"staff", "board", "chiefs"}), 403);
  EXPECT_EQ(put(ada, "viewer@example.org", json::array{""}), 400);
  EXPECT_EQ(put(ada, "viewer@example.org", json::array{"a\nb"}), 400);
  EXPECT_EQ(put(ada, "viewer@example.org", "staff"), 400);
  EXPECT_TRUE(finds(viewer));

  EXPECT_EQ(put(ada, "viewer@example.org", json::array{"board"}), 200);
  server->clock().advance(std::chrono::seconds(1));
  EXPECT_FALSE(finds(viewer));
  const auto trail = server->trail_of(server->alpha_closed().ref.tenant);
  EXPECT_EQ(std::ranges::count_if(trail, [](const auto& r) { return r.action == "members.set_groups"; }), 5)
      << "each that could be understood, also the refused";
}

TEST_F(People, a_new_password_ends_other_sessions) {
  Browser ada = administrator();
  Browser elsewhere(*server);
  elsewhere.sign_in("ada@example.org");
  EXPECT_EQ(ada.get("/api/v1/account/sessions/").at("sessions").as_array().size(), 2U);
  const auto change = [&](const std::string& old) {
    return ada.send("POST", "/api/v1/account/password/", json::object{{"old", old}, {"new", other_password}}).status;
  };
  EXPECT_EQ(change(other_password), 401);
  EXPECT_EQ(change(good_password), 200);
  EXPECT_EQ(elsewhere.send("GET", "/api/v1/session/").status, 401);
  EXPECT_EQ(ada.send("GET", "/api/v1/session/").status, 200);
  EXPECT_EQ(elsewhere.sign_in("ada@example.org").status, 401);
  EXPECT_EQ(elsewhere.sign_in("ada@example.org", other_password).status, 200);
  EXPECT_EQ(ada.send("DELETE", "/api/v1/account/sessions/").status, 204);
  EXPECT_EQ(elsewhere.send("GET", "/api/v1/session/").status, 401);
}

}  // namespace
}  // namespace parley::scenarios
