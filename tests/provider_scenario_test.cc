// Signing in by way of an organisation's provider: the real oidc-provider from npm, walked through over HTTP, and the
// whole program on the other side.

#include <filesystem>
#include <fstream>

#include "parley/crypto/jws_testing.h"
#include "parley/text/percent.h"
#include "testing/oidc_provider.h"
#include "tests/browser.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;
using testing::HttpAnswer;
using testing::OidcProvider;
using testing::TestServer;

constexpr const char* own_address = "https://chat.example.org";
constexpr const char* own_host = "chat.example.org";

std::string parameter(std::string_view address, std::string_view name) {
  for (const auto& each : text::parse_query(address.substr(address.find('?') + 1)).value())
    if (each.name == name) return each.value;
  return {};
}

/// The address with another value for one of its parameters.
std::string with_parameter(std::string address, const std::string& name, const std::string& value) {
  const auto at = address.find(name + "=");
  if (at == std::string::npos) return address;
  const auto from = at + name.size() + 1;
  return address.replace(from, std::min(address.find('&', from), address.size()) - from, value);
}

class Providers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
    if (const auto why = OidcProvider::why_not(); !why.empty()) GTEST_SKIP() << why;
    const auto secret = crypto::testing::base64url(crypto::random_bytes(32));
    real.emplace(secret, std::string(own_address) + "/sign-in/callback", "client_secret_basic");
    ASSERT_NE(real->port(), 0) << "the provider did not start";
    // It answers to two names; only one of them is its own.
    server = std::make_unique<TestServer>(
        fmt::format("[server]\npublic_url = \"{}\"\n[egress.sign_in]\nallow = [\"{}\", \"localhost:{}\"]\n{}",
                    own_address, real->place(), real->port(), TestServer::config_without_limits));
    server->add_secret(secret);
    alpha = server->alpha_open().ref.tenant;
    const auto folder = server->data() / "sign_in_secrets" / alpha.to_string();
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "client") << secret;
    provider = make({{"docs", identity::Role::editor}}).id;
  }
  void TearDown() override {
    if (server) EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
  }

  identity::SignInProvider make(std::map<std::string, identity::Role> groups, std::string issuer = {}) {
    auto& at = server->installation();
    auto made = at.wait(at.providers->create({.tenant = alpha,
                                              .name = "Example Login",
                                              .issuer = issuer.empty() ? real->issuer() : std::move(issuer),
                                              .client_id = "parley",
                                              .client_secret = "file:client",
                                              .scopes = {"openid", "email", "groups"},
                                              .group_roles = std::move(groups),
                                              .email_domains = {"example.org"},
                                              .creates_accounts = true}));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return *made;
  }

  static std::string location(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 303) << answer.body;
    return answer.header("Location").value_or("none");
  }
  /// The path on this server that an address of its own stands for.
  static std::string path_of(const std::string& address) {
    EXPECT_TRUE(address.starts_with(own_address)) << address;
    return address.substr(std::string_view(own_address).size());
  }
  /// As a browser that another site sends here.
  static HttpAnswer follow(Browser& browser, const std::string& path) {
    return browser.send("GET", path, {}, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}});
  }
  std::string start(Browser& browser, const std::string& to = {}) {
    return location(browser.send("GET", "/sign-in/with/" + provider.to_string() + (to.empty() ? "" : "?to=" + to)));
  }
  /// The whole way; gives where it ends.
  std::string sign_in(Browser& browser, const std::string& person, const std::string& to = {}) {
    return location(follow(browser, path_of(real->walk(start(browser, to), person))));
  }
  std::vector<std::string> trail() {
    std::vector<std::string> told;
    for (const auto& record : server->trail_of(alpha))
      told.push_back(record.action + " " + record.rule + " " + record.decision);
    return told;
  }
  Browser browser() { return Browser(*server, own_host); }

  std::optional<OidcProvider> real;
  std::unique_ptr<TestServer> server;
  TenantId alpha;
  identity::SignInProviderId provider;
};

