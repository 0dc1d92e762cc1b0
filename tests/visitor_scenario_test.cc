// Visitors whom the customer's own server vouches for: who they are, what they read, until when; and every way in which
// somebody could claim to be one.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/crypto/jws_testing.h"
#include "parley/db/session.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/text/json.h"
#include "testing/loopback_server.h"
#include "testing/test_server.h"
#include "tests/calls.h"

namespace parley::scenarios {
namespace {

using namespace db::literals;
namespace json = boost::json;

using crypto::testing::TestSigner;
using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpHeader;
using testing::LoopbackServer;
using testing::TestKey;
using testing::TestProject;
using testing::TestServer;

constexpr std::string_view staff_word = "zqcobaltvord";

class VerifiedVisitors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
    server = std::make_unique<TestServer>(std::string(TestServer::config_without_limits) +
                                          fmt::format("\n[egress.issuers]\nallow = [\"{}\"]\n", key_host.place()));
    client.emplace(server->port());
    owner = server->make_key({.tenant = project().ref.tenant, .project = std::nullopt});
    page_key = server->make_key({.tenant = project().ref.tenant,
                                 .project = project().ref.project,
                                 .scopes = ScopeSet::public_keys(),
                                 .kind = identity::KeyKind::public_key});
    server->add_document(project(), fmt::format("# Plans\n\nThe turbine moves to hall {}.\n", staff_word), "staff");
  }
  void TearDown() override {
    if (server) EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
  }

  const TestProject& project() const { return server->alpha_closed(); }

  static HttpHeader bearer(std::string_view text) { return {"Authorization", "Bearer " + std::string(text)}; }
  static json::object object_of(const HttpAnswer& answer) {
    const auto value = text::parse_json(answer.body);
    EXPECT_TRUE(value && value->is_object()) << answer.status << answer.body;
    return value && value->is_object() ? value->as_object() : json::object();
  }
  static std::string text_of(const json::object& of, std::string_view name) {
    return std::string(std::string_view(of.at(name).as_string()));
  }

  HttpAnswer send(std::string method, std::string path, std::vector<HttpHeader> headers,
                  std::optional<json::object> body = {}) {
    HttpCall call{.method = std::move(method), .path = std::move(path), .headers = std::move(headers)};
    if (body) {
      call.headers.push_back({"Content-Type", "application/json"});
      call.body = json::serialize(*body);
    }
    auto answer = client->send(call);
    EXPECT_THAT(server->problems_of(answer, {.readable = {project().slug()}, .issues_token = true}),
                ::testing::IsEmpty())
        << answer.body;
    return answer;
  }

  std::string issuers_path(const TestProject& of) { return fmt::format("/api/v1/projects/{}/issuers/", of.slug()); }
  HttpAnswer add_issuer(json::object more, const TestProject& of, const TestKey& by) {
    json::object body{{"name", "the shop"}, {"issuer", shop}, {"audience", "chat"}};
    for (auto& [name, value] : more) body[name] = value;
    return send("POST", issuers_path(of), {by.header()}, body);
  }
  /// Of a shared secret, on the project; gives its signer.
  TestSigner make_shop() {
    const auto added = add_issuer({{"shared_secret", true}}, project(), owner);
    EXPECT_EQ(added.status, 201) << added.body;
    const auto secret = text_of(object_of(added), "secret");
    server->add_secret(secret);
    return TestSigner::hmac(secret);
  }

  std::int64_t now() { return server->installation().clock.now().micros / 1'000'000; }
  json::object claims() {
    return {{"iss", shop},         {"aud", "chat"},
            {"sub", "customer-7"}, {"iat", now() - 10},
            {"exp", now() + 600},  {"email", "ada@example.org"},
            {"nbf", now() - 10},   {"groups", json::array{"staff"}}};
  }
  static std::string sign(const TestSigner& signer, const json::object& said, std::string_view kid = "") {
    return signer.token(json::serialize(said), kid);
  }

