#include "parley/identity/oidc.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "parley/identity/account_store.h"
#include "parley/identity/oidc_sign_in.h"
#include "parley/identity/oidc_testing.h"
#include "parley/identity/test_stores.h"
#include "testing/oidc_provider.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using soft::parameter;
using soft::SoftProvider;

constexpr const char* redirect_uri = "https://chat.example.org/sign-in/callback";

template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::internal : result.error().code();
}

SignInProvider good_provider() {
  return {.name = "Example",
          .issuer = "https://id.example.org",
          .client_id = "parley",
          .client_secret = {},
          .authentication = ClientAuthentication::none,
          .email_domains = {"example.org"},
          .default_role = Role::viewer,
          .creates_accounts = true};
}

TEST(Oidc, a_provider_is_checked_before_it_is_kept) {
  ASSERT_TRUE(check_provider(good_provider()));
  const std::vector<std::pair<const char*, std::function<void(SignInProvider&)>>> wrong{
      {"no name", [](auto& p) { p.name.clear(); }},
      {"no issuer", [](auto& p) { p.issuer.clear(); }},
      {"no address", [](auto& p) { p.issuer = "id.example.org"; }},
      {"a query", [](auto& p) { p.issuer += "?x"; }},
      {"a user", [](auto& p) { p.issuer = "https://user@id.example.org"; }},
      {"no client", [](auto& p) { p.client_id.clear(); }},
      {"a secret nobody asks for", [](auto& p) { p.client_secret = "env:X"; }},
      {"no secret", [](auto& p) { p.authentication = ClientAuthentication::secret_basic; }},
      {"a literal secret",
       [](auto& p) {
         p.authentication = ClientAuthentication::secret_post;
         p.client_secret = crypto::testing::base64url(crypto::random_bytes(32));
       }},
      {"no openid", [](auto& p) { p.scopes = {"email"}; }},
      {"no email", [](auto& p) { p.scopes = {"openid"}; }},
      {"two scopes in one", [](auto& p) { p.scopes.push_back("a b"); }},
      {"a domain that is none", [](auto& p) { p.email_domains = {"example"}; }},
      {"an address as domain", [](auto& p) { p.email_domains = {"x@example.org"}; }},
      {"accounts for everybody", [](auto& p) { p.email_domains.clear(); }},
  };
  for (const auto& [what, change] : wrong) {
    auto provider = good_provider();
    change(provider);
    EXPECT_EQ(code_of(check_provider(provider)), Code::invalid_argument) << what;
  }
  auto provider = good_provider();
  provider.email_domains = {"Example.ORG"};
  EXPECT_EQ(check_provider(provider)->email_domains[0], "example.org");
}

TEST(Oidc, secrets_are_referred_to_and_only_within_the_organisation) {
  const db::TemporaryFolder folder;
  const auto acme = crypto::random_id<TenantId>();
  const auto zeta = crypto::random_id<TenantId>();
  std::filesystem::create_directories(folder.path() / acme.to_string());
  const auto text = crypto::testing::base64url(crypto::random_bytes(24));
  std::ofstream(folder.path() / acme.to_string() / "client") << text << "\n";
  std::ofstream(folder.path() / "outside") << text;
  const SecretReferences secrets(folder.path().string());
  EXPECT_EQ(secrets.load(acme, "file:client")->reveal(), text);
  EXPECT_EQ(code_of(secrets.load(zeta, "file:client")), Code::not_found);
  for (const std::string_view wrong :
       {std::string_view("file:../outside"), std::string_view("file:/etc/hostname"), std::string_view("file:.."),
        std::string_view("file:."), std::string_view("file:"), std::string_view("file:a/b"), std::string_view("env:"),
        std::string_view("env:A B"), std::string_view("env:A=B"), std::string_view("env:../x"),
        std::string_view("client"), std::string_view("literal:x"), std::string_view(text),
        std::string_view("FILE:client")})
    EXPECT_EQ(code_of(secrets.load(acme, wrong)), Code::invalid_argument) << wrong;

  std::string id = acme.to_string();
  std::erase(id, '-');
  for (char& c : id) c = static_cast<char>(std::toupper(c));
  const auto variable = "PARLEY_OIDC_" + id + "_CLIENT";
  ::setenv(variable.c_str(), text.c_str(), 1);
  EXPECT_EQ(secrets.load(acme, "env:CLIENT")->reveal(), text);
  EXPECT_EQ(code_of(secrets.load(zeta, "env:CLIENT")), Code::not_found);
  EXPECT_EQ(code_of(secrets.load(acme, "env:PATH")), Code::not_found) << "not any variable";
  ::unsetenv(variable.c_str());
}

