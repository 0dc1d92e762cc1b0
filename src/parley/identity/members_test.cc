#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/identity/invitations.h"
#include "parley/identity/members.h"
#include "parley/identity/names.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

class MembersContract : public PeopleContract {
 protected:
  std::optional<Role> role_of(AccountId account, TenantId tenant) {
    const auto member = wait(members->find(account, tenant)).value();
    return member ? std::optional(member->role) : std::nullopt;
  }
  static Code code(const Result<void>& result) { return result ? Code::internal : result.error().code(); }
};

INSTANTIATE_TEST_SUITE_P(engines, MembersContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(MembersContract, belong_to_one_organisation_as_something) {
  const auto ann = make_member("ann", acme, Role::editor);
  EXPECT_EQ(role_of(ann, acme), Role::editor);
  EXPECT_EQ(role_of(ann, zeta), std::nullopt);
  EXPECT_EQ(wait(members->list_of(ann))->size(), 1U);
  const auto begun = sign_in("ann");
  EXPECT_EQ((*wait(members->require(full(begun))))->role, Role::editor);
  make_account("bob");
  EXPECT_EQ(wait(members->require(full(sign_in("bob")))).error().code(), Code::not_found) << "none is chosen";
}

TEST_P(MembersContract, a_changed_role_counts_at_once_here_and_within_a_second_elsewhere) {
  const auto ann = make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::editor);
  Members other(store().control(), *sessions, clock);
  ASSERT_EQ(role_of(bob, acme), Role::editor);
  ASSERT_EQ((*wait(other.find(bob, acme)))->role, Role::editor);
  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::viewer)));
  EXPECT_EQ(role_of(bob, acme), Role::viewer);
  clock.advance(1s);
  EXPECT_EQ((*wait(other.find(bob, acme)))->role, Role::viewer);
  ASSERT_TRUE(wait(members->remove(by("ann"), acme, bob)));
  EXPECT_EQ(role_of(bob, acme), std::nullopt);
  other.forget(bob, acme);
  EXPECT_FALSE(*wait(other.find(bob, acme))) << "told";
  EXPECT_EQ(role_of(ann, acme), Role::administrator);
}

TEST_P(MembersContract, the_asking_role_is_the_one_of_this_moment_in_this_organisation) {
  make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::maintainer);
  const auto cid = make_member("cid", acme, Role::viewer);
  make_member("zoe", zeta, Role::administrator);
  EXPECT_EQ(code(wait(members->change_role(by("zoe"), acme, cid, Role::editor))), Code::not_found)
      << "an administrator of another one";
  EXPECT_EQ(code(wait(members->remove(by("zoe"), acme, cid))), Code::not_found);
  EXPECT_EQ(code(wait(members->change_role(by("zoe"), zeta, cid, Role::editor))), Code::not_found)
      << "cid is no member there";
  EXPECT_EQ(wait(members->list(by("zoe"), acme)).error().code(), Code::not_found);
  const auto bobs = by("bob");
  ASSERT_TRUE(wait(members->change_role(bobs, acme, cid, Role::editor)));
  EXPECT_EQ(code(wait(members->change_role(bobs, acme, cid, Role::administrator))), Code::permission_denied);
  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::viewer)));
  EXPECT_EQ(code(wait(members->change_role(bobs, acme, cid, Role::viewer))), Code::permission_denied)
      << "with a session from before";
  EXPECT_EQ(role_of(cid, acme), Role::editor);
}

TEST_P(MembersContract, the_last_administrator_stays) {
  const auto ann = make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::viewer);
  EXPECT_EQ(code(wait(members->change_role(by("ann"), acme, ann, Role::editor))), Code::conflict);
  EXPECT_EQ(code(wait(members->remove(by("ann"), acme, ann))), Code::conflict);
  EXPECT_EQ(code(wait(members->remove(by_operator(), acme, ann))), Code::conflict) << "the operator neither";
  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::administrator)));
  // Both leave at once: one of them stays.
  const auto anns = by("ann");
  const auto bobs = by("bob");
  auto other = std::async(std::launch::async, [&] { return wait(members->remove(bobs, acme, bob)).has_value(); });
  const bool mine = wait(members->remove(anns, acme, ann)).has_value();
  EXPECT_EQ(int(mine) + int(other.get()), 1);
  EXPECT_EQ(wait(members->list(by_operator(), acme))->size(), 1U);
}

