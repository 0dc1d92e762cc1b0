#include <gtest/gtest.h>

#include "parley/identity/credential_watch.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

class CredentialWatchContract : public PeopleContract {
 protected:
  void SetUp() override {
    PeopleContract::SetUp();
    if (IsSkipped()) return;
    keys = std::make_unique<KeyStore>(store().control(), clock);
    tokens = std::make_unique<VisitorTokens>(keyring.derive("visitor tokens"), clock, crypto::system_random());
    issuers = std::make_unique<IdentityIssuers>(store().control(), keyring.derive("identity issuers"), jwks, clock);
    authenticator = std::make_unique<Authenticator>(*keys, *tokens, *issuers, *sessions, *members);
  }
  CreatedKey make(NewKey wanted) {
    wanted.tenant = acme;
    wanted.scopes = {Scope::chat_create};
    auto made = wait(keys->create(std::move(wanted)));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return std::move(*made);
  }
  static Credentials bearing(const std::string& header, Sender sender = {.kind = Sender::Kind::program, .origin = {}}) {
    return {.authorization = header, .sender = std::move(sender), .client = boost::asio::ip::make_address("192.0.2.1")};
  }
  /// How long after now the stream of that credential goes on, when a part of it is sent every 10 ms.
  std::chrono::microseconds goes_on_for(CredentialWatch& watch, const Credentials& credentials, Uuid who) {
    const auto begin = clock.now();
    while (clock.now() - begin < 5s) {
      const auto still = wait(watch.require_still(credentials, who));
      if (!still) {
        EXPECT_EQ(still.error().code(), Code::unauthenticated);
        EXPECT_EQ(still.error().reason().view(), "the credential is not valid");
        break;
      }
      clock.advance(10ms);
    }
    return clock.now() - begin;
  }

  struct NoWeb final : net::Web {
    Async<net::FetchAnswer> fetch(net::FetchRequest) override { co_return fail(Code::unavailable, "nothing answers"); }
  };
  NoWeb web;
  TokenKeys jwks{web, clock};
  std::unique_ptr<KeyStore> keys;
  std::unique_ptr<VisitorTokens> tokens;
  std::unique_ptr<IdentityIssuers> issuers;
  std::unique_ptr<Authenticator> authenticator;
};