  /// As a page of the site asks for a visitor's token.
  HttpAnswer visit(std::optional<std::string> identity, const TestKey& by, const TestProject& of) {
    json::object body{{"project_slug", of.slug()}};
    if (identity) body["identity_token"] = *identity;
    return send("POST", "/api/v1/visitors/", {by.header(), {"Origin", TestServer::site}}, body);
  }
  HttpAnswer visit(std::optional<std::string> identity) { return visit(std::move(identity), page_key, project()); }
  struct Visitor {
    std::string token, id;
    std::int64_t expires_in = 0;
  };
  Visitor visitor(std::optional<std::string> identity) {
    const auto answer = visit(std::move(identity));
    EXPECT_EQ(answer.status, 201) << answer.body;
    const auto made = object_of(answer);
    if (answer.status != 201) return {};
    server->add_secret(text_of(made, "token"));
    return {text_of(made, "token"), text_of(made, "visitor"), made.at("expires_in").as_int64()};
  }

  HttpAnswer search(std::string_view token, std::string_view words = "hall") {
    return send("GET", fmt::format("/api/v1/projects/{}/search/?q={}", project().slug(), words),
                {bearer(token), {"Origin", TestServer::site}});
  }
  bool finds_plans(std::string_view token) {
    const auto answer = search(token);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body.find(staff_word) != std::string::npos;
  }
  HttpAnswer chat(std::string_view token, std::string message, std::optional<std::string> uuid = {}) {
    json::object body{{"project_slug", project().slug()}, {"message", std::move(message)}};
    if (uuid) body["chat_uuid"] = *uuid;
    return send("POST", "/api/v1/chats/", {bearer(token), {"Origin", TestServer::site}}, body);
  }

