#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/crypto/totp.h"
#include "parley/identity/qr_svg.h"
#include "parley/identity/second_factors.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using namespace db::literals;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(QrSvg, is_a_picture_of_the_text_with_a_quiet_zone) {
  const auto svg = qr_svg(Secret("otpauth://totp/Parley:ann%40example.org?secret=AAAA&issuer=Parley"));
  ASSERT_TRUE(svg);
  const std::string_view text = svg->reveal();
  EXPECT_TRUE(text.starts_with("<svg xmlns="));
  EXPECT_TRUE(text.ends_with("\"/></svg>"));
  EXPECT_THAT(std::string(text), HasSubstr("viewBox=\"0 0 45 45\"")) << "version 5, 37 modules, and the quiet zone";
  for (const auto* edge : {"M4 4h7v1h-7z", "M4 10h7v1h-7z", "M34 4h7v1h-7z", "M4 40h7v1h-7z"})
    EXPECT_THAT(std::string(text), HasSubstr(edge)) << "the squares that a reader looks for";
  EXPECT_EQ(text.find("M3 "), std::string_view::npos);
  EXPECT_EQ(text.find("script"), std::string_view::npos);
  EXPECT_EQ(qr_svg(Secret(std::string(5000, 'x'))).error().code(), Code::too_large);
}

class SecondFactorsContract : public PeopleContract {
 protected:
  void SetUp() override {
    PeopleContract::SetUp();
    if (IsSkipped()) return;
    factors = std::make_unique<SecondFactors>(store().control(), keyring.derive("second factors"), *sessions, clock);
  }
  // What the app would show: base32 of the enrolment, read back.
  static Secret secret_of(const TotpEnrolment& enrolment) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string bytes;
    std::uint32_t held = 0;
    int bits = 0;
    for (const char c : enrolment.text.reveal()) {
      held = held << 5 | static_cast<std::uint32_t>(alphabet.find(c));
      bits += 5;
      if (bits >= 8) {
        bits -= 8;
        bytes.push_back(static_cast<char>(held >> bits & 0xff));
      }
    }
    return Secret(std::move(bytes));
  }
  std::string code_of(const Secret& secret) const {
    return std::string(crypto::totp_code(secret, crypto::totp_step(clock.now(), 30s)).reveal());
  }
  std::string wrong_code(const Secret& secret) const {
    std::string code = code_of(secret);
    for (char& c : code) c = c == '9' ? '0' : static_cast<char>(c + 1);
    return code;
  }
  struct Enrolled {
    Secret secret;
    BegunSession session;
    std::vector<Secret> codes;
  };
  Enrolled enrol(std::string_view name) {
    auto begun = sign_in(name);
    const auto enrolment = wait(factors->begin_totp(begun.session, std::nullopt));
    EXPECT_TRUE(enrolment) << describe_for_operator(enrolment.error());
    const Secret secret = secret_of(*enrolment);
    auto confirmed = wait(factors->confirm_totp(begun.session, code_of(secret)));
    EXPECT_TRUE(confirmed) << describe_for_operator(confirmed.error());
    auto raised = wait(sessions->raise(begun.session, confirmed->factor));
    EXPECT_TRUE(raised) << describe_for_operator(raised.error());
    clock.advance(1min);
    return {secret, *std::move(raised), std::move(confirmed->recovery_codes)};
  }
  void require_factor(TenantId tenant) {
    ASSERT_TRUE(store().control().write_blocking([&](db::ControlWriter& writer) {
      return writer.run("UPDATE tenants SET requires_second_factor = 1 WHERE id = $1"_sql, tenant);
    }));
  }

  std::unique_ptr<SecondFactors> factors;
};