TEST(Oidc, a_person_returns_to_a_path_of_ours) {
  EXPECT_EQ(local_path("/projects/docs?tab=keys#x"), "/projects/docs?tab=keys#x");
  EXPECT_EQ(local_path("/" + std::string(128, 'x')), "/") << "longer than any, and than a cookie has room for";
  for (const char* other : {"", "projects", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb",
                            "/a b", "\\\\evil.example", "javascript:alert(1)"})
    EXPECT_EQ(local_path(other), "/") << other;
}

class SignInContract : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    tickets = std::make_unique<SignInTickets>(keyring.derive("sign-in tickets"), store().control(), clock);
    keys = std::make_unique<TokenKeys>(web, clock);
    sessions = std::make_unique<SessionStore>(store().control(), clock);
    accounts = std::make_unique<AccountStore>(store().control(), hasher, *sessions, clock);
    open();
  }
  void open(ProviderSessions kind = ProviderSessions::are_whole) {
    ProviderSignInOptions options{.redirect_uri = redirect_uri, .sessions = kind};
    options.take_invitation = [this](TenantId tenant, std::string_view email, Timestamp,
                                     db::ControlWriter&) -> Result<std::optional<Role>> {
      if (tenant == acme && email == invited) return std::optional(Role::editor);
      return std::optional<Role>();
    };
    sign_ins = std::make_unique<ProviderSignIns>(store().control(), web, *keys, *tickets,
                                                 SecretReferences(folder.path().string()), workers, options, clock);
  }
  SignInProvider make(SignInProvider wanted = good_provider()) {
    wanted.tenant = acme;
    const auto made = wait(sign_ins->create(std::move(wanted)));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return *made;
  }
  AccountId make_account(std::string email) {
    return wait(accounts->create(std::move(email), Secret("quartz lantern oblique ferry")))->id;
  }
  Result<ProviderRequest> begin(const SignInProvider& provider, std::optional<AccountId> link_to = {}) {
    auto begun = wait(sign_ins->begin(provider.tenant, provider.id, "", "/home", link_to));
    if (begun) web.nonce = parameter(begun->address, "nonce");
    return begun;
  }
  static std::string answer_to(const ProviderRequest& request) {
    return "code=abc&state=" + parameter(request.address, "state") + "&iss=https%3A%2F%2Fid.example.org";
  }
  Result<ProviderProof> sign_in(const SignInProvider& provider, std::optional<AccountId> link_to = {}) {
    const auto begun = PARLEY_TRY(begin(provider, link_to));
    return wait(sign_ins->finish("", begun.ticket, answer_to(begun)));
  }
  std::optional<Role> role_in(TenantId tenant, AccountId account) {
    return store()
        .control()
        .read_blocking([&](db::ControlReader& reader) { return by_tenant::find_role(tenant, account, reader); })
        .value();
  }
  Result<void> set_role(AccountId account, TenantId tenant, Role role) {
    return store().control().write_blocking(
        [&](db::ControlWriter& writer) { return by_tenant::put_member(tenant, account, role, writer); });
  }
  Result<std::int64_t> remove_member(AccountId account, TenantId tenant) {
    return store().control().write_blocking(
        [&](db::ControlWriter& writer) { return by_tenant::remove_member(tenant, account, writer); });
  }

  SoftProvider web{clock};
  db::TemporaryFolder folder;
  PasswordHasher hasher{workers, {.memory_bytes = 8192, .passes = 1}};
  std::string invited;
  std::unique_ptr<SignInTickets> tickets;
  std::unique_ptr<TokenKeys> keys;
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<AccountStore> accounts;
  std::unique_ptr<ProviderSignIns> sign_ins;
};

