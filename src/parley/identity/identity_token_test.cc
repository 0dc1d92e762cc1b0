#include "parley/identity/identity_token.h"

#include <gtest/gtest.h>

#include "parley/crypto/jws_testing.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/names.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using namespace db::literals;
using crypto::testing::TestSigner;

// Answers one address with a key set.
class KeyHost final : public net::Web {
 public:
  std::string jwks;
  int asked = 0;
  Async<net::FetchAnswer> fetch(net::FetchRequest request) override {
    ++asked;
    co_return net::FetchAnswer{.status = jwks.empty() ? 404 : 200,
                               .headers = {},
                               .body = Untrusted<std::string>(jwks, Origin::page),
                               .url = request.url};
  }
};

class IdentityTokens : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    keys = std::make_unique<TokenKeys>(host, clock);
    issuers = std::make_unique<IdentityIssuers>(store().control(), keyring.derive("identity issuers"), *keys, clock);
    docs = make_project(acme, "docs");
    other = make_project(acme, "other");
  }
  NewIdentityIssuer wanted(IssuerKeys how) const {
    return {.tenant = acme,
            .project = docs,
            .name = "the shop",
            .issuer = "https://shop.example",
            .audience = "chat",
            .keys = std::move(how),
            .groups = {.extent = ReadableGroups::Extent::all}};
  }
  std::int64_t seconds() const { return clock.now().micros / 1'000'000; }
  boost::json::object claims() const {
    return {{"iss", "https://shop.example"},
            {"aud", "chat"},
            {"sub", "customer-7"},
            {"iat", seconds()},
            {"exp", seconds() + 600},
            {"email", "Ada@Example.org"},
            {"groups", boost::json::array{"gold", "beta"}}};
  }
  static std::string token(const TestSigner& signer, const boost::json::object& of, std::string_view kid = "") {
    return signer.token(boost::json::serialize(of), kid);
  }
  Result<VerifiedVisitor> verify(std::string text) { return wait(issuers->verify(acme, docs, std::move(text))); }

  KeyHost host;
  std::unique_ptr<TokenKeys> keys;
  std::unique_ptr<IdentityIssuers> issuers;
  ProjectId docs;
  ProjectId other;
};

INSTANTIATE_TEST_SUITE_P(engines, IdentityTokens, ::testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::internal : result.error().code();
}

TEST_P(IdentityTokens, of_a_shared_secret_say_who_the_visitor_is) {
  const auto made = wait(issuers->create(wanted(SharedSecret{})));
  ASSERT_TRUE(made) << describe_for_operator(made.error());
  const auto signer = TestSigner::hmac(std::string(made->secret.reveal()));
  const auto visitor = verify(token(signer, claims()));
  ASSERT_TRUE(visitor) << describe_for_operator(visitor.error());
  EXPECT_EQ(visitor->subject, "customer-7");
  EXPECT_EQ(visitor->email, "ada@example.org");
  EXPECT_EQ(visitor->groups, (std::vector<std::string>{"beta", "gold"}));
  EXPECT_EQ(visitor->expires_at, clock.now() + 600s);
  EXPECT_EQ(visitor->issuer, made->issuer.id);
  // The secret is nowhere in clear, and opens in no other row.
  const auto rows = store().control().read_blocking([](db::ControlReader& r) {
    return r.all("SELECT sealed_secret, jwks, name FROM identity_issuers"_sql, [](const db::Row& row) {
      return std::string(row.blob(0)) + std::string(row.text(1)) + std::string(row.text(2));
    });
  });
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).find(made->secret.reveal()), std::string::npos);
}

TEST_P(IdentityTokens, of_published_keys_are_verified_with_them) {
  const auto rsa = TestSigner::rsa();
  const auto ec = TestSigner::ec();
  ASSERT_TRUE(wait(issuers->create(wanted(InlineKeys{R"({"keys":[)" + rsa.jwk("r") + "," + ec.jwk("e") + "]}"}))));
  EXPECT_TRUE(verify(token(rsa, claims(), "r")));
  EXPECT_TRUE(verify(token(ec, claims(), "e")));
  EXPECT_EQ(code_of(verify(token(ec, claims(), "r"))), Code::unauthenticated);
  EXPECT_EQ(code_of(verify(token(TestSigner::ec(), claims(), "e"))), Code::unauthenticated);
  EXPECT_EQ(code_of(verify(token(TestSigner::hmac(rsa.jwk("r")), claims(), "r"))), Code::unauthenticated);

  auto elsewhere = wanted(KeysAt{"https://shop.example/keys"});
  elsewhere.issuer = "https://shop.example/2";
  elsewhere.name = "the second shop";
  ASSERT_TRUE(wait(issuers->create(elsewhere)));
  auto said = claims();
  said["iss"] = "https://shop.example/2";
  EXPECT_EQ(code_of(verify(token(ec, said, "e"))), Code::unavailable) << "not anonymous: the keys cannot be had";
  host.jwks = R"({"keys":[)" + ec.jwk("e") + "]}";
  EXPECT_EQ(code_of(verify(token(ec, said, "e"))), Code::unavailable) << "who did not answer is left alone for a while";
  EXPECT_EQ(host.asked, 1);
  clock.advance(TokenKeys::retry_after);
  EXPECT_TRUE(verify(token(ec, said, "e")));
  EXPECT_TRUE(verify(token(ec, said, "e")));
  EXPECT_EQ(host.asked, 2);
  EXPECT_EQ(code_of(verify(token(rsa, said, "r"))), Code::unauthenticated) << "a key of another issuer is not tried";
  EXPECT_EQ(host.asked, 2);
  clock.advance(TokenKeys::unknown_key_refresh_after);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code_of(verify(token(rsa, said, "r"))), Code::unauthenticated);
  EXPECT_EQ(host.asked, 3) << "names of keys can be invented";
  host.jwks.clear();
  clock.advance(TokenKeys::refresh_after);
  said["iat"] = seconds();
  said["exp"] = seconds() + 600;
  EXPECT_TRUE(verify(token(ec, said, "e"))) << "an outage of its site is nobody's";
  EXPECT_TRUE(verify(token(ec, said, "e")));
  EXPECT_EQ(host.asked, 4);
  clock.advance(TokenKeys::age_max);
  said["iat"] = seconds();
  said["exp"] = seconds() + 600;
  EXPECT_EQ(code_of(verify(token(ec, said, "e"))), Code::unavailable) << "but not for ever: a key may be withdrawn";
}

