#include <gtest/gtest.h>

#include "parley/identity/account_store.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

// As cheap as the library allows: what is tested is the handling, not the cost.
constexpr crypto::PasswordCost cheap{.memory_bytes = 8192, .passes = 1};

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

class AccountStoreContract : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    accounts = std::make_unique<AccountStore>(store().control(), hasher, clock);
  }
  Secret token() {
    auto made = wait(accounts->create_setup_token());
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made ? *std::move(made) : Secret();
  }
  Result<Account> set_up(const Secret& with) {
    return wait(accounts->create_first_administrator(with, "ann@example.org", password, acme));
  }

  PasswordHasher hasher{workers, cheap};
  std::unique_ptr<AccountStore> accounts;
  const Secret password = new_password();
};

INSTANTIATE_TEST_SUITE_P(engines, AccountStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(AccountStoreContract, the_set_up_token_makes_one_owner_once) {
  const auto first = token();
  const auto made = set_up(first);
  ASSERT_TRUE(made) << describe_for_operator(made.error());
  const auto members = wait(accounts->members_of(acme)).value();
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members[0].account, made->id);
  EXPECT_EQ(members[0].role, Role::administrator);
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
  ASSERT_TRUE(wait(accounts->disable(bob->id)));
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

TEST_P(AccountStoreContract, a_new_password_replaces_the_old_one) {
  const auto ann = wait(accounts->create("ann@example.org", password));
  const auto next = new_password();
  ASSERT_TRUE(wait(accounts->set_password(ann->id, next)));
  EXPECT_TRUE(wait(accounts->verify_password("ann@example.org", next)));
  EXPECT_FALSE(wait(accounts->verify_password("ann@example.org", password)));
  EXPECT_EQ(wait(accounts->set_password(crypto::random_id<AccountId>(), next)).error().code(), Code::not_found);
}

TEST_P(AccountStoreContract, roles_are_per_tenant_and_an_owner_stays) {
  const auto ann = set_up(token());
  const auto bob = wait(accounts->create("bob@example.org", password));
  ASSERT_TRUE(wait(accounts->set_role(bob->id, acme, Role::viewer)));
  EXPECT_TRUE(wait(accounts->members_of(zeta))->empty());
  EXPECT_EQ(wait(accounts->set_role(ann->id, acme, Role::editor)).error().code(), Code::conflict);
  EXPECT_EQ(wait(accounts->remove_member(ann->id, acme)).error().code(), Code::conflict);
  ASSERT_TRUE(wait(accounts->set_role(bob->id, acme, Role::administrator)));
  EXPECT_TRUE(wait(accounts->remove_member(ann->id, acme)));
  EXPECT_TRUE(wait(accounts->memberships_of(ann->id))->empty());
  EXPECT_EQ(wait(accounts->memberships_of(bob->id))->at(0).tenant, acme);
  EXPECT_EQ(wait(accounts->remove_member(ann->id, acme)).error().code(), Code::not_found);
}

// Many at once on one event loop; the first coroutine of each goes as far as its worker before any comes back.
TEST(PasswordHasher, refuses_when_its_queue_is_full_and_recovers) {
  net::Workers workers(1);
  PasswordHasher hasher(workers, cheap);
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
