#include <gtest/gtest.h>

#include "parley/identity/account_store.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

// Made anew for each run, and unusual enough for any judge.
Secret new_password() { return Secret(crypto::random_text(20, "abcdefghijklmnopqrstuvwxyz0123456789")); }

TEST(Email, has_one_spelling) {
  EXPECT_EQ(parse_email("Ann.Other@Example.ORG"), "ann.other@example.org");
  for (const auto* bad : {"", "ann", "@example.org", "ann@", "ann@example", "ann@.org", "ann@example.", "a@b@c.org",
                          "ann other@example.org", "ann@exa mple.org", "\"ann\"@example.org", "ann@ex\xc3\xa4mple.org",
                          "<ann@example.org>", "ann@example..org", "ann@example.org\n"})
    EXPECT_FALSE(parse_email(bad)) << bad;
  EXPECT_FALSE(parse_email(std::string(300, 'a') + "@example.org"));
}

TEST(PasswordStrength, short_common_and_personal_passwords_are_refused) {
  for (const auto* bad :
       {"", "k3#vQ9!x", "password1234", "qwertyuiop12", "aaaaaaaaaaaaaa", "ann.other@example.org", "1234567890123"})
    EXPECT_FALSE(check_password_strength(Secret(bad), "ann.other@example.org")) << bad;
  EXPECT_TRUE(check_password_strength(new_password(), "ann.other@example.org"));
  EXPECT_FALSE(check_password_strength(Secret("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4"), "")) << "5 characters";
  EXPECT_EQ(check_password_strength(Secret(std::string(2000, 'x')), "").error().code(), Code::too_large);
}

class AccountStoreContract : public PeopleContract {
 protected:
  Secret token() {
    auto made = wait(accounts->create_setup_token());
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made ? *std::move(made) : Secret();
  }
  Result<Account> set_up(const Secret& with) {
    return wait(accounts->create_first_administrator(with, "ann@example.org", password, acme));
  }
};

INSTANTIATE_TEST_SUITE_P(engines, AccountStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(AccountStoreContract, the_set_up_token_makes_one_owner_once) {
  const auto first = token();
  const auto made = set_up(first);
  ASSERT_TRUE(made) << describe_for_operator(made.error());
  const auto member = wait(members->find(made->id, acme)).value();
  ASSERT_TRUE(member);
  EXPECT_EQ(member->role, Role::administrator);
  EXPECT_EQ(set_up(first).error().code(), Code::conflict);
  EXPECT_EQ(wait(accounts->create_setup_token()).error().code(), Code::conflict);
}

TEST_P(AccountStoreContract, an_unknown_replaced_or_expired_token_makes_none) {
  EXPECT_EQ(set_up(Secret("setup_0")).error().code(), Code::unauthenticated);
  const auto replaced = token();
  const auto expired = token();
  EXPECT_EQ(set_up(replaced).error().code(), Code::unauthenticated);
  clock.advance(setup_token_lifetime);
  EXPECT_EQ(set_up(expired).error().code(), Code::unauthenticated);
  EXPECT_EQ(set_up(Secret(std::string(5000, 'x'))).error().code(), Code::unauthenticated);
}

TEST_P(AccountStoreContract, the_token_survives_a_refused_password) {
  const auto with = token();
  EXPECT_EQ(
      wait(accounts->create_first_administrator(with, "ann@example.org", Secret("password12"), acme)).error().code(),
      Code::invalid_argument);
  EXPECT_TRUE(set_up(with));
}

TEST_P(AccountStoreContract, a_password_opens_its_own_account) {
  const auto ann = wait(accounts->create("Ann@Example.org", password));
  ASSERT_TRUE(ann);
  EXPECT_EQ(wait(accounts->verify_password("ann@example.ORG", password))->account(), ann->id);
  EXPECT_EQ(wait(accounts->find_by_email("ANN@example.org")).value()->id, ann->id);
  EXPECT_EQ(wait(accounts->create("ann@EXAMPLE.org", password)).error().code(), Code::conflict);
}

TEST_P(AccountStoreContract, unknown_wrong_and_disabled_are_refused_alike) {
  const auto ann = wait(accounts->create("ann@example.org", password));
  const auto bob = wait(accounts->create("bob@example.org", password));
  ASSERT_TRUE(wait(accounts->disable(local_operator(), bob->id)));
  for (const auto& refused : {wait(accounts->verify_password("nobody@example.org", password)),
                              wait(accounts->verify_password("not an address", password)),
                              wait(accounts->verify_password("ann@example.org", new_password())),
                              wait(accounts->verify_password("bob@example.org", password))}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::unauthenticated);
    EXPECT_EQ(refused.error().reason().view(), "the address or the password is not right");
    EXPECT_EQ(refused.error().operator_detail(), "");
  }
}

