#include "parley/identity/passkey_store.h"

#include <map>

#include <gtest/gtest.h>

#include "parley/identity/account_store.h"
#include "parley/identity/factor_rows.h"
#include "parley/identity/passkey_testing.h"
#include "parley/identity/second_factors.h"
#include "parley/identity/test_stores.h"
#include "parley/text/base64.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using soft::SoftAnswer;
using soft::SoftPasskey;

class PasskeyStoreContract : public PeopleContract {
 protected:
  void SetUp() override {
    PeopleContract::SetUp();
    if (IsSkipped()) return;
    const auto site = make_passkey_site("https://chat.example.org", "Chat").value();
    tickets = std::make_unique<SignInTickets>(keyring.derive("sign-in tickets"), store().control(), clock);
    passkeys = std::make_unique<PasskeyStore>(store().control(), *tickets, site, clock);
    ada = make_account("ada");
    bob = make_account("bob");
    for (const auto& [account, name] : {std::pair(ada, "ada"), std::pair(bob, "bob")})
      in.emplace(account, PeopleContract::sign_in(name).session);
  }
  Result<MadePasskey> enrol(AccountId account, SoftPasskey& device, std::string name = "laptop") {
    const auto begun = PARLEY_TRY(wait(passkeys->begin_registration(in.at(account), shown[account])));
    const auto options = boost::json::parse(begun.options);
    const auto handle = text::parse_base64url(std::string_view(options.at("user").at("id").as_string())).value();
    device.user_handle.assign(handle.begin(), handle.end());
    auto made = PARLEY_TRY(wait(passkeys->finish_registration(
        in.at(account), begun.ticket, SoftAnswer::to(begun.options).registration(device), std::move(name))));
    shown[account] = made.factor;
    return made;
  }
  Result<PasskeyProof> sign_in(const SoftPasskey& device) {
    const auto begun = passkeys->begin_sign_in().value();
    return wait(passkeys->finish_sign_in("", begun.ticket, SoftAnswer::to(begun.options).assertion(device)));
  }

  std::map<AccountId, OpenSession> in;                     ///< begun before there was any factor
  std::map<AccountId, std::optional<ProvenFactor>> shown;  ///< with the latest passkey
  std::unique_ptr<SignInTickets> tickets;
  std::unique_ptr<PasskeyStore> passkeys;
  AccountId ada;
  AccountId bob;
};

INSTANTIATE_TEST_SUITE_P(engines, PasskeyStoreContract, ::testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::internal : result.error().code();
}

TEST_P(PasskeyStoreContract, a_passkey_that_was_made_signs_its_owner_in) {
  SoftPasskey device;
  const auto made = enrol(ada, device);
  ASSERT_TRUE(made) << describe_for_operator(made.error());
  clock.advance(1h);
  device.count = 5;
  const auto proof = sign_in(device);
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_EQ(proof->account, ada);
  EXPECT_EQ(proof->passkey, made->passkey.id);
  EXPECT_TRUE(proof->user_verified);
  EXPECT_EQ(proof->proven->account(), ada);
  EXPECT_EQ(proof->proven->step(), FirstStep::passkey);
  EXPECT_FALSE(proof->factor);
  const auto listed = wait(passkeys->list(ada)).value();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].name, "laptop");
  EXPECT_EQ(listed[0].transports, (std::vector<std::string>{"internal", "hybrid"}));
  EXPECT_EQ(listed[0].last_used_at, clock.now());
  const auto copy = sign_in(device);
  EXPECT_TRUE(copy->copied) << "the counter was stored, so the same one is a copy's";
  EXPECT_EQ(copy->account, ada);
  EXPECT_FALSE(copy->proven || copy->factor) << "nothing to begin or raise a session with";
  device.count = 6;
  EXPECT_TRUE(sign_in(device));
}

TEST_P(PasskeyStoreContract, a_challenge_is_good_once_for_five_minutes_and_its_purpose) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  const auto begun = passkeys->begin_sign_in("window").value();
  const auto answer = SoftAnswer::to(begun.options).assertion(device);
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("other window", begun.ticket, answer))), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(passkeys->finish_factor(in.at(ada), begun.ticket, answer))), Code::unauthenticated);
  EXPECT_TRUE(wait(passkeys->finish_sign_in("window", begun.ticket, answer)));
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("window", begun.ticket, answer))), Code::unauthenticated) << "twice";

  const auto spoilt = passkeys->begin_sign_in().value();
  EXPECT_FALSE(wait(passkeys->finish_sign_in("", spoilt.ticket, "{}")));
  EXPECT_EQ(
      code_of(wait(passkeys->finish_sign_in("", spoilt.ticket, SoftAnswer::to(spoilt.options).assertion(device)))),
      Code::unauthenticated)
      << "an attempt spends it";

  const auto late = passkeys->begin_sign_in().value();
  clock.advance(passkey_challenge_life);
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("", late.ticket, SoftAnswer::to(late.options).assertion(device)))),
            Code::unauthenticated);
  // The sweep of spent tickets does not make one good again.
  clock.advance(2h);
  EXPECT_TRUE(sign_in(device));
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("window", begun.ticket, answer))), Code::unauthenticated);
}