INSTANTIATE_TEST_SUITE_P(engines, CredentialWatchContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(CredentialWatchContract, a_stream_ends_within_a_second_of_a_revocation_here_or_elsewhere) {
  for (const bool elsewhere : {false, true}) {
    SCOPED_TRACE(elsewhere);
    const auto key = make({});
    const std::string header = "Bearer " + std::string(key.text.reveal());
    CredentialWatch watch(*authenticator, clock);
    EXPECT_EQ(goes_on_for(watch, bearing(header), key.record.id.uuid()), 5s);
    KeyStore other(store().control(), clock);
    ASSERT_TRUE(wait((elsewhere ? other : *keys).revoke(acme, key.record.id)));
    EXPECT_LE(goes_on_for(watch, bearing(header), key.record.id.uuid()), 1s);
    EXPECT_EQ(goes_on_for(watch, bearing(header), key.record.id.uuid()), watch.check_every)
        << "what goes on sending after an error is looked at again";
  }
}

TEST_P(CredentialWatchContract, a_visitors_stream_ends_with_the_key_that_vouched_for_them) {
  const std::string site = "https://docs.example.org";
  const auto key = make({.kind = KeyKind::public_key, .origins = {site}});
  const auto visitor = crypto::random_uuid(crypto::system_random());
  const auto minted = tokens->mint({.visitor = visitor,
                                    .tenant = acme,
                                    .project = crypto::random_id<ProjectId>(),
                                    .scopes = {Scope::chat_create},
                                    .origin = site,
                                    .vouched_by = VisitorPass::Voucher{key.record.id, key.record.digest}});
  const std::string header = "Bearer " + minted.token;
  const auto credentials = bearing(header, {.kind = Sender::Kind::site, .origin = site});
  CredentialWatch watch(*authenticator, clock);
  EXPECT_EQ(goes_on_for(watch, credentials, visitor), 5s);
  ASSERT_TRUE(wait(keys->revoke(acme, key.record.id)));
  EXPECT_LE(goes_on_for(watch, credentials, visitor), 1s);
}

TEST_P(CredentialWatchContract, a_visitors_stream_ends_with_the_issuer_that_said_who_they_are) {
  const std::string site = "https://docs.example.org";
  const auto key = make({.kind = KeyKind::public_key, .origins = {site}});
  const auto visitor = crypto::random_uuid(crypto::system_random());
  for (const bool elsewhere : {false, true}) {
    const auto project = make_project(acme, elsewhere ? "docs-2" : "docs");
    const auto issuer = wait(issuers->create({.tenant = acme,
                                              .project = project,
                                              .name = "the shop",
                                              .issuer = "https://shop.example",
                                              .audience = "chat",
                                              .keys = SharedSecret{}}))
                            .value()
                            .issuer;
    const auto minted =
        tokens->mint({.visitor = visitor,
                      .tenant = acme,
                      .project = project,
                      .scopes = {Scope::chat_create},
                      .origin = site,
                      .vouched_by = VisitorPass::Voucher{key.record.id, key.record.digest},
                      .identity = VerifiedIdentity{.issuer = issuer.id, .subject = "customer-7", .email = {}}});
    const std::string header = "Bearer " + minted.token;
    const auto credentials = bearing(header, {.kind = Sender::Kind::site, .origin = site});
    CredentialWatch watch(*authenticator, clock);
    EXPECT_EQ(goes_on_for(watch, credentials, visitor), 5s);
    IdentityIssuers other(store().control(), keyring.derive("identity issuers"), jwks, clock);
    ASSERT_TRUE(wait((elsewhere ? other : *issuers).remove(acme, project, issuer.id)));
    EXPECT_LE(goes_on_for(watch, credentials, visitor), 1s);
  }
}

TEST_P(CredentialWatchContract, a_stream_ends_when_its_key_expires) {
  const auto key = make({.lifetime = 10s});
  const std::string header = "Bearer " + std::string(key.text.reveal());
  CredentialWatch watch(*authenticator, clock);
  EXPECT_EQ(goes_on_for(watch, bearing(header), key.record.id.uuid()), 5s);
  clock.advance(5s);
  EXPECT_LE(goes_on_for(watch, bearing(header), key.record.id.uuid()), 1s);
}

TEST_P(CredentialWatchContract, a_refusal_names_the_key_whose_owner_should_hear_of_it) {
  const auto rule_of = [&](const CreatedKey& key) {
    const std::string header = "Bearer " + std::string(key.text.reveal());
    std::pair<std::string, std::optional<Principal>> seen;
    asio::io_context io;
    asio::co_spawn(
        io,
        [](const Authenticator& by, Credentials credentials, auto* to) -> asio::awaitable<void> {
          const auto caller = co_await by.authenticate(std::move(credentials));
          if (!caller) *to = {std::string(caller.error().rule.view()), caller.error().known};
        }(*authenticator, bearing(header), &seen),
        asio::detached);
    io.run();
    return seen;
  };
  const auto elsewhere = rule_of(make({.addresses = {"10.0.0.0/8"}}));
  EXPECT_EQ(elsewhere.first, "address_not_allowed");
  ASSERT_TRUE(elsewhere.second);
  EXPECT_EQ(elsewhere.second->tenant, acme);
  EXPECT_EQ(elsewhere.second->kind, PrincipalKind::secret_key);

  const auto page = rule_of(
      make({.kind = KeyKind::public_key, .origins = {"https://docs.example.org"}, .addresses = {"10.0.0.0/8"}}));
  EXPECT_EQ(page.first, "credential_invalid");
  EXPECT_FALSE(page.second) << "everybody has a public key, so everybody could fill its owner's trail";

  const auto idle = make({});
  clock.advance(key_idle_max);
  EXPECT_EQ(rule_of(idle).first, "key_idle");
  ASSERT_TRUE(wait(keys->revoke(acme, idle.record.id)));
  EXPECT_EQ(rule_of(idle).first, "credential_invalid");
}

}  // namespace
}  // namespace parley::identity