  /// What is published for RS256 and ES256.
  std::string published = R"({"keys":[]})";
  LoopbackServer key_host{[this](const std::string&) {
    return LoopbackServer::Said{
        fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", published.size(), published)};
  }};
  const std::string shop = "https://shop.example";
  std::unique_ptr<TestServer> server;
  std::optional<testing::HttpClient> client;
  TestKey owner, page_key;
};

TEST_F(VerifiedVisitors, read_what_their_groups_may_and_no_more) {
  const auto signer = make_shop();
  EXPECT_FALSE(finds_plans(visitor({}).token));
  const auto ada = visitor(sign(signer, claims()));
  EXPECT_TRUE(finds_plans(ada.token));
  EXPECT_THAT(chat(ada.token, "Where does the turbine move to?").body, ::testing::HasSubstr(staff_word));
  auto said = claims();
  for (const json::value& groups :
       {json::value(json::array{"sales"}), json::value(json::array()), json::value("Staff")}) {
    said["groups"] = groups;
    EXPECT_FALSE(finds_plans(visitor(sign(signer, said)).token)) << groups;
  }
  said.erase("groups");
  EXPECT_FALSE(finds_plans(visitor(sign(signer, said)).token));
}

TEST_F(VerifiedVisitors, are_the_same_each_time_and_keep_their_chats) {
  const auto signer = make_shop();
  const auto first = visitor(sign(signer, claims()));
  const auto answer = chat(first.token, "When does the harbour office open?");
  ASSERT_EQ(answer.status, 201) << answer.body;
  const auto uuid = text_of(object_of(answer), "chat_uuid");

  auto later = claims();
  later["exp"] = now() + 1200;
  const auto second = visitor(sign(signer, later));
  EXPECT_EQ(first.id, second.id);
  EXPECT_NE(first.token, second.token);
  EXPECT_EQ(chat(second.token, "And when does it close?", uuid).status, 200);

  auto another = claims();
  another["sub"] = "customer-8";
  const auto eve = visitor(sign(signer, another));
  EXPECT_NE(eve.id, first.id);
  EXPECT_EQ(chat(eve.token, "And when does it close?", uuid).status, 404);
  EXPECT_EQ(chat(visitor({}).token, "And when does it close?", uuid).status, 404);
}

TEST_F(VerifiedVisitors, last_no_longer_than_what_their_server_said) {
  const auto signer = make_shop();
  EXPECT_EQ(visitor({}).expires_in, 12 * 3600);
  const auto leeway = std::chrono::duration_cast<std::chrono::seconds>(identity::token_leeway).count();
  for (const std::int64_t life : {30, 600, 3500}) {
    auto said = claims();
    said["exp"] = now() + life;
    const auto made = visitor(sign(signer, said));
    EXPECT_LE(made.expires_in, life + leeway);
    EXPECT_GE(made.expires_in, life + leeway - 5);
  }
}

TEST_F(VerifiedVisitors, may_be_signed_for_by_published_keys_of_two_algorithms) {
  const auto rsa = TestSigner::rsa();
  const auto ec = TestSigner::ec();
  const auto set = R"({"keys":[)" + rsa.jwk("r") + "," + ec.jwk("e") + "]}";
  ASSERT_EQ(add_issuer({{"jwks", set}}, project(), owner).status, 201);
  const auto at_rsa = visitor(sign(rsa, claims(), "r"));
  const auto at_ec = visitor(sign(ec, claims(), "e"));
  EXPECT_EQ(at_rsa.id, at_ec.id);
  EXPECT_TRUE(finds_plans(at_rsa.token));
  EXPECT_TRUE(finds_plans(at_ec.token));
  // The public key of one algorithm is no secret of another.
  EXPECT_EQ(visit(sign(TestSigner::hmac(rsa.modulus()), claims(), "r")).status, 401);
  EXPECT_EQ(visit(sign(TestSigner::hmac(rsa.jwk("r")), claims(), "r")).status, 401);
  EXPECT_EQ(visit(sign(TestSigner::hmac(ec.jwk("e")), claims(), "e")).status, 401);

  // The same by address: asked for once, and again for a key it lacks, but not each time somebody invents one.
  published = R"({"keys":[)" + ec.jwk("e") + "]}";
  ASSERT_EQ(
      add_issuer({{"name", "elsewhere"}, {"issuer", "https://elsewhere.example"}, {"jwks_url", key_host.url("/keys")}},
                 project(), owner)
          .status,
      201);
  auto said = claims();
  said["iss"] = "https://elsewhere.example";
  EXPECT_TRUE(finds_plans(visitor(sign(ec, said, "e")).token));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(visit(sign(ec, said, fmt::format("k{}", i))).status, 401);
    visitor(sign(ec, said, "e"));
  }
  EXPECT_EQ(key_host.calls(), 1);
  EXPECT_NE(visitor(sign(ec, said, "e")).id, at_ec.id) << "another issuer's customer-7 is somebody else";
}

TEST_F(VerifiedVisitors, whose_keys_are_where_the_program_may_not_go_are_not_taken_for_anybody) {
  LoopbackServer unlisted([](const std::string&) { return LoopbackServer::Said{}; });
  const auto ec = TestSigner::ec();
  ASSERT_EQ(add_issuer({{"jwks_url", unlisted.url("/keys")}}, project(), owner).status, 201);
  const auto answer = visit(sign(ec, claims(), "e"));
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_TRUE(answer.header("Retry-After"));
  EXPECT_EQ(answer.body.find("vt_"), std::string::npos);
  EXPECT_EQ(answer.body.find("127.0.0.1"), std::string::npos) << answer.body;
  EXPECT_EQ(unlisted.calls(), 0);
}