INSTANTIATE_TEST_SUITE_P(engines, SignInContract, ::testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(SignInContract, somebody_new_gets_an_account_and_is_known_by_the_subject_from_then_on) {
  const auto provider = make();
  const auto begun = begin(provider).value();
  EXPECT_TRUE(begun.address.starts_with("https://id.example.org/auth?tenant=x&response_type=code&client_id=parley&"));
  EXPECT_EQ(parameter(begun.address, "redirect_uri"), redirect_uri);
  EXPECT_EQ(parameter(begun.address, "scope"), "openid email profile");
  EXPECT_EQ(parameter(begun.address, "code_challenge_method"), "S256");
  EXPECT_EQ(begun.ticket.find(web.nonce), std::string::npos);
  const auto longest = wait(sign_ins->begin(acme, provider.id, "", "/demo/" + std::string(100, 'x'), AccountId()));
  EXPECT_LE(longest->ticket.size(), 512U) << "it has to fit into a cookie of ours";
  const auto proof = wait(sign_ins->finish("", begun.ticket, answer_to(begun)));
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_EQ(proof->made, ProviderProof::Made::account);
  EXPECT_EQ(proof->proven->account(), proof->account);
  EXPECT_EQ(proof->proven->step(), FirstStep::provider);
  EXPECT_EQ(proof->tenant, acme);
  EXPECT_EQ(proof->role, Role::viewer);
  EXPECT_EQ(proof->return_to, "/home");
  EXPECT_FALSE(proof->used_factor);
  EXPECT_EQ(role_in(acme, proof->account), Role::viewer);
  const auto body = std::string(web.last_token_request.body->reveal());
  EXPECT_EQ(crypto::testing::base64url(crypto::sha256(parameter("?" + body, "code_verifier")).view()),
            parameter(begun.address, "code_challenge"));
  EXPECT_EQ(parameter("?" + body, "client_id"), "parley");
  // No password opens it.
  EXPECT_EQ(code_of(wait(accounts->verify_password("ada@example.org", Secret("quartz lantern oblique ferry")))),
            Code::unauthenticated);

  web.email = "ada.new@example.org";
  const auto again = sign_in(provider);
  ASSERT_TRUE(again) << describe_for_operator(again.error());
  EXPECT_EQ(again->account, proof->account) << "the address may change, the subject is who it is";
  EXPECT_EQ(again->made, ProviderProof::Made::nothing);
  web.subject = "43";
  web.email = "ada@example.org";
  EXPECT_EQ(code_of(sign_in(provider)), Code::conflict) << "another subject with a known address is somebody else";
  EXPECT_EQ(web.asked["/.well-known/openid-configuration"], 1) << "remembered";
  EXPECT_EQ(web.asked["/jwks"], 1);
}

TEST_P(SignInContract, an_address_alone_never_takes_over_an_account) {
  const auto provider = make();
  const auto ada = make_account("ada@example.org");
  EXPECT_EQ(code_of(sign_in(provider)), Code::conflict);
  EXPECT_TRUE(wait(sign_ins->identities_of(ada))->empty());
  EXPECT_FALSE(role_in(acme, ada));
  invited = "ada@example.org";
  const auto proof = sign_in(provider);
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_EQ(proof->account, ada);
  EXPECT_EQ(proof->made, ProviderProof::Made::link);
  EXPECT_EQ(proof->role, Role::editor);
}

TEST_P(SignInContract, not_even_an_invitation_gives_one_organisation_an_account_of_another) {
  const auto provider = make();
  const auto ada = make_account("ada@example.org");
  ASSERT_TRUE(set_role(ada, zeta, Role::administrator));
  invited = "ada@example.org";
  for (const auto kind : {ProviderSessions::are_whole, ProviderSessions::are_confined}) {
    open(kind);
    EXPECT_EQ(code_of(sign_in(provider)), Code::conflict);
    EXPECT_TRUE(wait(sign_ins->identities_of(ada))->empty());
    EXPECT_FALSE(role_in(acme, ada)) << "nothing of a refused sign-in is kept";
  }
}

TEST_P(SignInContract, an_account_made_by_one_organisation_is_no_way_into_another) {
  const auto provider = make();
  const auto proof = sign_in(provider).value();
  // The other organisation invites that address, believing it to be somebody's own.
  ASSERT_TRUE(set_role(proof.account, zeta, Role::maintainer));
  EXPECT_EQ(code_of(sign_in(provider)), Code::conflict);
  open(ProviderSessions::are_confined);
  EXPECT_EQ(sign_in(provider)->tenant, acme) << "where sessions are confined, it acts for the provider's alone";
}

TEST_P(SignInContract, an_owner_links_a_provider_to_their_account) {
  const auto provider = make();
  const auto ada = make_account("ada@home.example");
  ASSERT_TRUE(set_role(ada, acme, Role::maintainer));
  const auto proof = sign_in(provider, ada);
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_EQ(proof->account, ada);
  EXPECT_TRUE(proof->asked_to_link);
  EXPECT_EQ(proof->role, Role::maintainer) << "without groups the provider decides no role";
  EXPECT_EQ(sign_in(provider)->account, ada);
  EXPECT_FALSE(sign_in(provider)->asked_to_link);
  const auto linked = wait(sign_ins->identities_of(ada)).value();
  ASSERT_EQ(linked.size(), 1U);
  EXPECT_EQ(linked[0].subject, "42");
  const auto bob = make_account("bob@home.example");
  EXPECT_EQ(code_of(sign_in(provider, bob)), Code::conflict) << "linked to somebody already";
  EXPECT_EQ(code_of(wait(sign_ins->unlink(bob, provider.id))), Code::not_found);
  ASSERT_TRUE(wait(sign_ins->unlink(ada, provider.id)));
  EXPECT_NE(sign_in(provider)->account, ada);
}

TEST_P(SignInContract, who_was_removed_or_disabled_stays_out) {
  auto wanted = good_provider();
  wanted.creates_accounts = false;
  const auto provider = make(wanted);
  EXPECT_EQ(code_of(sign_in(provider)), Code::permission_denied) << "nobody is made";
  invited = "ada@example.org";
  const auto proof = sign_in(provider).value();
  EXPECT_EQ(proof.role, Role::editor);
  invited.clear();
  EXPECT_TRUE(sign_in(provider));
  const auto keeper = make_account("keeper@example.org");
  ASSERT_TRUE(set_role(keeper, acme, Role::administrator));
  ASSERT_TRUE(remove_member(proof.account, acme));
  EXPECT_EQ(code_of(sign_in(provider)), Code::permission_denied);
  EXPECT_FALSE(role_in(acme, proof.account));
  ASSERT_TRUE(wait(accounts->disable(local_operator(), proof.account)));
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
}

TEST_P(SignInContract, groups_decide_roles_where_they_are_mapped) {
  auto wanted = good_provider();
  wanted.default_role = std::nullopt;
  wanted.group_roles = {{"docs", Role::editor}, {"owners", Role::administrator}, {"staff", Role::viewer}};
  const auto provider = make(wanted);
  EXPECT_EQ(code_of(sign_in(provider)), Code::permission_denied) << "no group, no role";
  web.groups = {"unknown", "staff", "docs"};
  const auto proof = sign_in(provider).value();
  EXPECT_EQ(proof.role, Role::editor) << "the highest counts";
  web.groups = {"staff"};
  EXPECT_EQ(sign_in(provider)->role, Role::viewer);
  EXPECT_EQ(role_in(acme, proof.account), Role::viewer);
  web.groups = {"owners"};
  EXPECT_EQ(sign_in(provider)->role, Role::administrator);
  web.groups = {"staff"};
  EXPECT_EQ(sign_in(provider)->role, Role::administrator) << "the last administrator stays one";
  web.groups = {};
  EXPECT_EQ(code_of(sign_in(provider)), Code::permission_denied);
  web.change_claims = [](auto& claims) { claims["groups"] = 7; };
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
}

TEST_P(SignInContract, an_answer_that_was_not_asked_for_is_refused) {
  const auto provider = make();
  const auto attempt = [&](const std::function<std::string(const ProviderRequest&)>& query) {
    const auto begun = begin(provider).value();
    return code_of(wait(sign_ins->finish("", begun.ticket, query(begun))));
  };
  const auto state = [](const ProviderRequest& r) { return parameter(r.address, "state"); };
  const std::string iss = "&iss=https%3A%2F%2Fid.example.org";
  ASSERT_EQ(attempt([&](auto& r) { return "code=abc&state=" + state(r) + iss; }), Code::internal) << "it is let in";
  EXPECT_EQ(attempt([&](auto&) { return "code=abc&state=other" + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto&) { return "code=abc" + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "code=abc&state=" + state(r); }), Code::unauthenticated) << "mix-up: no iss";
  EXPECT_EQ(attempt([&](auto& r) { return "code=abc&state=" + state(r) + "&iss=https%3A%2F%2Fevil.example"; }),
            Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "code=abc&state=" + state(r) + iss + "%2F"; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "state=" + state(r) + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "code=&state=" + state(r) + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "error=access_denied&state=" + state(r) + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "code=a&code=b&state=" + state(r) + iss; }), Code::unauthenticated);
  EXPECT_EQ(attempt([&](auto& r) { return "code=" + std::string(9000, 'c') + "&state=" + state(r) + iss; }),
            Code::unauthenticated);
  const auto tokens_asked = web.asked["/token"];
  EXPECT_EQ(tokens_asked, 1) << "no code is redeemed for an answer that does not hold";

  // One ticket is not another's, is good once, and for ten minutes.
  const auto one = begin(provider).value();
  const auto two = begin(provider).value();
  EXPECT_EQ(code_of(wait(sign_ins->finish("", one.ticket, answer_to(two)))), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(sign_ins->finish("", one.ticket, answer_to(one)))), Code::unauthenticated) << "spent";
  EXPECT_EQ(code_of(wait(sign_ins->finish("x", two.ticket, answer_to(two)))), Code::unauthenticated);
  clock.advance(provider_attempt_life);
  EXPECT_EQ(code_of(wait(sign_ins->finish("", two.ticket, answer_to(two)))), Code::unauthenticated);
}

