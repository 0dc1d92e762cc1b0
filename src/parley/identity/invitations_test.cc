#include <gtest/gtest.h>

#include "parley/identity/invitations.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

class InvitationsContract : public PeopleContract {
 protected:
  void SetUp() override {
    PeopleContract::SetUp();
    if (IsSkipped()) return;
    invitations = std::make_unique<Invitations>(store().control(), hasher, *members, clock);
    make_member("ann", acme, Role::administrator);
  }
  CreatedInvitation invite(std::string_view name, Role role = Role::editor) {
    auto made =
        wait(invitations->create(by("ann"), {.tenant = acme, .email = email_of(name), .role = role, .grant = {}}));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return *std::move(made);
  }
  Code refusal_of(const Secret& token) {
    const auto found = wait(invitations->find(token));
    return found ? Code::internal : found.error().code();
  }

  std::unique_ptr<Invitations> invitations;
};

INSTANTIATE_TEST_SUITE_P(engines, InvitationsContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(InvitationsContract, makes_an_account_and_a_member_of_somebody_new) {
  const auto project = make_project(acme, "docs");
  const auto made = wait(invitations->create(by("ann"), {.tenant = acme,
                                                         .email = "Bob@Example.org",
                                                         .role = Role::viewer,
                                                         .grant = ProjectGrant{project, Role::editor}}));
  ASSERT_TRUE(made) << describe_for_operator(made.error());
  const auto offered = wait(invitations->find(made->token));
  ASSERT_TRUE(offered);
  EXPECT_EQ(offered->organisation, "acme");
  EXPECT_EQ(offered->email, "bob@example.org");
  EXPECT_FALSE(offered->has_account);
  EXPECT_EQ(wait(invitations->accept_with_new_account(made->token, Secret("password12"))).error().code(),
            Code::invalid_argument)
      << "the invitation survives";
  const auto proven = wait(invitations->accept_with_new_account(made->token, password));
  ASSERT_TRUE(proven) << describe_for_operator(proven.error());
  const auto member = wait(members->find(proven->account(), acme)).value();
  ASSERT_TRUE(member);
  EXPECT_EQ(member->role, Role::viewer);
  EXPECT_EQ(member->role_on(project), Role::editor);
  EXPECT_TRUE(wait(accounts->load(proven->account()))->confirmed_at) << "the letter was read";
  EXPECT_EQ(wait(sessions->begin(*proven, {.client = "curl", .tenant = {}}))->session->tenant, acme);
  EXPECT_EQ(refusal_of(made->token), Code::not_found) << "once";
}

TEST_P(InvitationsContract, takes_in_an_existing_account_of_that_address_alone) {
  const auto bob = make_member("bob", zeta, Role::administrator);
  make_account("eve");
  const auto made = invite("bob");
  EXPECT_TRUE(wait(invitations->find(made.token))->has_account);
  EXPECT_EQ(wait(invitations->accept_with_new_account(made.token, password)).error().code(), Code::conflict);
  EXPECT_EQ(wait(invitations->accept(full(sign_in("eve")), made.token)).error().code(), Code::permission_denied)
      << "a link passed on";
  ASSERT_FALSE(wait(members->find(bob, acme)).value());
  const auto joined = wait(invitations->accept(full(sign_in("bob")), made.token));
  ASSERT_TRUE(joined) << describe_for_operator(joined.error());
  EXPECT_EQ(joined->tenant, acme);
  EXPECT_EQ((*wait(members->find(bob, acme)))->role, Role::editor) << "at once";
  EXPECT_EQ((*wait(members->find(bob, zeta)))->role, Role::administrator);
}

TEST_P(InvitationsContract, of_two_acceptances_at_once_one_wins) {
  const auto made = invite("bob");
  EXPECT_EQ(how_many_of_two([&] { return wait(invitations->accept_with_new_account(made.token, password)); }), 1);
  make_account("cid");
  const auto second = invite("cid");
  const auto cid = full(sign_in("cid"));
  EXPECT_EQ(how_many_of_two([&] { return wait(invitations->accept(cid, second.token)); }), 1);
}

TEST_P(InvitationsContract, ends_by_time_by_revocation_and_by_a_newer_one) {
  const auto expired = invite("bob");
  clock.advance(invitation_lifetime);
  EXPECT_EQ(refusal_of(expired.token), Code::not_found);
  EXPECT_EQ(wait(invitations->accept_with_new_account(expired.token, password)).error().code(), Code::not_found);
  const auto revoked = invite("bob");
  ASSERT_TRUE(wait(invitations->revoke(by("ann"), acme, revoked.invitation.id)));
  EXPECT_EQ(refusal_of(revoked.token), Code::not_found);
  EXPECT_EQ(wait(invitations->revoke(by("ann"), acme, revoked.invitation.id)).error().code(), Code::not_found);
  const auto replaced = invite("bob");
  const auto newer = invite("bob");
  EXPECT_EQ(refusal_of(replaced.token), Code::not_found);
  EXPECT_EQ(refusal_of(newer.token), Code::internal);
  for (const auto& none : {Secret(), Secret("pi_1"), Secret(std::string(5000, 'x'))})
    EXPECT_EQ(refusal_of(none), Code::not_found);
}

TEST_P(InvitationsContract, are_listed_while_pending_and_only_to_who_may_invite) {
  make_member("mia", acme, Role::maintainer);
  make_member("vic", acme, Role::viewer);
  make_member("zoe", zeta, Role::administrator);
  const auto made = invite("bob");
  const auto administrator = invite("cid", Role::administrator);
  EXPECT_EQ(wait(invitations->list(by("mia"), acme))->size(), 2U);
  EXPECT_EQ(wait(invitations->list(by("vic"), acme)).error().code(), Code::permission_denied);
  EXPECT_EQ(wait(invitations->list(by("zoe"), acme)).error().code(), Code::not_found);
  EXPECT_TRUE(wait(invitations->list(by("zoe"), zeta))->empty());
  EXPECT_EQ(wait(invitations->revoke(by("zoe"), zeta, made.invitation.id)).error().code(), Code::not_found);
  EXPECT_EQ(wait(invitations->revoke(by("mia"), acme, administrator.invitation.id)).error().code(),
            Code::permission_denied);
  ASSERT_TRUE(wait(invitations->accept_with_new_account(made.token, password)));
  EXPECT_EQ(wait(invitations->list(by("ann"), acme))->size(), 1U);
}

TEST_P(InvitationsContract, nobody_invites_above_their_own_role) {
  make_member("mia", acme, Role::maintainer);
  make_member("vic", acme, Role::viewer);
  const auto theirs = make_project(zeta, "theirs");
  const auto invited_by = [&](std::string_view who, Role role, std::optional<ProjectGrant> grant = {}) {
    const auto made =
        wait(invitations->create(by(who), {.tenant = acme, .email = "new@example.org", .role = role, .grant = grant}));
    return made ? Code::internal : made.error().code();
  };
  EXPECT_EQ(invited_by("vic", Role::viewer), Code::permission_denied);
  EXPECT_EQ(invited_by("mia", Role::administrator), Code::permission_denied);
  EXPECT_EQ(invited_by("mia", Role::maintainer), Code::internal);
  EXPECT_EQ(invited_by("ann", Role::viewer, ProjectGrant{theirs, Role::editor}), Code::not_found);
  EXPECT_EQ(invited_by("ann", Role::viewer, ProjectGrant{theirs, Role::administrator}), Code::invalid_argument);
  EXPECT_EQ(wait(invitations->create(by("ann"),
                                     {.tenant = acme, .email = email_of("mia"), .role = Role::viewer, .grant = {}}))
                .error()
                .code(),
            Code::conflict)
      << "a member already";
}

}  // namespace
}  // namespace parley::identity