TEST_P(PasskeyStoreContract, a_ticket_cannot_be_made_or_changed) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  const auto begun = passkeys->begin_sign_in().value();
  const auto answer = SoftAnswer::to(begun.options).assertion(device);
  for (std::size_t i = 0; i < begun.ticket.size(); i += 7) {
    auto changed = begun.ticket;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("", changed, answer))), Code::unauthenticated) << i;
  }
  for (const std::string& text : {std::string(), std::string("AAAA"), std::string(ticket_bytes_max + 1, 'A')})
    EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("", text, answer))), Code::unauthenticated);
  const SignInTickets foreign(crypto::SealKey::make(), store().control(), clock);
  const auto forged = foreign.make(TicketPurpose::passkey_sign_in, "", Secret(std::string(32, 'c')), 5min);
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("", forged, answer))), Code::unauthenticated);
  EXPECT_TRUE(wait(passkeys->finish_sign_in("", begun.ticket, answer)));
}

TEST_P(PasskeyStoreContract, of_two_answers_at_once_one_is_taken) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  device.count = 9;
  const auto one = passkeys->begin_sign_in().value();
  const auto two = passkeys->begin_sign_in().value();
  asio::io_context io;
  int taken = 0;
  for (const auto* begun : {&one, &two})
    asio::co_spawn(io, passkeys->finish_sign_in("", begun->ticket, SoftAnswer::to(begun->options).assertion(device)),
                   [&](std::exception_ptr, Result<PasskeyProof> proof) { taken += proof && proof->proven ? 1 : 0; });
  io.run();
  EXPECT_EQ(taken, 1);
}

TEST_P(PasskeyStoreContract, a_second_factor_is_the_accounts_own) {
  SoftPasskey adas;
  SoftPasskey bobs;
  ASSERT_TRUE(enrol(ada, adas));
  EXPECT_EQ(code_of(wait(passkeys->begin_factor(in.at(bob)))), Code::not_found);
  ASSERT_TRUE(enrol(bob, bobs));
  const auto begun = wait(passkeys->begin_factor(in.at(ada))).value();
  EXPECT_NE(begun.options.find(soft::base64url(adas.id)), std::string::npos);
  EXPECT_EQ(begun.options.find(soft::base64url(bobs.id)), std::string::npos);
  auto answer = SoftAnswer::to(begun.options);
  answer.flags = 0x01;
  const auto proof = wait(passkeys->finish_factor(in.at(ada), begun.ticket, answer.assertion(adas)));
  ASSERT_TRUE(proof) << describe_for_operator(proof.error());
  EXPECT_FALSE(proof->user_verified) << "on top of a password that is enough, and said";
  EXPECT_EQ(proof->factor->account(), ada);
  EXPECT_FALSE(proof->proven);
  const auto again = wait(passkeys->begin_factor(in.at(ada))).value();
  EXPECT_EQ(
      code_of(wait(passkeys->finish_factor(in.at(ada), again.ticket, SoftAnswer::to(again.options).assertion(bobs)))),
      Code::unauthenticated);
}

TEST_P(PasskeyStoreContract, signing_in_alone_needs_verification_and_a_handle) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  const auto begun = passkeys->begin_sign_in().value();
  auto answer = SoftAnswer::to(begun.options);
  answer.flags = 0x01;
  EXPECT_EQ(code_of(wait(passkeys->finish_sign_in("", begun.ticket, answer.assertion(device)))), Code::unauthenticated);
  device.user_handle.clear();
  EXPECT_EQ(code_of(sign_in(device)), Code::unauthenticated);
}

TEST_P(PasskeyStoreContract, a_credential_belongs_to_one_account) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  EXPECT_EQ(code_of(enrol(bob, device)), Code::conflict);
  EXPECT_EQ(code_of(enrol(ada, device)), Code::conflict);
  EXPECT_TRUE(wait(passkeys->list(bob))->empty());
}

TEST_P(PasskeyStoreContract, a_disabled_account_does_not_sign_in) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  ASSERT_TRUE(wait(accounts->disable(local_operator(), ada)));
  EXPECT_EQ(code_of(sign_in(device)), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(passkeys->begin_registration(in.at(ada), shown[ada]))), Code::not_found);
}

TEST_P(PasskeyStoreContract, an_owner_renames_and_removes_their_own_alone) {
  SoftPasskey device;
  const auto made = enrol(ada, device).value().passkey;
  SoftPasskey bobs;
  const auto proof_of_bob = enrol(bob, bobs)->factor;
  EXPECT_EQ(code_of(wait(passkeys->rename(bob, made.id, "mine"))), Code::not_found);
  EXPECT_EQ(code_of(wait(passkeys->remove(proof_of_bob, made.id))), Code::not_found);
  EXPECT_EQ(code_of(wait(passkeys->rename(ada, made.id, ""))), Code::invalid_argument);
  EXPECT_EQ(code_of(wait(passkeys->rename(ada, made.id, std::string(101, 'x')))), Code::invalid_argument);
  ASSERT_TRUE(wait(passkeys->rename(ada, made.id, "key in the drawer")));
  EXPECT_EQ(wait(passkeys->list(ada)).value()[0].name, "key in the drawer");
  ASSERT_TRUE(wait(passkeys->remove(*shown[ada], made.id)));
  EXPECT_EQ(code_of(sign_in(device)), Code::unauthenticated);
  EXPECT_EQ(code_of(wait(passkeys->remove(*shown[ada], made.id))), Code::not_found);
}