TEST_P(SignInContract, an_id_token_that_does_not_hold_is_refused) {
  const auto provider = make();
  ASSERT_TRUE(sign_in(provider));
  const auto seconds = [&] { return clock.now().micros / 1'000'000; };
  const std::vector<std::pair<const char*, SoftProvider::Change>> wrong{
      {"another issuer", [](auto& c) { c["iss"] = "https://evil.example"; }},
      {"a slash more", [](auto& c) { c["iss"] = "https://id.example.org/"; }},
      {"another audience", [](auto& c) { c["aud"] = "other"; }},
      {"no audience", [](auto& c) { c.erase("aud"); }},
      {"several and no party", [](auto& c) { c["aud"] = boost::json::array{"parley", "other"}; }},
      {"another party", [](auto& c) { c["azp"] = "other"; }},
      {"another nonce", [](auto& c) { c["nonce"] = "other"; }},
      {"no nonce", [](auto& c) { c.erase("nonce"); }},
      {"expired", [&](auto& c) { c["iat"] = seconds() - 300, c["exp"] = seconds() - 61; }},
      {"issued in the future", [&](auto& c) { c["iat"] = seconds() + 61; }},
      {"issued long ago", [&](auto& c) { c["iat"] = seconds() - 3600; }},
      {"a life of days", [&](auto& c) { c["exp"] = seconds() + 100 * 3600; }},
      {"not valid yet", [&](auto& c) { c["nbf"] = seconds() + 61; }},
      {"no end", [](auto& c) { c.erase("exp"); }},
      {"no subject", [](auto& c) { c.erase("sub"); }},
      {"an empty subject", [](auto& c) { c["sub"] = ""; }},
      {"a long subject", [](auto& c) { c["sub"] = std::string(256, 's'); }},
      {"another access token", [](auto& c) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA"; }},
      {"not verified", [](auto& c) { c["email_verified"] = false; }},
      {"verified in words", [](auto& c) { c["email_verified"] = "true"; }},
      {"no address", [](auto& c) { c["email"] = "nobody"; }},
  };
  for (const auto& [what, change] : wrong) {
    web.change_claims = change;
    EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated) << what;
  }
  web.change_claims = [](auto& c) { c["email"] = "ada@evil.example"; };
  EXPECT_EQ(code_of(sign_in(provider)), Code::permission_denied) << "another domain";
  web.change_claims = [](auto& c) {
    c["aud"] = boost::json::array{"parley", "other"};
    c["azp"] = "parley";
    c["at_hash"] = crypto::testing::base64url(crypto::sha256("opaque").view().substr(0, 16));
    c["amr"] = boost::json::array{"pwd", "mfa"};
  };
  const auto proof = sign_in(provider);
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_TRUE(proof->used_factor);
  EXPECT_EQ(proof->proven->step(), FirstStep::provider_with_factor);
}