TEST_P(MembersContract, a_disabled_administrator_does_not_count) {
  const auto ann = make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::administrator);
  ASSERT_TRUE(wait(accounts->disable(local_operator(), bob)));
  EXPECT_EQ(code(wait(members->remove(by("ann"), acme, ann))), Code::conflict);
}

TEST_P(MembersContract, a_grant_raises_the_role_on_one_project) {
  const auto docs = make_project(acme, "docs");
  const auto other = make_project(acme, "other");
  const auto theirs = make_project(zeta, "theirs");
  make_member("ann", acme, Role::maintainer);
  const auto bob = make_member("bob", acme, Role::viewer);
  ASSERT_TRUE(wait(members->grant(by("ann"), acme, bob, {docs, Role::editor})));
  const auto member = wait(members->find(bob, acme)).value();
  EXPECT_EQ(member->role_on(docs), Role::editor);
  EXPECT_EQ(member->role_on(other), Role::viewer);
  EXPECT_EQ(code(wait(members->grant(by("ann"), acme, bob, {theirs, Role::editor}))), Code::not_found);
  EXPECT_EQ(code(wait(members->grant(by("ann"), acme, bob, {docs, Role::administrator}))), Code::invalid_argument);
  EXPECT_EQ(code(wait(members->grant(by("bob"), acme, bob, {other, Role::editor}))), Code::permission_denied)
      << "not to oneself";
  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::maintainer)));
  EXPECT_EQ((*wait(members->find(bob, acme)))->role_on(docs), Role::maintainer) << "a grant takes nothing away";
  const auto rows = wait(members->list(by("bob"), acme));
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->at(1).email, "bob@example.org");
  ASSERT_EQ(rows->at(1).member.grants.size(), 1U);
  EXPECT_EQ(rows->at(1).member.grants[0].project, docs);
  ASSERT_TRUE(wait(members->withdraw_grant(by("ann"), acme, bob, docs)));
  EXPECT_EQ(code(wait(members->withdraw_grant(by("ann"), acme, bob, docs))), Code::not_found);
  EXPECT_TRUE((*wait(members->find(bob, acme)))->grants.empty());
}

TEST_P(MembersContract, groups_are_given_by_administrators_and_count_within_a_second_everywhere) {
  make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::maintainer);
  make_member("zoe", zeta, Role::administrator);
  const auto cid = make_account("cid");
  using Names = std::vector<std::string>;
  Members other(store().control(), *sessions, clock);
  EXPECT_TRUE((*wait(other.find(bob, acme)))->groups.empty());
  ASSERT_TRUE(wait(members->set_groups(by("ann"), acme, bob, {"staff", "board", "staff"})));
  EXPECT_EQ((*wait(members->find(bob, acme)))->groups, (Names{"board", "staff"}));
  clock.advance(1s);
  EXPECT_EQ((*wait(other.find(bob, acme)))->groups, (Names{"board", "staff"}));
  const auto rows = wait(members->list(by("ann"), acme)).value();
  for (const auto& row : rows)
    EXPECT_EQ(row.member.groups, row.member.account == bob ? (Names{"board", "staff"}) : Names());

  EXPECT_EQ(code(wait(members->set_groups(by("bob"), acme, bob, {"secret"}))), Code::permission_denied);
  EXPECT_EQ(code(wait(members->set_groups(by("zoe"), acme, bob, {}))), Code::not_found);
  EXPECT_EQ(code(wait(members->set_groups(by("ann"), acme, cid, {"staff"}))), Code::not_found);
  for (const auto& bad : {Names{""}, Names{"two\nlines"}, Names{std::string(group_name_bytes_max + 1, 'g')},
                          Names(groups_held_max + 1, "g")})
    EXPECT_EQ(code(wait(members->set_groups(by_operator(), acme, bob, bad))), Code::invalid_argument);
  EXPECT_EQ((*wait(members->find(bob, acme)))->groups, (Names{"board", "staff"}));

  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::viewer)));
  EXPECT_EQ((*wait(members->find(bob, acme)))->groups, (Names{"board", "staff"})) << "a role is another matter";
  ASSERT_TRUE(wait(members->remove(by("ann"), acme, bob)));
  ASSERT_TRUE(wait(members->add(local_operator(), acme, bob, Role::viewer)));
  EXPECT_TRUE((*wait(members->find(bob, acme)))->groups.empty()) << "who comes back begins anew";
}

