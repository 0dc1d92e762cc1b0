#include "parley/identity/visitor_token.h"

#include <gtest/gtest.h>

namespace parley::identity {
namespace {

struct TestClock final : Clock {
  Timestamp at{1'800'000'000'000'000};
  Timestamp now() const override { return at; }
};

class VisitorTokenTest : public testing::Test {
 protected:
  TestClock clock_;
  VisitorTokens tokens_{crypto::SealKey::make(), clock_, crypto::system_random()};
  ProjectRef project_{.tenant = crypto::random_id<TenantId>(),
                      .project = crypto::random_id<ProjectId>(),
                      .slug = "docs",
                      .visibility = ProjectRef::Visibility::public_};
};

TEST_F(VisitorTokenTest, says_who_and_which_project_until_it_expires) {
  const auto minted = tokens_.mint(project_, ScopeSet::all());
  const auto who = tokens_.verify(minted.token);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->kind, PrincipalKind::visitor);
  EXPECT_EQ(who->id, minted.visitor);
  EXPECT_EQ(who->tenant, project_.tenant);
  EXPECT_EQ(who->project, project_.project);
  EXPECT_EQ(who->scopes, ScopeSet::public_keys());
  clock_.at = clock_.at + visitor_token_life - std::chrono::microseconds(1);
  EXPECT_TRUE(tokens_.verify(minted.token));
  clock_.at = clock_.at + std::chrono::microseconds(1);
  EXPECT_FALSE(tokens_.verify(minted.token));
}

TEST_F(VisitorTokenTest, any_changed_character_is_refused) {
  const std::string token = tokens_.mint(project_, ScopeSet::all()).token;
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens_.verify(changed)) << i;
  }
  EXPECT_FALSE(tokens_.verify(token + "A"));
  EXPECT_FALSE(tokens_.verify(token.substr(0, token.size() - 1)));
  EXPECT_FALSE(tokens_.verify("vt_"));
  EXPECT_FALSE(tokens_.verify(""));
}

TEST_F(VisitorTokenTest, another_installations_token_is_refused) {
  const VisitorTokens others(crypto::SealKey::make(), clock_, crypto::system_random());
  EXPECT_FALSE(tokens_.verify(others.mint(project_, ScopeSet::all()).token));
}

TEST_F(VisitorTokenTest, holds_no_scope_that_whoever_vouched_for_it_does_not_hold) {
  const auto who = tokens_.verify(tokens_.mint(project_, {Scope::chat_create, Scope::project_sync}).token);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->scopes, (ScopeSet{Scope::chat_create}));
}

}  // namespace
}  // namespace parley::identity