TEST_P(PasskeyStoreContract, a_passkey_counts_as_a_factor_from_the_first_to_the_last) {
  const auto factors = [&] {
    return store()
        .control()
        .read_blocking([&](db::ControlReader& reader) { return list_factors(ada, reader); })
        .value();
  };
  EXPECT_TRUE(factors().empty());
  SoftPasskey one;
  SoftPasskey two;
  const auto first = enrol(ada, one).value().passkey;
  const auto second = enrol(ada, two).value().passkey;
  EXPECT_EQ(factors(), std::vector<FactorKind>{FactorKind::passkey});
  ASSERT_TRUE(wait(passkeys->remove(*shown[ada], first.id)));
  EXPECT_EQ(factors(), std::vector<FactorKind>{FactorKind::passkey});
  ASSERT_TRUE(wait(passkeys->remove(*shown[ada], second.id)));
  EXPECT_TRUE(factors().empty());
}

TEST_P(PasskeyStoreContract, another_one_asks_for_a_fresh_factor) {
  SoftPasskey one;
  SoftPasskey two;
  const auto made = enrol(ada, one).value();
  shown[ada].reset();
  EXPECT_EQ(code_of(enrol(ada, two)), Code::permission_denied);
  SoftPasskey bobs;
  shown[ada] = enrol(bob, bobs)->factor;
  EXPECT_EQ(code_of(enrol(ada, two)), Code::permission_denied) << "somebody else's";
  shown[ada] = made.factor;
  clock.advance(factor_fresh_for);
  EXPECT_EQ(code_of(enrol(ada, two)), Code::permission_denied);
  EXPECT_EQ(code_of(wait(passkeys->remove(made.factor, made.passkey.id))), Code::permission_denied);
  EXPECT_EQ(wait(passkeys->list(ada))->size(), 1U);
}

TEST_P(PasskeyStoreContract, a_password_alone_does_not_enrol_one_in_place_of_what_is_owed) {
  SoftPasskey one;
  ASSERT_TRUE(enrol(ada, one));
  const auto owing = PeopleContract::sign_in("ada").session;
  ASSERT_EQ(owing->assurance, Assurance::factor_owed);
  EXPECT_EQ(code_of(wait(passkeys->begin_registration(owing, shown[ada]))), Code::unauthenticated);
  const auto begun = wait(passkeys->begin_registration(in.at(ada), shown[ada])).value();
  SoftPasskey two;
  EXPECT_EQ(code_of(wait(passkeys->finish_registration(owing, begun.ticket,
                                                       SoftAnswer::to(begun.options).registration(two), "x"))),
            Code::unauthenticated)
      << "the ticket is another session's";
}

TEST_P(PasskeyStoreContract, what_an_operator_resets_signs_in_no_more) {
  SoftPasskey device;
  ASSERT_TRUE(enrol(ada, device));
  SecondFactors factors(store().control(), keyring.derive("second factors"), *sessions, clock);
  ASSERT_TRUE(wait(factors.reset(local_operator(), ada)));
  device.count = 9;
  EXPECT_EQ(code_of(sign_in(device)), Code::unauthenticated);
  EXPECT_TRUE(wait(passkeys->list(ada))->empty());
}

TEST_P(PasskeyStoreContract, without_an_address_nothing_begins_and_the_rest_goes_on) {
  SoftPasskey device;
  const auto made = enrol(ada, device).value();
  PasskeyStore nowhere(store().control(), *tickets, std::nullopt, clock);
  EXPECT_EQ(code_of(nowhere.begin_sign_in()), Code::unsupported);
  EXPECT_EQ(code_of(wait(nowhere.begin_factor(in.at(ada)))), Code::unsupported);
  EXPECT_EQ(code_of(wait(nowhere.begin_registration(in.at(ada), made.factor))), Code::unsupported);
  EXPECT_EQ(wait(nowhere.list(ada))->size(), 1U);
  EXPECT_TRUE(wait(nowhere.remove(made.factor, made.passkey.id)));
}

TEST_P(PasskeyStoreContract, there_is_a_limit_to_passkeys) {
  std::vector<SoftPasskey> devices(passkeys_per_account_max);
  for (auto& device : devices) ASSERT_TRUE(enrol(ada, device));
  SoftPasskey another;
  EXPECT_EQ(code_of(enrol(ada, another)), Code::conflict);
  EXPECT_TRUE(enrol(bob, another));
}

}  // namespace
}  // namespace parley::identity