TEST_F(VerifiedVisitors, are_never_whoever_an_invalid_token_says) {
  const auto signer = make_shop();
  const auto rsa = TestSigner::rsa();
  ASSERT_EQ(
      add_issuer({{"name", "keys"}, {"issuer", "https://keys.example"}, {"jwks", R"({"keys":[)" + rsa.jwk("r") + "]}"}},
                 project(), owner)
          .status,
      201);
  // Beta has an issuer of the same name in `iss`, with a secret of its own and the same audience.
  const auto beta_owner = server->make_key({.tenant = server->beta_closed().ref.tenant, .project = std::nullopt});
  const auto theirs = add_issuer({{"shared_secret", true}}, server->beta_closed(), beta_owner);
  ASSERT_EQ(theirs.status, 201);
  server->add_secret(text_of(object_of(theirs), "secret"));
  const auto beta_signer = TestSigner::hmac(text_of(object_of(theirs), "secret"));

  const auto good = sign(signer, claims());
  ASSERT_EQ(visit(good).status, 201);
  const auto first = good.find('.'), last = good.rfind('.');
  const auto header = good.substr(0, first), payload = good.substr(first + 1, last - first - 1);
  const auto signature = good.substr(last + 1);
  const auto with = [&](std::string_view name, const json::value& value) {
    auto said = claims();
    said[name] = value;
    return sign(signer, said);
  };
  const auto without = [&](std::string_view name) {
    auto said = claims();
    said.erase(name);
    return sign(signer, said);
  };
  auto boss = claims();
  boss["sub"] = "the boss";
  auto of_keys = claims();
  of_keys["iss"] = "https://keys.example";
  const auto b64 = [](std::string_view text) { return crypto::testing::base64url(text); };
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"nothing", ""},
      {"no token", "somebody"},
      {"alg none", b64(R"({"alg":"none","typ":"JWT"})") + "." + payload + "."},
      {"alg None with the signature", b64(R"({"alg":"None"})") + "." + payload + "." + signature},
      {"no alg", b64(R"({"typ":"JWT"})") + "." + payload + "." + signature},
      {"its signature taken off", header + "." + payload + "."},
      {"its signature and dot taken off", header + "." + payload},
      {"half its signature", good.substr(0, good.size() - 20)},
      {"others' claims under its signature", header + "." + b64(json::serialize(boss)) + "." + signature},
      {"another's signature under its claims",
       header + "." + payload + "." + sign(signer, boss).substr(sign(signer, boss).rfind('.') + 1)},
      {"a foreign secret", sign(TestSigner::hmac(), claims())},
      {"a foreign key", sign(TestSigner::rsa(), of_keys, "r")},
      {"the key of another issuer of the project", sign(rsa, claims(), "r")},
      {"the secret of another issuer of the project", sign(signer, of_keys)},
      {"HS256 with a public key", sign(TestSigner::hmac(rsa.jwk("r")), of_keys, "r")},
      {"its key in the header",
       signer.token_of(R"({"alg":"HS256","jwk":{"kty":"oct","k":"YQ"}})", json::serialize(claims()))},
      {"another kind of token", signer.token_of(R"({"alg":"HS256","typ":"at+jwt"})", json::serialize(claims()))},
      {"another tenant's secret", sign(beta_signer, claims())},
      {"over", with("exp", now() - 61)},
      {"longer than an hour", with("exp", now() + 3700)},
      {"issued long ago", with("iat", now() - 4000)},
      {"issued in the future", with("iat", now() + 120)},
      {"not valid yet", with("nbf", now() + 120)},
      {"another audience", with("aud", "elsewhere")},
      {"of another project", with("aud", json::value(server->alpha_open().ref.project.to_string()))},
      {"no audience", without("aud")},
      {"another issuer", with("iss", "https://elsewhere.example")},
      {"no subject", without("sub")},
      {"no end", without("exp")},
      {"no time of issue", without("iat")},
      {"groups that are none", with("groups", json::object())},
  };
  std::optional<std::string> one_answer;
  for (const auto& [what, token] : wrong) {
    const auto answer = visit(token);
    EXPECT_EQ(answer.status, 401) << what << answer.body;
    EXPECT_EQ(answer.body.find("vt_"), std::string::npos) << what;
    if (!one_answer) one_answer = testing::blanked(answer);
    EXPECT_EQ(testing::blanked(answer), *one_answer) << what << ": told apart from the others";
  }
  // On another project of the tenant the good one is no better.
  const auto open_key = server->make_key({.tenant = project().ref.tenant,
                                          .project = server->alpha_open().ref.project,
                                          .scopes = ScopeSet::public_keys(),
                                          .kind = identity::KeyKind::public_key});
  EXPECT_EQ(visit(good, open_key, server->alpha_open()).status, 401);
  EXPECT_EQ(visit(good).status, 201) << "nothing of this was held against it";

  // On record: each one counted, and a server's on its owner's trail.
  const auto server_asks = send("POST", "/api/v1/visitors/", {owner.header()},
                                json::object{{"project_slug", project().slug()},
                                             {"origin", TestServer::site},
                                             {"identity_token", sign(TestSigner::hmac(), claims())}});
  EXPECT_EQ(server_asks.status, 401);
  const auto trail = server->trail_of(project().ref.tenant);
  EXPECT_EQ(std::ranges::count_if(trail,
                                  [&](const auto& r) {
                                    return r.rule == "identity_invalid" && r.actor_id == owner.id.to_string() &&
                                           r.action == "visitor.create" && r.decision == "refused";
                                  }),
            1);
  auto& at = server->installation();
  ASSERT_TRUE(at.wait(at.refusals->flush()));
  const auto counted = at.store->control().read_blocking([](db::ControlReader& reader) {
    return reader.find("SELECT SUM(count) FROM anonymous_refusals WHERE rule = 'identity_invalid'"_sql,
                       [](const db::Row& row) { return row.integer(0); });
  });
  ASSERT_TRUE(counted && *counted);
  EXPECT_EQ(**counted, static_cast<std::int64_t>(wrong.size()) + 1);
  EXPECT_THAT(server->log(), ::testing::HasSubstr(R"("event":"identity_token_refused")"));
  EXPECT_THAT(server->log(), ::testing::HasSubstr("another audience"));
}