TEST_P(MembersContract, grants_go_with_the_member_and_with_the_project) {
  const auto docs = make_project(acme, "docs");
  const auto more = make_project(acme, "more");
  const auto ann = make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::viewer);
  ASSERT_TRUE(wait(members->grant(by("ann"), acme, bob, {docs, Role::editor})));
  ASSERT_TRUE(wait(members->remove(by("ann"), acme, bob)));
  ASSERT_TRUE(wait(members->add(local_operator(), acme, bob, Role::viewer)));
  EXPECT_TRUE((*wait(members->find(bob, acme)))->grants.empty());
  ASSERT_TRUE(wait(members->grant(by("ann"), acme, bob, {more, Role::editor})));
  ASSERT_TRUE(wait(tenants->remove_project(acme, more)));
  clock.advance(1s);
  EXPECT_TRUE((*wait(members->find(bob, acme)))->grants.empty());
  EXPECT_EQ(code(wait(members->add(local_operator(), acme, ann, Role::viewer))), Code::conflict);
}

TEST_P(MembersContract, a_removed_member_acts_for_the_organisation_no_longer) {
  make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::editor);
  const auto begun = sign_in("bob");
  ASSERT_EQ((*use(begun.token))->tenant, acme);
  ASSERT_TRUE(wait(members->remove(by("ann"), acme, bob)));
  EXPECT_FALSE((*use(begun.token))->tenant) << "signed in still, to nothing";
  EXPECT_EQ(wait(members->require(full(begun))).error().code(), Code::not_found);
}

TEST_P(MembersContract, requiring_a_second_factor_ends_sessions_without_one) {
  make_member("ann", acme, Role::administrator);
  make_member("bob", acme, Role::maintainer);
  make_member("zoe", zeta, Role::administrator);
  const auto anns = sign_in("ann");
  const auto bobs = sign_in("bob");
  const auto zoes = sign_in("zoe");
  EXPECT_EQ(code(wait(members->set_second_factor_rule(by("bob"), acme, SecondFactorRule::required))),
            Code::permission_denied);
  EXPECT_EQ(code(wait(members->set_second_factor_rule(by("zoe"), acme, SecondFactorRule::required))), Code::not_found);
  ASSERT_TRUE(use(bobs.token));
  ASSERT_TRUE(wait(members->set_second_factor_rule(by("ann"), acme, SecondFactorRule::required)));
  EXPECT_TRUE(wait(tenants->load(acme))->requires_second_factor);
  EXPECT_FALSE(use(anns.token));
  EXPECT_FALSE(use(bobs.token));
  EXPECT_TRUE(use(zoes.token));
  EXPECT_EQ(sign_in("bob").session->assurance, Assurance::enrolment_owed);
  ASSERT_TRUE(wait(members->set_second_factor_rule(by_operator(), acme, SecondFactorRule::optional)));
  EXPECT_EQ(sign_in("bob").session->assurance, Assurance::full);
}

TEST_P(MembersContract, whoever_is_less_afterwards_leaves_no_invitations_behind) {
  Invitations invitations(store().control(), hasher, *members, clock);
  make_member("ann", acme, Role::administrator);
  const auto bob = make_member("bob", acme, Role::maintainer);
  const auto invited = wait(invitations.create(
      by("bob"), {.tenant = acme, .email = "eve@example.org", .role = Role::maintainer, .grant = {}}));
  ASSERT_TRUE(invited) << describe_for_operator(invited.error());
  ASSERT_TRUE(wait(members->change_role(by("ann"), acme, bob, Role::viewer)));
  EXPECT_EQ(wait(invitations.find(invited->token)).error().code(), Code::not_found);
}

}  // namespace
}  // namespace parley::identity