TEST_P(IdentityTokens, that_do_not_hold_are_refused_alike) {
  const auto made = wait(issuers->create(wanted(SharedSecret{}))).value();
  const auto signer = TestSigner::hmac(std::string(made.secret.reveal()));
  using Change = std::function<void(boost::json::object&)>;
  const std::vector<std::pair<const char*, Change>> wrong{
      {"another issuer", [](auto& c) { c["iss"] = "https://evil.example"; }},
      {"no issuer", [](auto& c) { c.erase("iss"); }},
      {"another audience", [](auto& c) { c["aud"] = "other"; }},
      {"no subject", [](auto& c) { c.erase("sub"); }},
      {"a number for a subject", [](auto& c) { c["sub"] = 7; }},
      {"a line end in it", [](auto& c) { c["sub"] = "a\nb"; }},
      {"over", [&](auto& c) { c["iat"] = seconds() - 100, c["exp"] = seconds() - 60; }},
      {"over an hour", [&](auto& c) { c["exp"] = seconds() + 3601; }},
      {"ending before it begins", [&](auto& c) { c["exp"] = seconds() - 1; }},
      {"from the future", [&](auto& c) { c["iat"] = seconds() + 61; }},
      {"no time of issue", [](auto& c) { c.erase("iat"); }},
      {"no end", [](auto& c) { c.erase("exp"); }},
      {"an end in words", [](auto& c) { c["exp"] = "tomorrow"; }},
      {"an end beyond all years", [](auto& c) { c["exp"] = 1e300; }},
      {"not yet", [&](auto& c) { c["nbf"] = seconds() + 61; }},
      {"an address that is none", [](auto& c) { c["email"] = "nobody"; }},
      {"groups that are none", [](auto& c) { c["groups"] = boost::json::object(); }},
      {"a group that is none", [](auto& c) { c["groups"] = boost::json::array{"a", 7}; }},
  };
  for (const auto& [what, change] : wrong) {
    auto said = claims();
    change(said);
    const auto visitor = verify(token(signer, said));
    ASSERT_FALSE(visitor) << what;
    EXPECT_EQ(visitor.error().code(), Code::unauthenticated) << what;
    EXPECT_EQ(visitor.error().reason().view(), "the identity token is not valid") << what;
  }
  const auto good = token(signer, claims());
  for (std::size_t i = 0; i < good.size(); i += 3) {
    auto changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != good) EXPECT_EQ(code_of(verify(changed)), Code::unauthenticated) << i;
  }
  EXPECT_EQ(code_of(verify(signer.token_of(R"({"alg":"HS256","typ":"at+jwt"})", boost::json::serialize(claims())))),
            Code::unauthenticated);
  EXPECT_EQ(code_of(verify(token(TestSigner::hmac(), claims()))), Code::unauthenticated);
  auto late = claims();
  late["iat"] = seconds() - 100;
  late["exp"] = seconds() - 59;
  EXPECT_TRUE(verify(token(signer, late))) << "clocks may differ by a minute";
  auto unsaid = claims();
  unsaid["email_verified"] = false;
  EXPECT_FALSE(verify(token(signer, unsaid))->email) << "an address nobody checked names nobody";
}

TEST_P(IdentityTokens, are_good_for_their_own_project_alone) {
  const auto made = wait(issuers->create(wanted(SharedSecret{}))).value();
  const auto text = token(TestSigner::hmac(std::string(made.secret.reveal())), claims());
  EXPECT_TRUE(verify(text));
  EXPECT_EQ(code_of(wait(issuers->verify(acme, other, text))), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(issuers->verify(zeta, docs, text))), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(issuers->remove(zeta, docs, made.issuer.id))), Code::not_found);
  EXPECT_EQ(code_of(wait(issuers->remove(acme, other, made.issuer.id))), Code::not_found);
  EXPECT_TRUE(wait(issuers->list(zeta, docs))->empty());
  EXPECT_EQ(wait(issuers->list(acme, docs))->size(), 1U);
  ASSERT_TRUE(wait(issuers->remove(acme, docs, made.issuer.id)));
  EXPECT_EQ(code_of(verify(text)), Code::unauthenticated);
}