TEST_F(VerifiedVisitors, are_the_only_ones_where_they_are_required) {
  const auto signer = make_shop();
  const auto before = visitor({});
  const auto known = visitor(sign(signer, claims()));
  EXPECT_EQ(search(before.token).status, 200);
  ProjectAccess access = *project().ref.access;
  access.visitors = ProjectAccess::Visitors::verified;
  server->set_access(project(), access);

  EXPECT_EQ(search(before.token).status, 403) << "a token of before is no identity";
  EXPECT_EQ(chat(before.token, std::string(question)).status, 403);
  const auto unknown = visit({});
  EXPECT_EQ(unknown.status, 403);
  EXPECT_THAT(unknown.body, ::testing::HasSubstr("identity_token"));
  EXPECT_EQ(search(page_key.text).status, 403) << "nor is what everybody has";
  EXPECT_EQ(send("GET", fmt::format("/api/v1/projects/{}/", project().slug()),
                 {page_key.header(), {"Origin", TestServer::site}})
                .status,
            200);
  EXPECT_TRUE(finds_plans(known.token));
  EXPECT_TRUE(finds_plans(visitor(sign(signer, claims())).token));
  EXPECT_EQ(send("GET", fmt::format("/api/v1/projects/{}/search/?q=hall", project().slug()), {owner.header()}).status,
            200)
      << "a server speaks for itself";

  auto& at = server->installation();
  access.biel_compat = ProjectAccess::BielCompat::on;
  const auto both = at.wait(at.tenants->set_access(project().ref.tenant, project().ref.project, access));
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code(), Code::invalid_argument);
}

TEST_F(VerifiedVisitors, are_nobody_once_their_issuer_is_removed) {
  const auto signer = make_shop();
  const auto ada = visitor(sign(signer, claims()));
  EXPECT_TRUE(finds_plans(ada.token));
  const auto removed = send("DELETE", issuers_path(project()) + "?name=the%20shop", {owner.header()});
  EXPECT_EQ(removed.status, 200) << removed.body;
  EXPECT_EQ(search(ada.token).status, 401);
  EXPECT_EQ(visit(sign(signer, claims())).status, 401);
  EXPECT_EQ(send("DELETE", issuers_path(project()) + "?name=the%20shop", {owner.header()}).status, 404);
}

