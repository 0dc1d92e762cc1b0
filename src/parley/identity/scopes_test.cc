#include <gtest/gtest.h>

#include "parley/identity/scopes.h"

namespace parley::identity {
namespace {

TEST(Scopes, lists_read_back_as_written) {
  EXPECT_EQ(parse_scopes(ScopeSet::all().to_string()), ScopeSet::all());
  EXPECT_EQ(parse_scopes(" project_read , chat_create")->to_string(), "project_read,chat_create");
  EXPECT_TRUE(parse_scopes("")->empty());
}

TEST(Scopes, aliases_mean_the_same_scope) {
  EXPECT_EQ(parse_scopes("create_chat,sources_create,sources_delete")->to_string(),
            "project_sources_create,project_sources_delete,chat_create");
}

TEST(Scopes, a_misspelt_scope_is_refused_rather_than_left_out) {
  for (const auto* bad : {"project_reed", "project_read,", ",project_read", "project_read,,chat_create", "PROJECT_READ",
                          "project_read chat_create", "*"})
    EXPECT_FALSE(parse_scopes(bad)) << bad;
}

TEST(Scopes, a_public_key_may_hold_three) {
  EXPECT_EQ(ScopeSet::public_keys().to_string(), "project_read,project_search,chat_create");
}

TEST(Roles, each_has_all_that_the_one_before_it_has) {
  EXPECT_TRUE(scopes_of(Role::editor).contains_all(scopes_of(Role::viewer)));
  EXPECT_TRUE(scopes_of(Role::administrator).contains_all(scopes_of(Role::editor)));
  EXPECT_EQ(scopes_of(Role::owner), ScopeSet::all());
  EXPECT_FALSE(scopes_of(Role::administrator).contains(Scope::member_manage));
  EXPECT_FALSE(scopes_of(Role::viewer).contains(Scope::chat_read));
}

TEST(Roles, read_back_as_written) {
  for (const auto role : {Role::viewer, Role::editor, Role::administrator, Role::owner})
    EXPECT_EQ(parse_role(name(role)), role);
  EXPECT_FALSE(parse_role("Owner"));
}

}  // namespace
}  // namespace parley::identity