TEST_P(SignInContract, keys_are_the_providers_and_asked_for_seldom) {
  const auto provider = make();
  ASSERT_TRUE(sign_in(provider));
  // A stranger who knows the key's name, and a shared secret in place of a key.
  auto honest = std::move(web.signer);
  web.signer = crypto::testing::TestSigner::ec();
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  web.signer = crypto::testing::TestSigner::hmac();
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  web.change_tokens = [](auto& tokens) { tokens["id_token"] = "e30.e30."; };
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  web.change_tokens = [](auto&) {};
  EXPECT_EQ(web.asked["/jwks"], 1);

  // The provider's new key: not seen within a minute of the last question, and at once after it.
  web.signer = crypto::testing::TestSigner::ec();
  web.kid = "two";
  web.published = web.signer.jwk("two");
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  EXPECT_EQ(web.asked["/jwks"], 1);
  clock.advance(1min);
  EXPECT_TRUE(sign_in(provider));
  EXPECT_EQ(web.asked["/jwks"], 2);
  web.kid = "invented";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  EXPECT_EQ(web.asked["/jwks"], 2);
  // The old one is gone.
  web.kid = "one";
  web.signer = std::move(honest);
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
}

TEST_P(SignInContract, metadata_must_be_of_exactly_this_issuer) {
  const std::vector<std::pair<const char*, SoftProvider::Change>> wrong{
      {"another issuer", [](auto& m) { m["issuer"] = "https://evil.example"; }},
      {"a slash more", [](auto& m) { m["issuer"] = "https://id.example.org/"; }},
      {"no issuer", [](auto& m) { m.erase("issuer"); }},
      {"no token endpoint", [](auto& m) { m.erase("token_endpoint"); }},
      {"plain http", [](auto& m) { m["token_endpoint"] = "http://id.example.org/token"; }},
      {"a script", [](auto& m) { m["authorization_endpoint"] = "javascript:alert(1)"; }},
      {"a user", [](auto& m) { m["jwks_uri"] = "https://user@id.example.org/jwks"; }},
      {"other signatures", [](auto& m) { m["id_token_signing_alg_values_supported"] = boost::json::array{"HS256"}; }},
  };
  const auto provider = make();
  for (const auto& [what, change] : wrong) {
    web.change_metadata = change;
    EXPECT_EQ(code_of(begin(provider)), Code::unavailable) << what;
  }
}

