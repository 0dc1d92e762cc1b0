#include <tuple>

#include <gtest/gtest.h>

#include "parley/identity/role_rules.h"

namespace parley::identity {
namespace {

constexpr Role roles[] = {Role::viewer, Role::editor, Role::maintainer, Role::administrator};
constexpr std::optional<Role> none;

TEST(RoleRules, a_change_of_members_is_judged_by_this_table) {
  using enum Role;
  constexpr auto yes = std::optional<Code>();
  constexpr std::optional<Code> no = Code::permission_denied;
  // who asks, what the other is, what they become, the outcome
  const std::tuple<Role, std::optional<Role>, std::optional<Role>, std::optional<Code>> rows[] = {
      // inviting
      {administrator, none, administrator, yes},
      {administrator, none, viewer, yes},
      {maintainer, none, administrator, no},
      {maintainer, none, maintainer, yes},
      {maintainer, none, viewer, yes},
      {editor, none, viewer, no},
      {viewer, none, viewer, no},
      // changing
      {administrator, viewer, administrator, yes},
      {administrator, administrator, viewer, yes},
      {maintainer, viewer, editor, yes},
      {maintainer, editor, maintainer, yes},
      {maintainer, maintainer, viewer, yes},
      {maintainer, maintainer, administrator, no},
      {maintainer, administrator, maintainer, no},
      {maintainer, administrator, administrator, no},
      {editor, viewer, editor, no},
      {editor, editor, viewer, no},
      {viewer, administrator, viewer, no},
      // removing
      {administrator, administrator, none, yes},
      {administrator, viewer, none, yes},
      {maintainer, maintainer, none, yes},
      {maintainer, administrator, none, no},
      {editor, viewer, none, no},
      {viewer, viewer, none, no},
  };
  for (const auto& [actor, from, to, outcome] : rows) {
    const auto judged = check_member_change({.actor = actor, .from = from, .to = to});
    EXPECT_EQ(judged ? yes : judged.error().code(), outcome)
        << name(actor) << ": " << (from ? name(*from) : "nobody") << " to " << (to ? name(*to) : "nobody");
  }
}

TEST(RoleRules, everybody_may_leave_or_step_down_but_not_up) {
  for (const auto own : roles) {
    EXPECT_TRUE(check_member_change({.actor = own, .from = own, .to = none, .of_oneself = true}));
    for (const auto to : roles)
      EXPECT_EQ(check_member_change({.actor = own, .from = own, .to = to, .of_oneself = true}).has_value(), to <= own)
          << name(own) << " to " << name(to);
  }
}

TEST(RoleRules, the_last_administrator_stays_whoever_asks) {
  for (const bool self : {false, true}) {
    for (const std::optional<Role> to : {none, std::optional(Role::viewer), std::optional(Role::maintainer)}) {
      const auto judged = check_member_change({.actor = Role::administrator,
                                               .from = Role::administrator,
                                               .to = to,
                                               .of_oneself = self,
                                               .last_administrator = true});
      ASSERT_FALSE(judged);
      EXPECT_EQ(judged.error().code(), Code::conflict);
    }
  }
  EXPECT_TRUE(check_member_change({.actor = Role::administrator,
                                   .from = Role::administrator,
                                   .to = Role::administrator,
                                   .of_oneself = true,
                                   .last_administrator = true}));
}

TEST(RoleRules, nobody_is_given_more_than_the_giver_has) {
  for (const auto actor : roles)
    for (const auto from : roles)
      for (const auto to : roles) {
        if (check_member_change({.actor = actor, .from = from, .to = to})) {
          EXPECT_LE(to, actor);
          EXPECT_LE(from, actor);
        }
      }
}

TEST(RoleRules, a_project_has_no_administrator) {
  EXPECT_EQ(check_project_grant(Role::administrator, Role::viewer, Role::administrator).error().code(),
            Code::invalid_argument);
  EXPECT_TRUE(check_project_grant(Role::maintainer, Role::viewer, Role::maintainer));
  EXPECT_TRUE(check_project_grant(Role::administrator, Role::administrator, Role::editor)) << "without effect";
  EXPECT_FALSE(check_project_grant(Role::maintainer, Role::administrator, Role::editor));
  EXPECT_FALSE(check_project_grant(Role::editor, Role::viewer, Role::editor));
}

TEST(RoleRules, administrators_alone_change_the_organisation) {
  for (const auto role : roles) EXPECT_EQ(check_organisation_change(role).has_value(), role == Role::administrator);
}

}  // namespace
}  // namespace parley::identity