TEST_P(IdentityTokens, are_believed_of_groups_what_their_issuer_is_believed) {
  auto few = wanted(SharedSecret{});
  few.groups = {.names = {"gold", "silver"}};
  const auto made = wait(issuers->create(few)).value();
  const auto signer = TestSigner::hmac(std::string(made.secret.reveal()));
  auto said = claims();
  boost::json::array many{"gold"};
  for (std::size_t i = 0; i < 2 * groups_held_max; ++i) many.emplace_back("g" + std::to_string(i));
  said["groups"] = many;
  EXPECT_EQ(verify(token(signer, said))->groups, (std::vector<std::string>{"gold"}));

  auto all = wanted(SharedSecret{});
  all.name = all.issuer = "all";
  const auto any = wait(issuers->create(all)).value();
  said["iss"] = "all";
  EXPECT_EQ(code_of(verify(token(TestSigner::hmac(std::string(any.secret.reveal())), said))), Code::unauthenticated)
      << "a list that was cut would be another list";

  auto none = wanted(SharedSecret{});
  none.name = none.issuer = "none";
  none.groups = {};
  const auto closed = wait(issuers->create(none)).value();
  said["iss"] = "none";
  EXPECT_TRUE(verify(token(TestSigner::hmac(std::string(closed.secret.reveal())), said))->groups.empty());
}

TEST_P(IdentityTokens, name_the_same_visitor_each_time) {
  const auto made = wait(issuers->create(wanted(SharedSecret{}))).value();
  const auto signer = TestSigner::hmac(std::string(made.secret.reveal()));
  const auto key = crypto::SealKey::make();
  const auto id_of = [&](const boost::json::object& said, ProjectId project) {
    return visitor_id_of(verify(token(signer, said)).value(), project, key);
  };
  auto other_subject = claims();
  other_subject["sub"] = "customer-8";
  const auto id = id_of(claims(), docs);
  EXPECT_EQ(id, id_of(claims(), docs));
  EXPECT_NE(id, id_of(other_subject, docs));
  EXPECT_NE(id, id_of(claims(), other));
  EXPECT_EQ(Uuid::parse(id.to_string()), id);
  EXPECT_TRUE(wait(issuers->holds(acme, docs, made.issuer.id)).value());
  EXPECT_FALSE(wait(issuers->holds(acme, other, made.issuer.id)).value());
  EXPECT_FALSE(wait(issuers->holds(zeta, docs, made.issuer.id)).value());
  ASSERT_TRUE(wait(issuers->remove(acme, docs, made.issuer.id)));
  EXPECT_FALSE(wait(issuers->holds(acme, docs, made.issuer.id)).value());
}

TEST_P(IdentityTokens, issuers_that_could_check_nothing_are_not_made) {
  EXPECT_EQ(code_of(wait(issuers->create(wanted(SharedSecret{Secret("short")})))), Code::invalid_argument);
  EXPECT_EQ(code_of(wait(issuers->create(wanted(SharedSecret{Secret(std::string(40, 'a'))})))), Code::invalid_argument);
  EXPECT_EQ(code_of(wait(issuers->create(wanted(InlineKeys{"{}"})))), Code::invalid_argument);
  EXPECT_EQ(code_of(wait(issuers->create(wanted(InlineKeys{R"({"keys":[)" + TestSigner::hmac().jwk() + "]}"})))),
            Code::invalid_argument)
      << "a published secret is none";
  EXPECT_EQ(code_of(wait(issuers->create(wanted(KeysAt{"file:///etc/hostname"})))), Code::invalid_argument);
  auto nameless = wanted(SharedSecret{});
  nameless.name.clear();
  EXPECT_EQ(code_of(wait(issuers->create(nameless))), Code::invalid_argument);
  auto theirs = wanted(SharedSecret{});
  theirs.tenant = zeta;
  EXPECT_EQ(code_of(wait(issuers->create(theirs))), Code::not_found);
  ASSERT_TRUE(wait(issuers->create(wanted(SharedSecret{}))));
  EXPECT_EQ(code_of(wait(issuers->create(wanted(SharedSecret{})))), Code::conflict) << "the same iss twice";
  auto open_audience = wanted(SharedSecret{});
  open_audience.issuer = "b";
  EXPECT_EQ(code_of(wait(issuers->create(open_audience))), Code::conflict) << "the same name twice";
  open_audience.name = "b";
  open_audience.audience.clear();
  EXPECT_EQ(wait(issuers->create(open_audience))->issuer.audience, docs.to_string());
  ASSERT_TRUE(wait(tenants->remove_project(acme, docs))) << "the rows go with the project";
}

}  // namespace
}  // namespace parley::identity