TEST_F(Providers, somebody_new_is_let_in_with_the_role_of_their_group) {
  Browser ada = browser();
  const auto offered = ada.get("/api/v1/providers/?organisation=Alpha").at("providers").as_array();
  ASSERT_EQ(offered.size(), 1U);
  EXPECT_EQ(offered[0].at("name"), "Example Login");
  EXPECT_EQ(offered[0].at("start").as_string(), "/sign-in/with/" + provider.to_string());
  EXPECT_FALSE(offered[0].as_object().contains("client_id"));
  for (const char* other : {"?organisation=Beta", "?organisation=Nobody", ""})
    EXPECT_TRUE(ada.get(std::string("/api/v1/providers/") + other).at("providers").as_array().empty()) << other;

  const auto away = start(ada, "/members");
  EXPECT_TRUE(away.starts_with(real->issuer() + "/auth?")) << away;
  EXPECT_EQ(parameter(away, "code_challenge_method"), "S256");
  EXPECT_THAT(ada.set_ticket, ::testing::AllOf(::testing::HasSubstr("; Secure"), ::testing::HasSubstr("; HttpOnly"),
                                               ::testing::HasSubstr("; SameSite=Lax")));
  const auto back = real->walk(away, "ada");
  const auto in = follow(ada, path_of(back));
  EXPECT_EQ(location(in), "/members");
  EXPECT_THAT(ada.set_cookie, ::testing::AllOf(::testing::StartsWith("__Host-parley_session=ps_1"),
                                               ::testing::HasSubstr("; SameSite=Strict")));
  EXPECT_THAT(ada.set_ticket, ::testing::HasSubstr("Max-Age=0"));
  const auto me = ada.get("/api/v1/session/");
  EXPECT_EQ(me.at("needs"), "nothing");
  EXPECT_EQ(me.at("account").at("email"), "ada@example.org");
  EXPECT_EQ(me.at("organisation").at("name"), "Alpha");
  EXPECT_EQ(me.at("organisation").at("role"), "editor");
  EXPECT_THAT(trail(), ::testing::IsSupersetOf({"provider.sign_in id_token allowed", "account.create provider allowed",
                                                "members.join provider allowed", "session.begin provider allowed"}));

  // Known from then on.
  Browser again = browser();
  EXPECT_EQ(sign_in(again, "ada"), "/account");
  EXPECT_EQ(again.get("/api/v1/session/").at("account").at("id"), me.at("account").at("id"));
  const auto told = trail();
  EXPECT_EQ(std::ranges::count(told, "members.join provider allowed"), 1);
}

TEST_F(Providers, who_is_in_no_mapped_group_or_not_vouched_for_stays_out) {
  Browser grace = browser();
  EXPECT_EQ(sign_in(grace, "grace"), "/sign-in?problem=not-let-in");
  EXPECT_TRUE(grace.cookie.empty());
  EXPECT_THAT(trail(), ::testing::Contains("session.begin not-let-in refused"));
  Browser mallory = browser();
  EXPECT_EQ(sign_in(mallory, "mallory"), "/sign-in?problem=refused") << "the provider does not vouch for the address";
  EXPECT_TRUE(mallory.cookie.empty());
  EXPECT_EQ(server->log().find("grace@"), std::string::npos) << "who it was is not for the log";

  // An address that is known here is no proof of being its owner.
  auto& at = server->installation();
  ASSERT_TRUE(at.wait(at.accounts->create("ada@example.org", Secret(other_password))));
  server->add_secret(other_password);
  Browser ada = browser();
  EXPECT_EQ(sign_in(ada, "ada"), "/sign-in?problem=known-address");
  EXPECT_TRUE(ada.cookie.empty());
}

