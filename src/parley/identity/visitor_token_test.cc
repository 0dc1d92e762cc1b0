#include "parley/identity/visitor_token.h"

#include <gtest/gtest.h>

#include "parley/text/base64.h"

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
  VisitorPass pass(ScopeSet scopes = ScopeSet::all()) const {
    return {
        .visitor = visitor_, .tenant = tenant_, .project = project_, .scopes = scopes, .origin = "https://a.example"};
  }
  const Uuid visitor_ = crypto::random_uuid(crypto::system_random());
  const TenantId tenant_ = crypto::random_id<TenantId>(crypto::system_random());
  const ProjectId project_ = crypto::random_id<ProjectId>(crypto::system_random());
};

TEST_F(VisitorTokenTest, says_who_where_and_by_whose_word_until_it_expires) {
  VisitorPass wanted = pass();
  wanted.vouched_by = VisitorPass::Voucher{KeyId(visitor_), crypto::sha256("key")};
  wanted.groups = {"staff", "berlin"};
  wanted.identity =
      VerifiedIdentity{.issuer = IdentityIssuerId(visitor_), .subject = "customer-7", .email = "ada@example.org"};
  const auto minted = tokens_.mint(wanted);
  const auto read = tokens_.read(minted.token);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->visitor, visitor_);
  EXPECT_EQ(read->tenant, tenant_);
  EXPECT_EQ(read->project, project_);
  EXPECT_EQ(read->scopes, ScopeSet::public_keys());
  EXPECT_EQ(read->origin, "https://a.example");
  ASSERT_TRUE(read->vouched_by);
  EXPECT_EQ(read->vouched_by->digest, crypto::sha256("key"));
  EXPECT_EQ(read->groups, (std::vector<std::string>{"staff", "berlin"}));
  ASSERT_TRUE(read->identity);
  EXPECT_EQ(read->identity->issuer.uuid(), visitor_);
  EXPECT_EQ(read->identity->subject, "customer-7");
  EXPECT_EQ(read->identity->email, "ada@example.org");
  EXPECT_FALSE(tokens_.read(tokens_.mint(pass()).token)->identity);
  EXPECT_EQ(minted.expires_in, visitor_token_life);
  clock_.at = clock_.at + visitor_token_life - std::chrono::microseconds(1);
  EXPECT_TRUE(tokens_.read(minted.token));
  clock_.at = clock_.at + std::chrono::microseconds(1);
  EXPECT_FALSE(tokens_.read(minted.token));
}

TEST_F(VisitorTokenTest, ends_sooner_if_asked_to) {
  const auto minted = tokens_.mint(pass(), clock_.at + std::chrono::minutes(5));
  EXPECT_EQ(minted.expires_in, std::chrono::minutes(5));
  clock_.at = clock_.at + std::chrono::minutes(5);
  EXPECT_FALSE(tokens_.read(minted.token));
}

TEST_F(VisitorTokenTest, tells_its_holder_nothing_of_what_it_says) {
  VisitorPass wanted = pass();
  wanted.groups = {"redundancies"};
  const auto token = tokens_.mint(wanted).token;
  const auto raw = text::parse_base64url(std::string_view(token).substr(visitor_token_prefix.size()));
  ASSERT_TRUE(raw);
  EXPECT_EQ(std::string(raw->begin(), raw->end()).find("redundancies"), std::string::npos);
}

TEST_F(VisitorTokenTest, any_changed_character_is_refused) {
  const std::string token = tokens_.mint(pass()).token;
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens_.read(changed)) << i;
  }
  EXPECT_FALSE(tokens_.read(token + "A"));
  EXPECT_FALSE(tokens_.read(token.substr(0, token.size() - 1)));
  EXPECT_FALSE(tokens_.read("vt_"));
  EXPECT_FALSE(tokens_.read(""));
}

TEST_F(VisitorTokenTest, another_installations_token_is_refused) {
  const VisitorTokens others(crypto::SealKey::make(), clock_, crypto::system_random());
  EXPECT_FALSE(tokens_.read(others.mint(pass()).token));
}

TEST_F(VisitorTokenTest, holds_no_scope_that_whoever_vouched_for_it_does_not_hold) {
  const auto who = tokens_.read(tokens_.mint(pass({Scope::chat_create, Scope::project_sync})).token);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->scopes, (ScopeSet{Scope::chat_create}));
}

TEST_F(VisitorTokenTest, a_group_whose_name_is_too_long_is_left_out_and_not_cut_into_another_ones) {
  const std::string longest(group_name_bytes_max, 'g');
  VisitorPass wanted = pass();
  wanted.groups = {longest + "x", "staff"};
  const auto one_left = tokens_.read(tokens_.mint(wanted).token);
  ASSERT_TRUE(one_left);
  EXPECT_EQ(one_left->groups, (std::vector<std::string>{"staff"}));

  wanted.groups = {longest};
  const auto just_fits = tokens_.read(tokens_.mint(wanted).token);
  ASSERT_TRUE(just_fits);
  EXPECT_EQ(just_fits->groups, (std::vector<std::string>{longest}));
}

TEST_F(VisitorTokenTest, the_longest_that_can_be_made_can_be_read) {
  VisitorPass wanted = pass();
  wanted.vouched_by = VisitorPass::Voucher{KeyId(visitor_), crypto::sha256("key")};
  wanted.origin = std::string(300, 'o');
  for (std::size_t i = 0; i < groups_held_max; ++i)
    wanted.groups.push_back(std::string(group_name_bytes_max - 1, 'g') + static_cast<char>('0' + i));
  wanted.identity = VerifiedIdentity{
      .issuer = IdentityIssuerId(visitor_), .subject = std::string(255, 's'), .email = std::string(254, 'e')};
  const auto read = tokens_.read(tokens_.mint(wanted).token);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->groups, wanted.groups);
  EXPECT_EQ(read->identity->email, wanted.identity->email);
}

TEST_F(VisitorTokenTest, names_that_are_too_long_take_no_other_groups_place) {
  VisitorPass wanted = pass();
  wanted.groups.assign(groups_held_max, std::string(group_name_bytes_max + 1, 'g'));
  wanted.groups.emplace_back("staff");
  const auto read = tokens_.read(tokens_.mint(wanted).token);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->groups, (std::vector<std::string>{"staff"}));
}

}  // namespace
}  // namespace parley::identity