TEST_F(VerifiedVisitors, are_vouched_for_by_whom_the_projects_managers_say) {
  const auto added = add_issuer({{"shared_secret", true}, {"groups", json::array{"staff"}}}, project(), owner);
  ASSERT_EQ(added.status, 201) << added.body;
  const auto secret = text_of(object_of(added), "secret");
  server->add_secret(secret);
  const auto listed = send("GET", issuers_path(project()), {owner.header()});
  EXPECT_EQ(listed.status, 200);
  const auto rows = object_of(listed).at("issuers").as_array();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(text_of(rows[0].as_object(), "keys"), "shared_secret");
  EXPECT_FALSE(rows[0].as_object().contains("secret")) << "told once";
  EXPECT_EQ(listed.body.find(secret), std::string::npos);

  const auto key_with = [&](ScopeSet scopes) {
    return server->make_key({.tenant = project().ref.tenant, .project = project().ref.project, .scopes = scopes});
  };
  const auto clerk = key_with({Scope::project_read, Scope::chat_create, Scope::keys_manage});
  EXPECT_EQ(add_issuer({{"shared_secret", true}}, project(), clerk).status, 403);
  EXPECT_EQ(send("GET", issuers_path(project()), {clerk.header()}).status, 403);
  EXPECT_EQ(send("DELETE", issuers_path(project()) + "?name=x", {clerk.header()}).status, 403);
  const auto manager = key_with({Scope::project_manage});
  EXPECT_EQ(send("GET", issuers_path(project()), {manager.header()}).status, 200);
  const auto foreign = server->make_key({.tenant = server->beta_open().ref.tenant, .project = std::nullopt});
  EXPECT_EQ(add_issuer({{"shared_secret", true}}, project(), foreign).status, 404);
  EXPECT_EQ(send("GET", issuers_path(project()), {foreign.header()}).status, 404);

  // Nobody lets others say what they do not hold themselves.
  auto& at = server->installation();
  const auto few = at.wait(at.keys->create({.tenant = project().ref.tenant,
                                            .project = project().ref.project,
                                            .name = "",
                                            .scopes = {Scope::project_manage},
                                            .groups = {.names = {"sales"}},
                                            .lifetime = std::chrono::hours(1)}));
  ASSERT_TRUE(few);
  const TestKey sales{few->record.id, std::string(few->text.reveal())};
  server->add_secret(sales.text);
  const auto wants = [&](json::object more) {
    more["name"] = "second";
    more["issuer"] = "https://second.example";
    more["shared_secret"] = true;
    const auto answer = add_issuer(std::move(more), project(), sales);
    if (answer.status == 201) server->add_secret(text_of(object_of(answer), "secret"));
    return answer.status;
  };
  EXPECT_EQ(wants({}), 403) << "without a list it is any group";
  EXPECT_EQ(wants({{"groups", json::array{"staff"}}}), 403);
  EXPECT_EQ(wants({{"groups", json::array{"sales"}}}), 201);
  EXPECT_EQ(wants({{"groups", json::array{"sales"}}}), 409);

  for (const auto& bad :
       {json::object{}, json::object{{"shared_secret", true}, {"jwks_url", "https://a.example/keys"}},
        json::object{{"jwks", "{}"}}, json::object{{"jwks", R"({"keys":[{"kty":"oct","k":"AAAA"}]})"}},
        json::object{{"jwks_url", "file:///etc/passwd"}}, json::object{{"shared_secret", true}, {"name", "a\nb"}},
        json::object{{"shared_secret", true}, {"issuer", ""}},
        json::object{{"shared_secret", true}, {"groups", json::array{""}}}}) {
    auto body = bad;
    if (!body.contains("name")) body["name"] = "third";
    if (!body.contains("issuer")) body["issuer"] = "https://third.example";
    EXPECT_EQ(add_issuer(body, project(), owner).status, 400) << json::serialize(bad);
  }
  const auto trail = server->trail_of(project().ref.tenant);
  const auto count = [&](std::string_view action, std::string_view rule) {
    return std::ranges::count_if(trail, [&](const auto& r) { return r.action == action && r.rule == rule; });
  };
  EXPECT_EQ(count("issuer.add", "scope_held"), 3) << "also one that then met a conflict";
  EXPECT_EQ(count("issuer.add", "beyond_own_rights"), 2);
}

}  // namespace
}  // namespace parley::scenarios