TEST_P(AccountStoreContract, a_new_password_replaces_the_old_one_and_ends_other_sessions) {
  make_account("ann");
  const auto elsewhere = sign_in("ann");
  const auto here = sign_in("ann");
  const auto next = new_password();
  const auto change = [&](Secret old_one, Secret new_one) {
    return wait(accounts->change_password(full(here), std::move(old_one), std::move(new_one)));
  };
  EXPECT_EQ(change(new_password(), next).error().code(), Code::unauthenticated) << "needs the old one";
  EXPECT_EQ(change(password, Secret("password12")).error().code(), Code::invalid_argument);
  EXPECT_TRUE(use(elsewhere.token));
  ASSERT_TRUE(change(password, next));
  EXPECT_TRUE(wait(accounts->verify_password("ann@example.org", next)));
  EXPECT_FALSE(wait(accounts->verify_password("ann@example.org", password)));
  EXPECT_TRUE(use(here.token));
  EXPECT_FALSE(use(elsewhere.token));
}

TEST_P(AccountStoreContract, an_account_without_a_password_is_opened_by_none) {
  ASSERT_TRUE(wait(accounts->create_without_password("ann@example.org")));
  for (const auto* tried : {"", "!", "password"})
    EXPECT_EQ(wait(accounts->verify_password("ann@example.org", Secret(tried))).error().code(), Code::unauthenticated);
  EXPECT_EQ(wait(accounts->create_without_password("ann@example.org")).error().code(), Code::conflict);
}

TEST_P(AccountStoreContract, a_disabled_account_is_signed_out_and_opens_nothing_until_it_is_enabled) {
  const auto ann = make_account("ann");
  const auto begun = sign_in("ann");
  const auto proven = prove("ann");
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(accounts->disable(local_operator(), ann)));
  EXPECT_TRUE(wait(accounts->disable(local_operator(), ann))) << "twice is no error";
  EXPECT_FALSE(use(begun.token));
  EXPECT_EQ(wait(sessions->begin(proven, {.client = "curl", .tenant = {}})).error().code(), Code::unauthenticated)
      << "the password was right a moment before";
  ASSERT_TRUE(wait(accounts->enable(local_operator(), ann)));
  EXPECT_FALSE(use(begun.token)) << "what ended stays ended";
  EXPECT_TRUE(use(sign_in("ann").token));
  EXPECT_EQ(wait(accounts->disable(local_operator(), AccountId())).error().code(), Code::not_found);
  EXPECT_EQ(wait(accounts->enable(local_operator(), AccountId())).error().code(), Code::not_found);
}

TEST_P(AccountStoreContract, the_last_administrator_is_not_disabled) {
  const auto ann = make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::administrator);
  add_member(ann, zeta, Role::viewer);
  ASSERT_TRUE(wait(accounts->disable(local_operator(), bob)));
  EXPECT_EQ(wait(accounts->disable(local_operator(), ann)).error().code(), Code::conflict)
      << "the other one is disabled";
  ASSERT_TRUE(wait(accounts->enable(local_operator(), bob)));
  EXPECT_TRUE(wait(accounts->disable(local_operator(), ann)));
}

TEST_P(AccountStoreContract, lists_everybody_by_address) {
  make_account("bob");
  make_account("ann");
  const auto all = wait(accounts->list(local_operator()));
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).email, "ann@example.org");
  EXPECT_FALSE(all->at(0).confirmed_at);
}

// Many at once on one event loop; the first coroutine of each goes as far as its worker before any comes back.
TEST(PasswordHasher, refuses_when_its_queue_is_full_and_recovers) {
  net::Workers workers(1);
  PasswordHasher hasher(workers, {.memory_bytes = 8192, .passes = 1});
  asio::io_context io;
  int done = 0;
  int refused = 0;
  for (int i = 0; i < password_queue_max + 5; ++i) {
    asio::co_spawn(io, hasher.hash(new_password()), [&](std::exception_ptr, Result<std::string> result) {
      if (result) ++done;
      else if (result.error().code() == Code::unavailable) ++refused;
    });
  }
  io.run();
  EXPECT_EQ(done, password_queue_max);
  EXPECT_EQ(refused, 5);
  EXPECT_TRUE(wait(hasher.hash(new_password())));
}

}  // namespace
}  // namespace parley::identity
