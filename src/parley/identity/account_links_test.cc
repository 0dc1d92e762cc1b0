#include <gtest/gtest.h>

#include "parley/identity/account_links.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using namespace db::literals;

class AccountLinksContract : public PeopleContract {
 protected:
  void SetUp() override {
    PeopleContract::SetUp();
    if (IsSkipped()) return;
    links = std::make_unique<AccountLinks>(store().control(), hasher, *sessions, clock);
  }
  static Secret new_password() { return Secret(crypto::random_text(20, "abcdefghijklmnopqrstuvwxyz0123456789")); }
  Secret reset_link(std::string_view name) {
    auto letter = wait(links->create_reset(email_of(name)));
    EXPECT_TRUE(letter) << describe_for_operator(letter.error());
    EXPECT_TRUE(*letter);
    EXPECT_EQ((*letter)->email, email_of(name));
    return (*letter)->token;
  }
  Code refusal_of(const Secret& token) {
    const auto reset = wait(links->reset_password(token, new_password()));
    return reset ? Code::internal : reset.error().code();
  }
  std::int64_t rows() {
    return store()
        .control()
        .read_blocking([](db::ControlReader& r) {
          return r.find("SELECT count(*) FROM one_time_tokens"_sql, [](const db::Row& row) { return row.integer(0); });
        })
        .value()
        .value_or(-1);
  }

  std::unique_ptr<AccountLinks> links;
};

INSTANTIATE_TEST_SUITE_P(engines, AccountLinksContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(AccountLinksContract, a_link_sets_a_password_once_and_ends_all_sessions) {
  const auto ann = make_account("ann");
  const auto begun = sign_in("ann");
  const auto token = reset_link("ann");
  EXPECT_EQ(*wait(links->require_reset(token)), ann);
  EXPECT_EQ(wait(links->reset_password(token, Secret("password12"))).error().code(), Code::invalid_argument)
      << "the link survives";
  const auto next = new_password();
  ASSERT_EQ(*wait(links->reset_password(token, next)), ann);
  EXPECT_TRUE(wait(accounts->verify_password("ann@example.org", next)));
  EXPECT_FALSE(wait(accounts->verify_password("ann@example.org", password)));
  EXPECT_FALSE(use(begun.token));
  EXPECT_EQ(refusal_of(token), Code::not_found);
  EXPECT_EQ(wait(links->require_reset(token)).error().code(), Code::not_found);
}

TEST_P(AccountLinksContract, of_two_uses_at_once_one_wins) {
  make_account("ann");
  const auto token = reset_link("ann");
  EXPECT_EQ(how_many_of_two([&] { return wait(links->reset_password(token, new_password())); }), 1);
}

TEST_P(AccountLinksContract, a_link_ends_by_time_by_a_newer_one_by_a_new_password_and_with_the_account) {
  const auto ann = make_account("ann");
  const auto old = reset_link("ann");
  const auto newer = reset_link("ann");
  EXPECT_EQ(refusal_of(old), Code::not_found);
  clock.advance(reset_link_lifetime);
  EXPECT_EQ(refusal_of(newer), Code::not_found);
  const auto before_change = reset_link("ann");
  ASSERT_TRUE(wait(accounts->change_password(full(sign_in("ann")), password, new_password())));
  EXPECT_EQ(refusal_of(before_change), Code::not_found);
  const auto before_disabling = reset_link("ann");
  ASSERT_TRUE(wait(accounts->disable(local_operator(), ann)));
  ASSERT_TRUE(wait(accounts->enable(local_operator(), ann)));
  EXPECT_EQ(refusal_of(before_disabling), Code::not_found);
  for (const auto& none : {Secret(), Secret("pr_1"), Secret(std::string(5000, 'x'))})
    EXPECT_EQ(refusal_of(none), Code::not_found);
}

TEST_P(AccountLinksContract, unknown_and_disabled_addresses_are_answered_alike_by_no_letter) {
  const auto ann = make_account("ann");
  ASSERT_TRUE(wait(accounts->disable(local_operator(), ann)));
  for (const auto* email : {"nobody@example.org", "ann@example.org", "no address", ""}) {
    const auto asked = wait(links->create_reset(std::string(email)));
    ASSERT_TRUE(asked) << email;
    EXPECT_FALSE(*asked) << email;
    EXPECT_EQ(rows(), 1) << "a row is written as for a known one, and goes with the next";
  }
  EXPECT_EQ(wait(links->create_reset(local_operator(), ann)).error().code(), Code::conflict);
  EXPECT_EQ(wait(links->create_reset(local_operator(), AccountId())).error().code(), Code::not_found);
}

TEST_P(AccountLinksContract, an_address_is_not_flooded_and_the_last_link_goes_on) {
  make_account("ann");
  Secret last;
  for (int i = 0; i < letters_per_hour_max; ++i) last = reset_link("ann");
  EXPECT_FALSE(*wait(links->create_reset("ann@example.org")));
  EXPECT_TRUE(wait(links->require_reset(last)));
  EXPECT_TRUE(wait(links->create_reset(local_operator(), *wait(links->require_reset(last))))) << "the operator may";
  clock.advance(1h);
  EXPECT_TRUE(*wait(links->create_reset("ann@example.org")));
}

TEST_P(AccountLinksContract, an_address_is_confirmed_by_its_own_link_alone) {
  const auto ann = make_account("ann");
  const auto letter = wait(links->create_confirmation(ann));
  ASSERT_TRUE(letter && *letter);
  const Secret token = (*letter)->token;
  EXPECT_EQ(wait(links->confirm(reset_link("ann"))).error().code(), Code::not_found) << "for another purpose";
  EXPECT_EQ(refusal_of(token), Code::not_found) << "likewise";
  EXPECT_EQ(how_many_of_two([&] { return wait(links->confirm(token)); }), 1);
  EXPECT_TRUE(wait(accounts->load(ann))->confirmed_at);
  EXPECT_FALSE(*wait(links->create_confirmation(ann))) << "it is";
}

}  // namespace
}  // namespace parley::identity