INSTANTIATE_TEST_SUITE_P(engines, SecondFactorsContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(SecondFactorsContract, from_enrolment_to_the_next_sign_in) {
  const auto ann = make_member("ann", acme, Role::administrator);
  require_factor(acme);
  auto begun = sign_in("ann");
  ASSERT_EQ(begun.session->assurance, Assurance::enrolment_owed);
  const auto enrolment = wait(factors->begin_totp(begun.session, std::nullopt));
  ASSERT_TRUE(enrolment) << describe_for_operator(enrolment.error());
  EXPECT_THAT(std::string(enrolment->uri.reveal()),
              "otpauth://totp/Parley:ann%40example.org?secret=" + std::string(enrolment->text.reveal()) +
                  "&issuer=Parley&algorithm=SHA1&digits=6&period=30");
  EXPECT_TRUE(wait(factors->kinds_of(ann))->empty()) << "not before it is confirmed";
  const Secret secret = secret_of(*enrolment);
  EXPECT_EQ(wait(factors->confirm_totp(begun.session, wrong_code(secret))).error().code(), Code::unauthenticated);
  const auto confirmed = wait(factors->confirm_totp(begun.session, code_of(secret)));
  ASSERT_TRUE(confirmed) << describe_for_operator(confirmed.error());
  EXPECT_EQ(confirmed->recovery_codes.size(), recovery_codes_count);
  EXPECT_THAT(*wait(factors->kinds_of(ann)), UnorderedElementsAre(FactorKind::totp, FactorKind::recovery_code));
  const auto raised = wait(sessions->raise(begun.session, confirmed->factor));
  ASSERT_TRUE(raised) << describe_for_operator(raised.error());
  EXPECT_TRUE(SessionStore::as_full(raised->session));
  EXPECT_FALSE(use(begun.token)) << "the token was rotated";
  EXPECT_TRUE(use(raised->token));

  clock.advance(1min);
  const auto next = sign_in("ann");
  EXPECT_EQ(next.session->assurance, Assurance::factor_owed);
  const auto verified = wait(factors->verify_totp(next.session, code_of(secret)));
  ASSERT_TRUE(verified) << describe_for_operator(verified.error());
  EXPECT_TRUE(SessionStore::as_full(wait(sessions->raise(next.session, *verified))->session));
}

TEST_P(SecondFactorsContract, a_code_is_accepted_once_also_of_two_at_the_same_time) {
  make_account("ann");
  const auto ann = enrol("ann");
  const auto next = sign_in("ann");
  const auto code = code_of(ann.secret);
  EXPECT_EQ(how_many_of_two([&] { return wait(factors->verify_totp(next.session, code)); }), 1);
  EXPECT_FALSE(wait(factors->verify_totp(next.session, code)));
  clock.advance(-1min);
  EXPECT_FALSE(wait(factors->verify_totp(next.session, code))) << "nor when the clock is set back";
}

TEST_P(SecondFactorsContract, a_session_is_raised_once_by_a_factor_of_its_account) {
  make_account("ann");
  make_account("bob");
  const auto ann = enrol("ann");
  const auto bob = enrol("bob");
  const auto owed = sign_in("ann");
  const auto bobs = wait(factors->verify_totp(bob.session.session, code_of(bob.secret))).value();
  EXPECT_EQ(wait(sessions->raise(owed.session, bobs)).error().code(), Code::unauthenticated);
  const auto anns = wait(factors->verify_totp(owed.session, code_of(ann.secret))).value();
  EXPECT_EQ(how_many_of_two([&] { return wait(sessions->raise(owed.session, anns)); }), 1);
  const auto again = sign_in("ann");
  clock.advance(factor_fresh_for);
  EXPECT_EQ(wait(sessions->raise(again.session, anns)).error().code(), Code::unauthenticated) << "stale";
}

TEST_P(SecondFactorsContract, too_many_wrong_codes_wait_but_a_recovery_code_is_a_way_in) {
  make_account("ann");
  const auto ann = enrol("ann");
  const auto owed = sign_in("ann");
  for (int i = 0; i < totp_tries_max; ++i)
    EXPECT_EQ(wait(factors->verify_totp(owed.session, wrong_code(ann.secret))).error().code(), Code::unauthenticated);
  const auto refused = wait(factors->verify_totp(owed.session, code_of(ann.secret)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::rate_limited) << "although it is right";
  EXPECT_EQ(refused.error().retry_after(), 30min);
  EXPECT_TRUE(wait(factors->verify_recovery_code(owed.session, std::string(ann.codes[0].reveal()))));
  clock.advance(-24h);
  EXPECT_EQ(wait(factors->verify_totp(owed.session, code_of(ann.secret))).error().retry_after(), 30min)
      << "the clock was set back: no longer than from now";
  clock.advance(24h + factor_tries_window);
  EXPECT_TRUE(wait(factors->verify_totp(sign_in("ann").session, code_of(ann.secret))));
}

TEST_P(SecondFactorsContract, a_right_code_forgets_the_wrong_ones) {
  make_account("ann");
  const auto ann = enrol("ann");
  for (int round = 0; round < 3; ++round) {
    const auto owed = sign_in("ann");
    for (int i = 0; i + 1 < totp_tries_max; ++i)
      EXPECT_FALSE(wait(factors->verify_totp(owed.session, wrong_code(ann.secret))));
    EXPECT_TRUE(wait(factors->verify_totp(owed.session, code_of(ann.secret))));
    clock.advance(1min);
  }
}

TEST_P(SecondFactorsContract, a_recovery_code_is_used_once_however_it_is_typed_and_by_its_owner) {
  make_account("ann");
  make_account("bob");
  const auto ann = enrol("ann");
  const auto bob = enrol("bob");
  const auto owed = sign_in("ann");
  std::string typed(ann.codes[3].reveal());
  for (char& c : typed) c = c == '-' ? ' ' : static_cast<char>(std::toupper(c));
  EXPECT_FALSE(wait(factors->verify_recovery_code(bob.session.session, typed))) << "another account's";
  EXPECT_EQ(how_many_of_two([&] { return wait(factors->verify_recovery_code(owed.session, typed)); }), 1);
  EXPECT_FALSE(wait(factors->verify_recovery_code(owed.session, std::string(ann.codes[3].reveal()))));
  EXPECT_EQ(*wait(factors->recovery_codes_left(owed.session->account)), recovery_codes_count - 1);
  for (const auto* none : {"", "----", "0000-0000-0000-0000", "zzzz", "\xff"})
    EXPECT_EQ(wait(factors->verify_recovery_code(owed.session, none)).error().code(), Code::unauthenticated);
}

TEST_P(SecondFactorsContract, new_recovery_codes_end_the_old_ones_and_need_a_fresh_factor) {
  make_account("ann");
  const auto ann = enrol("ann");
  const auto fresh = wait(factors->verify_totp(ann.session.session, code_of(ann.secret))).value();
  const auto codes = wait(factors->make_recovery_codes(full(ann.session), fresh));
  ASSERT_TRUE(codes);
  EXPECT_FALSE(wait(factors->verify_recovery_code(ann.session.session, std::string(ann.codes[0].reveal()))));
  EXPECT_TRUE(wait(factors->verify_recovery_code(ann.session.session, std::string(codes->at(0).reveal()))));
  clock.advance(factor_fresh_for);
  EXPECT_EQ(wait(factors->make_recovery_codes(full(ann.session), fresh)).error().code(), Code::permission_denied);
}

TEST_P(SecondFactorsContract, whoever_owes_a_factor_cannot_enrol_one) {
  make_account("ann");
  const auto ann = enrol("ann");
  const auto owed = sign_in("ann");
  EXPECT_EQ(wait(factors->begin_totp(owed.session, std::nullopt)).error().code(), Code::unauthenticated);
  EXPECT_EQ(wait(factors->confirm_totp(owed.session, "000000")).error().code(), Code::unauthenticated);
  EXPECT_EQ(wait(factors->begin_totp(ann.session.session, std::nullopt)).error().code(), Code::permission_denied)
      << "nor does a full session without a fresh factor";
}

TEST_P(SecondFactorsContract, the_first_factor_ends_what_a_password_alone_began) {
  make_account("ann");
  const auto elsewhere = sign_in("ann");
  ASSERT_TRUE(use(elsewhere.token));
  const auto ann = enrol("ann");
  EXPECT_FALSE(use(elsewhere.token));
  EXPECT_TRUE(use(ann.session.token));
}

TEST_P(SecondFactorsContract, a_lost_app_is_replaced_by_way_of_a_recovery_code) {
  make_member("ann", acme, Role::administrator);
  require_factor(acme);
  const auto ann = enrol("ann");
  const auto owed = sign_in("ann");
  const auto proven = wait(factors->verify_recovery_code(owed.session, std::string(ann.codes[0].reveal()))).value();
  const auto raised = wait(sessions->raise(owed.session, proven)).value();
  EXPECT_EQ(wait(factors->remove_totp(full(raised), proven)).error().code(), Code::conflict)
      << "the last one, and one is required";
  const auto enrolment = wait(factors->begin_totp(raised.session, proven));
  ASSERT_TRUE(enrolment) << describe_for_operator(enrolment.error());
  EXPECT_TRUE(wait(factors->verify_totp(raised.session, code_of(ann.secret)))) << "the old one until then";
  clock.advance(1min);
  const auto confirmed = wait(factors->confirm_totp(raised.session, code_of(secret_of(*enrolment))));
  ASSERT_TRUE(confirmed);
  EXPECT_TRUE(confirmed->recovery_codes.empty()) << "there are some";
  clock.advance(1min);
  EXPECT_FALSE(wait(factors->verify_totp(raised.session, code_of(ann.secret))));
  EXPECT_TRUE(wait(factors->verify_totp(raised.session, code_of(secret_of(*enrolment)))));
}

TEST_P(SecondFactorsContract, the_last_factor_goes_with_its_recovery_codes) {
  const auto id = make_member("ann", acme, Role::editor);
  const auto ann = enrol("ann");
  const auto fresh = wait(factors->verify_totp(ann.session.session, code_of(ann.secret))).value();
  ASSERT_TRUE(wait(factors->remove_totp(full(ann.session), fresh)));
  EXPECT_TRUE(wait(factors->kinds_of(id))->empty());
  EXPECT_EQ(wait(factors->remove_totp(full(ann.session), fresh)).error().code(), Code::not_found);
  EXPECT_EQ(wait(factors->make_recovery_codes(full(ann.session), fresh)).error().code(), Code::conflict);
  EXPECT_EQ(sign_in("ann").session->assurance, Assurance::full);
}

TEST_P(SecondFactorsContract, an_operators_reset_ends_everything) {
  const auto id = make_member("ann", acme, Role::administrator);
  require_factor(acme);
  const auto ann = enrol("ann");
  ASSERT_TRUE(wait(factors->reset(local_operator(), id)));
  EXPECT_FALSE(use(ann.session.token));
  EXPECT_TRUE(wait(factors->kinds_of(id))->empty());
  const auto again = sign_in("ann");
  EXPECT_EQ(again.session->assurance, Assurance::enrolment_owed);
  EXPECT_FALSE(wait(factors->verify_recovery_code(again.session, std::string(ann.codes[0].reveal()))));
}

TEST_P(SecondFactorsContract, the_table_holds_no_secret_that_its_thief_could_use) {
  make_account("ann");
  const auto ann = enrol("ann");
  std::string all;
  ASSERT_TRUE(store().control().read_blocking([&](db::ControlReader& reader) -> Result<void> {
    PARLEY_TRY(reader.each("SELECT sealed_secret FROM totp_secrets"_sql,
                           [&](const db::Row& row) { all += std::string(row.blob(0)); }));
    return reader.each("SELECT digest FROM recovery_codes"_sql,
                       [&](const db::Row& row) { all += std::string(row.blob(0)); });
  }));
  EXPECT_FALSE(all.empty());
  EXPECT_EQ(all.find(ann.secret.reveal()), std::string::npos);
  EXPECT_EQ(all.find(ann.codes[0].reveal().substr(0, 4)), std::string::npos);
  // Copied into another account's row it does not open.
  const auto bob = make_account("bob");
  const auto other = enrol("bob");
  ASSERT_TRUE(store().control().write_blocking([&](db::ControlWriter& writer) {
    return writer.run(
        "UPDATE totp_secrets SET sealed_secret = (SELECT sealed_secret FROM totp_secrets WHERE "
        "account_id = $2) WHERE account_id = $1"_sql,
        ann.session.session->account, bob);
  }));
  EXPECT_EQ(wait(factors->verify_totp(ann.session.session, code_of(other.secret))).error().code(), Code::data_corrupt);
}

}  // namespace
}  // namespace parley::identity