TEST_P(SignInContract, userinfo_is_asked_for_what_the_token_lacks_and_must_be_of_the_same_person) {
  const auto provider = make();
  web.change_claims = [](auto& claims) { claims.erase("email"), claims.erase("email_verified"); };
  const auto proof = sign_in(provider);
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_EQ(proof->said.email, "ada@example.org");
  web.change_userinfo = [](auto& userinfo) { userinfo["sub"] = "1"; };
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
  web.change_userinfo = [](auto& userinfo) { userinfo.erase("email_verified"); };
  EXPECT_EQ(code_of(sign_in(provider)), Code::unauthenticated);
}

TEST_P(SignInContract, the_client_shows_who_it_is) {
  const auto text = crypto::testing::base64url(crypto::random_bytes(24)) + "%&";
  std::filesystem::create_directories(folder.path() / acme.to_string());
  std::ofstream(folder.path() / acme.to_string() / "client") << text;
  auto wanted = good_provider();
  wanted.client_secret = "file:client";
  wanted.authentication = ClientAuthentication::secret_basic;
  ASSERT_TRUE(sign_in(make(wanted)));
  std::string authorization;
  for (const auto& header : web.last_token_request.headers)
    if (header.name == "Authorization") authorization = header.value.reveal();
  const auto pair = "parley:" + text::percent_encode(text);
  EXPECT_EQ(authorization,
            "Basic " + text::to_base64({reinterpret_cast<const std::uint8_t*>(pair.data()), pair.size()}));
  EXPECT_EQ(web.last_token_request.body->reveal().find("client_secret"), std::string_view::npos);

  wanted.authentication = ClientAuthentication::secret_post;
  const auto by_post = make(wanted);
  web.subject = "43";
  web.email = "eve@example.org";
  ASSERT_TRUE(sign_in(by_post));
  EXPECT_EQ(parameter("?" + std::string(web.last_token_request.body->reveal()), "client_secret"), text);

  web.status = 400;
  web.change_tokens = [](auto& tokens) { tokens = {{"error", "invalid_grant"}}; };
  EXPECT_EQ(code_of(sign_in(by_post)), Code::unauthenticated);
  wanted.client_secret = "file:other";
  web.status = 200;
  EXPECT_EQ(code_of(sign_in(make(wanted))), Code::not_found);
}

