#include <gtest/gtest.h>

#include "parley/evidence/proofs.h"
#include "parley/evidence/scopes.h"

namespace parley {
namespace {

struct SomeAction {
  static constexpr ActionInfo info{"some.action", "for this test", Scope::project_read, Cost::read};
};

// The promises of the design that hold by not compiling.
static_assert(!std::is_default_constructible_v<Authorized<SomeAction>>);
static_assert(!std::is_constructible_v<Authorized<SomeAction>, Principal, ProjectRef, Literal>);
static_assert(!std::is_constructible_v<Authenticated, Principal>);
static_assert(!std::is_constructible_v<Admitted, Principal>);
static_assert(!std::is_constructible_v<AddressAdmitted, boost::asio::ip::address>);
static_assert(!std::is_constructible_v<Validated<int>, int>);

TEST(Scopes, are_written_and_read_in_one_spelling) {
  const auto set = parse_scopes("chat_create, project_read");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->to_string(), "project_read,chat_create");
  EXPECT_EQ(parse_scopes(set->to_string()), *set);
}

TEST(Scopes, aliases_from_older_documentation_are_accepted) {
  EXPECT_EQ(parse_scopes("create_chat,sources_create,sources_delete"),
            (ScopeSet{Scope::chat_create, Scope::project_sources_create, Scope::project_sources_delete}));
}

TEST(Scopes, an_unknown_or_empty_name_refuses_the_whole_list) {
  for (const auto* bad : {",", "project_read,", "project_read,admin", "PROJECT_READ"})
    EXPECT_FALSE(parse_scopes(bad)) << bad;
}

TEST(Scopes, a_public_key_holds_reading_searching_and_chatting_at_most) {
  EXPECT_EQ(ScopeSet::public_keys(), (ScopeSet{Scope::project_read, Scope::project_search, Scope::chat_create}));
  EXPECT_TRUE(ScopeSet::secret_keys().contains_all(ScopeSet::public_keys()));
  EXPECT_FALSE(ScopeSet::secret_keys().contains(Scope::members_manage));
}

}  // namespace
}  // namespace parley