TEST_F(Providers, an_answer_that_was_not_asked_for_is_refused) {
  const std::string refused = "/sign-in?problem=refused";
  Browser ada = browser();
  const auto back = [&](const std::string& away) { return path_of(real->walk(away, "ada")); };

  auto path = back(start(ada));
  EXPECT_EQ(location(follow(ada, with_parameter(path, "state", "AAAAAAAAAAAAAAAAAAAAAA"))), refused);
  EXPECT_EQ(location(follow(ada, path)), refused) << "the ticket was spent by the attempt";

  path = back(start(ada));
  const std::string issuer = text::percent_encode("https://elsewhere.example");
  EXPECT_EQ(location(follow(ada, with_parameter(path, "iss", issuer))), refused) << "a foreign issuer";

  path = back(with_parameter(start(ada), "nonce", "AAAAAAAAAAAAAAAAAAAAAA"));
  EXPECT_EQ(location(follow(ada, path)), refused) << "the nonce of another attempt";

  path = back(with_parameter(start(ada), "code_challenge", std::string(43, 'A')));
  EXPECT_EQ(location(follow(ada, path)), refused) << "a code that somebody else began";

  path = back(start(ada));
  Browser thief = browser();
  EXPECT_EQ(location(follow(thief, path)), refused) << "in a browser that began nothing";
  thief.ticket = std::string(600, 'A');
  EXPECT_EQ(location(follow(thief, path)), refused);
  const std::string ticket = ada.ticket;
  EXPECT_EQ(location(follow(ada, path)), "/account") << "and in the one that did";

  // The same once more, with all that the browser had; and the code with a ticket that is fresh.
  thief.ticket = ticket;
  EXPECT_EQ(location(follow(thief, path)), refused);
  const auto fresh = start(thief);
  EXPECT_EQ(location(follow(thief, with_parameter(path, "state", parameter(fresh, "state")))), refused);
  EXPECT_EQ(location(follow(thief, "/sign-in/callback")), refused);
  EXPECT_EQ(location(follow(thief, "/sign-in/callback?error=access_denied&error_description=%3Cb%3Ehello")), refused);
  EXPECT_TRUE(thief.cookie.empty());
}

TEST_F(Providers, people_come_back_to_pages_of_ours_alone) {
  Browser ada = browser();
  EXPECT_EQ(sign_in(ada, "ada", "/demo/alpha-open"), "/demo/alpha-open");
  EXPECT_EQ(sign_in(ada, "ada", "/demo/" + std::string(100, 'x')), "/demo/" + std::string(100, 'x'));
  for (const char* other : {"https://evil.example/", "//evil.example", "/%5Cevil.example", "/sign-in", "/demo/",
                            "/account%0d%0aSet-Cookie:%20x=y", "/demo/a/b", "javascript:alert(1)"})
    EXPECT_EQ(sign_in(ada, "ada", other), "/account") << other;
}

TEST_F(Providers, what_the_organisation_asks_for_is_asked_here_too) {
  auto& at = server->installation();
  ASSERT_TRUE(at.wait(at.members->set_second_factor_rule(identity::Doer::local(at.local_operator(0)), alpha,
                                                         identity::SecondFactorRule::required)));
  Browser ada = browser();
  EXPECT_EQ(sign_in(ada, "ada", "/keys"), "/sign-in?to=%2Fkeys");
  EXPECT_EQ(ada.get("/api/v1/session/").at("needs"), "enrolment");
  EXPECT_EQ(ada.send("GET", "/api/v1/members/").status, 403);
}