TEST_P(SignInContract, providers_are_their_organisations_own) {
  auto provider = make();
  EXPECT_EQ(wait(sign_ins->list(acme))->size(), 1U);
  EXPECT_TRUE(wait(sign_ins->list(zeta))->empty());
  EXPECT_EQ(code_of(wait(sign_ins->load(zeta, provider.id))), Code::not_found);
  EXPECT_EQ(code_of(wait(sign_ins->begin(zeta, provider.id, "", "/"))), Code::not_found);
  EXPECT_EQ(code_of(wait(sign_ins->remove(zeta, provider.id))), Code::not_found);
  auto theirs = provider;
  theirs.tenant = zeta;
  EXPECT_EQ(code_of(wait(sign_ins->update(theirs))), Code::not_found);
  auto stray = good_provider();
  stray.tenant = crypto::random_id<TenantId>();
  EXPECT_EQ(code_of(wait(sign_ins->create(stray))), Code::not_found);

  provider.name = "Renamed";
  provider.group_roles = {{"docs", Role::editor}};
  provider.default_role = std::nullopt;
  ASSERT_TRUE(wait(sign_ins->update(provider)));
  const auto loaded = wait(sign_ins->load(acme, provider.id)).value();
  EXPECT_EQ(loaded.name, "Renamed");
  EXPECT_EQ(loaded.group_roles, provider.group_roles);
  EXPECT_EQ(loaded.email_domains, provider.email_domains);
  EXPECT_EQ(loaded.scopes, provider.scopes);
  EXPECT_FALSE(loaded.default_role);
  provider.issuer = "https://other.example.org";
  EXPECT_EQ(code_of(wait(sign_ins->update(provider))), Code::invalid_argument);

  // Removed while somebody is on their way.
  const auto begun = begin(loaded).value();
  ASSERT_TRUE(wait(sign_ins->remove(acme, loaded.id)));
  EXPECT_EQ(code_of(wait(sign_ins->finish("", begun.ticket, answer_to(begun)))), Code::unauthenticated);

  for (std::size_t i = 0; i < providers_per_tenant_max; ++i) make();
  auto more = good_provider();
  more.tenant = acme;
  EXPECT_EQ(code_of(wait(sign_ins->create(more))), Code::conflict);
  ASSERT_TRUE(wait(tenants->remove(acme))) << "the rows go with the organisation";
}

// ---------------------------------------------------------------------------------------------------------------------
// The same against somebody else's implementation: oidc-provider from npm, on loopback, walked through by HTTP.

class SystemTime final : public Clock {
 public:
  Timestamp now() const override {
    return {std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count()};
  }
};

TEST(OidcProvider, a_person_signs_in_by_way_of_a_real_provider) {
  if (const auto why = parley::testing::OidcProvider::why_not(); !why.empty()) GTEST_SKIP() << why;
  for (const auto authentication :
       {ClientAuthentication::secret_basic, ClientAuthentication::secret_post, ClientAuthentication::none}) {
    const auto secret = crypto::testing::base64url(crypto::random_bytes(32));
    const parley::testing::OidcProvider real(secret, redirect_uri, std::string(name(authentication)));
    ASSERT_NE(real.port(), 0) << "the provider did not start";

    auto opened = db::TestStore::open(db::Engine::sqlite, db::compiled_migrations()).value();
    const SystemTime now;
    net::Workers workers(2);
    const crypto::Keyring keyring{crypto::SealKey::make()};
    TenantStore tenants(opened->store(), keyring, workers, now);
    const auto acme = wait(tenants.create("acme")).value();
    const db::TemporaryFolder folder;
    std::filesystem::create_directories(folder.path() / acme.id.to_string());
    std::ofstream(folder.path() / acme.id.to_string() / "client") << secret;

    const std::vector<std::string> allowed{real.place()};
    net::Fetcher fetcher(workers, {.policy = net::EgressPolicy::parse(allowed).value()});
    TokenKeys keys(fetcher, now);
    const SignInTickets tickets(keyring.derive("sign-in tickets"), opened->store().control(), now);
    ProviderSignIns sign_ins(opened->store().control(), fetcher, keys, tickets,
                             SecretReferences(folder.path().string()), workers, {.redirect_uri = redirect_uri}, now);
    const bool with_secret = authentication != ClientAuthentication::none;
    const auto provider = wait(sign_ins.create({.tenant = acme.id,
                                                .name = "Real",
                                                .issuer = real.issuer(),
                                                .client_id = "parley",
                                                .client_secret = with_secret ? "file:client" : "",
                                                .authentication = authentication,
                                                .scopes = {"openid", "email", "groups"},
                                                .group_roles = {{"docs", Role::editor}},
                                                .email_domains = {"example.org"},
                                                .creates_accounts = true}));
    ASSERT_TRUE(provider) << describe_for_operator(provider.error());

    const auto sign_in = [&](const std::string& person) -> Result<ProviderProof> {
      const auto begun = PARLEY_TRY(wait(sign_ins.begin(acme.id, provider->id, "", "/home")));
      const auto back = real.walk(begun.address, person);
      if (!back.starts_with(redirect_uri)) return fail(Code::internal, "the walk ended elsewhere", back);
      return wait(sign_ins.finish("", begun.ticket, back.substr(back.find('?') + 1)));
    };
    const auto proof = sign_in("ada");
    ASSERT_TRUE(proof) << describe_for_operator(proof.error());
    EXPECT_EQ(proof->said.subject, "subject-ada");
    EXPECT_EQ(proof->said.email, "ada@example.org");
    EXPECT_EQ(proof->role, Role::editor);
    EXPECT_EQ(proof->made, ProviderProof::Made::account);
    EXPECT_EQ(sign_in("ada")->account, proof->account);
    const auto refused = sign_in("mallory");
    ASSERT_FALSE(refused) << "the provider does not vouch for that address";
    EXPECT_EQ(refused.error().code(), Code::unauthenticated);
  }
}

}  // namespace
}  // namespace parley::identity