TEST_F(Providers, an_owner_links_it_to_the_account_they_have) {
  auto& at = server->installation();
  server->add_secret(good_password);
  const auto account = at.wait(at.accounts->create("ada@home.example", Secret(good_password))).value();
  ASSERT_TRUE(at.wait(at.members->add(at.local_operator(0), alpha, account.id, identity::Role::editor)));
  Browser ada = browser();
  ASSERT_EQ(ada.sign_in("ada@home.example").status, 200);
  const auto before = ada.get("/api/v1/account/providers/");
  EXPECT_TRUE(before.at("linked").as_array().empty());
  EXPECT_EQ(before.at("offered").at(0).at("id").as_string(), provider.to_string());
  const json::object choice{{"provider", provider.to_string()}};
  const std::string token = std::exchange(ada.csrf, "");
  EXPECT_EQ(ada.send("POST", "/api/v1/account/providers/", choice).status, 403);
  ada.csrf = token;
  EXPECT_EQ(ada.send("POST", "/api/v1/account/providers/", json::object{{"provider", alpha.to_string()}}).status, 404);
  const auto begun = Browser::object(ada.send("POST", "/api/v1/account/providers/", choice));
  const auto path = path_of(real->walk(std::string(begun.at("address").as_string()), "ada"));
  const std::string session = ada.cookie;
  EXPECT_EQ(location(follow(ada, path)), "/account");
  EXPECT_EQ(ada.cookie, session) << "it was there already";
  EXPECT_EQ(ada.get("/api/v1/account/providers/").at("linked").at(0).at("name"), "Example Login");
  EXPECT_THAT(trail(), ::testing::Contains("account.provider.link provider allowed"));

  Browser again = browser();
  EXPECT_EQ(sign_in(again, "ada"), "/account");
  EXPECT_EQ(again.get("/api/v1/session/").at("account").at("email"), "ada@home.example");
  const std::string one = "/api/v1/account/providers/" + provider.to_string() + "/";
  EXPECT_EQ(again.send("DELETE", one).status, 204);
  EXPECT_EQ(again.send("DELETE", one).status, 404);
  EXPECT_TRUE(again.get("/api/v1/account/providers/").at("linked").as_array().empty());
}

TEST_F(Providers, who_was_disabled_stays_out) {
  auto& at = server->installation();
  Browser ada = browser();
  ASSERT_EQ(sign_in(ada, "ada"), "/account");
  const auto account = at.wait(at.accounts->find_by_email("ada@example.org")).value().value();
  ASSERT_TRUE(at.wait(at.accounts->disable(at.local_operator(0), account.id)));
  ada.cookie.clear();
  EXPECT_EQ(sign_in(ada, "ada"), "/sign-in?problem=refused");
  EXPECT_TRUE(ada.cookie.empty());
  EXPECT_THAT(trail(), ::testing::Contains("session.begin refused refused"));
}

TEST_F(Providers, a_provider_that_cannot_be_asked_is_said_to_be_unavailable) {
  Browser ada = browser();
  const auto start_at = [&](const identity::SignInProvider& at) {
    return location(ada.send("GET", "/sign-in/with/" + at.id.to_string()));
  };
  const auto port = std::to_string(real->port());
  const std::string unavailable = "/sign-in?problem=unavailable";
  EXPECT_EQ(start_at(make({}, "http://localhost:" + port)), unavailable) << "it says that it is another issuer";
  EXPECT_EQ(start_at(make({}, "http://127.0.0.1:1")), unavailable) << "a place that the operator does not list";
  EXPECT_EQ(location(ada.send("GET", "/sign-in/with/00000000-0000-4000-8000-000000000000")), unavailable);
  EXPECT_EQ(location(ada.send("GET", "/sign-in/with/00000000-0000-4000-8000-000000000000?to=/members")),
            unavailable + "&to=%2Fmembers");
  EXPECT_EQ(ada.send("GET", "/sign-in/with/no-id").status, 404);
  EXPECT_EQ(ada.set_cookie, "");

  const auto path = path_of(real->walk(start(ada), "ada"));
  real->stop();
  EXPECT_EQ(location(follow(ada, path)), unavailable) << "down when the code is to be redeemed";
  EXPECT_TRUE(ada.cookie.empty());
}

}  // namespace
}  // namespace parley::scenarios
