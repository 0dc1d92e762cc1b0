#include "parley/identity/gate.h"

#include <gtest/gtest.h>

namespace parley::identity {
namespace {

struct ReadThing {
  static constexpr ActionInfo info{.name = "thing.read",
                                   .summary = "for this test",
                                   .scope = Scope::project_read,
                                   .cost = Cost::read,
                                   .own_pages = ActionInfo::OwnPages::may};
};
struct ReadFromPage {
  static constexpr ActionInfo info{.name = "thing.show",
                                   .summary = "for this test",
                                   .scope = Scope::project_read,
                                   .cost = Cost::read,
                                   .public_key = ActionInfo::PublicKey::may};
};
struct WriteThing {
  static constexpr ActionInfo info{
      .name = "thing.write", .summary = "for this test", .scope = Scope::chat_create, .cost = Cost::read};
};

const TenantId tenant_a = *TenantId::parse("aaaaaaaa-0000-4000-8000-000000000001");
const TenantId tenant_b = *TenantId::parse("bbbbbbbb-0000-4000-8000-000000000002");
const ProjectId project_a = *ProjectId::parse("aaaaaaaa-0000-4000-8000-000000000003");
const ProjectId project_other = *ProjectId::parse("aaaaaaaa-0000-4000-8000-000000000004");

}  // namespace

}  // namespace parley::identity

// A gate takes an admitted caller, which only admission makes. Its stand-in here makes one of whom the test likes.
namespace parley::admission {
class Admission {
 public:
  static Admitted admit(Principal who) { return Admitted(std::move(who)); }
};
}  // namespace parley::admission

namespace parley::identity {
namespace {

Admitted admitted(Principal who) { return admission::Admission::admit(std::move(who)); }

ProjectRef project(TenantId tenant, ProjectId id, ProjectRef::Visibility visibility) {
  return {.tenant = tenant, .project = id, .slug = "docs", .visibility = visibility};
}
const ProjectRef public_project = project(tenant_a, project_a, ProjectRef::Visibility::public_);
const ProjectRef private_project = project(tenant_a, project_a, ProjectRef::Visibility::private_);

Principal key(TenantId tenant, ScopeSet scopes, std::optional<ProjectId> bound = {}) {
  return {
      .kind = PrincipalKind::secret_key, .id = project_a.uuid(), .tenant = tenant, .project = bound, .scopes = scopes};
}

template <Action A>
Code code_of(Principal who, std::optional<ProjectRef> target, FromOwnPage from = FromOwnPage::no) {
  const auto decision = Gate::authorize<A>(admitted(std::move(who)), std::move(target), from);
  EXPECT_FALSE(decision);
  return decision ? Code::internal : decision.error().error.code();
}

TEST(Gate, a_caller_without_a_credential_reads_a_public_project_from_its_own_page_and_nothing_else) {
  const auto allowed = Gate::authorize<ReadThing>(admitted({}), public_project, FromOwnPage::yes);
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->rule().view(), "public_project_own_page");
  EXPECT_EQ(code_of<ReadThing>({}, public_project), Code::unauthenticated);
  EXPECT_EQ(code_of<ReadThing>({}, private_project, FromOwnPage::yes), Code::unauthenticated);
  EXPECT_EQ(code_of<ReadThing>({}, std::nullopt, FromOwnPage::yes), Code::unauthenticated);
  EXPECT_EQ(code_of<WriteThing>({}, public_project, FromOwnPage::yes), Code::unauthenticated);
}

TEST(Gate, a_key_does_what_its_scopes_say_in_its_own_tenant) {
  const auto allowed =
      Gate::authorize<ReadThing>(admitted(key(tenant_a, {Scope::project_read})), private_project, FromOwnPage::no);
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->rule().view(), "scope_held");
  EXPECT_EQ(code_of<WriteThing>(key(tenant_a, {Scope::project_read}), private_project), Code::permission_denied);
  EXPECT_EQ(code_of<ReadThing>(key(tenant_a, {}), private_project), Code::permission_denied);
}

TEST(Gate, another_tenants_project_looks_like_one_that_does_not_exist) {
  const auto foreign =
      Gate::authorize<ReadThing>(admitted(key(tenant_b, ScopeSet::all())), private_project, FromOwnPage::no);
  const auto absent =
      Gate::authorize<ReadThing>(admitted(key(tenant_b, ScopeSet::all())), std::nullopt, FromOwnPage::no);
  ASSERT_FALSE(foreign);
  ASSERT_FALSE(absent);
  EXPECT_EQ(foreign.error().error.code(), Code::not_found);
  EXPECT_EQ(foreign.error().error.code(), absent.error().error.code());
  EXPECT_EQ(foreign.error().error.reason().view(), absent.error().error.reason().view());
  EXPECT_EQ(foreign.error().rule.view(), absent.error().rule.view());
  // Even a public one, and even from our own page: a credential that does not fit is not passed over.
  EXPECT_EQ(code_of<ReadThing>(key(tenant_b, ScopeSet::all()), public_project, FromOwnPage::yes), Code::not_found);
}

TEST(Gate, a_key_that_is_bound_to_a_project_does_not_reach_its_neighbour) {
  EXPECT_EQ(code_of<ReadThing>(key(tenant_a, ScopeSet::all(), project_other), private_project), Code::not_found);
}

TEST(Gate, a_caller_whom_no_project_could_allow_does_not_get_to_send_a_body) {
  EXPECT_FALSE(Gate::worth_reading(WriteThing::info, {}, FromOwnPage::yes));
  EXPECT_FALSE(Gate::worth_reading(ReadThing::info, {}, FromOwnPage::no));
  EXPECT_TRUE(Gate::worth_reading(ReadThing::info, {}, FromOwnPage::yes));
  EXPECT_TRUE(Gate::worth_reading(WriteThing::info, key(tenant_a, {}), FromOwnPage::no));
}

TEST(Gate, a_public_key_does_only_what_public_keys_may) {
  Principal page = key(tenant_a, ScopeSet::public_keys(), project_a);
  page.kind = PrincipalKind::public_key;
  EXPECT_TRUE(Gate::authorize<ReadFromPage>(admitted(page), private_project, FromOwnPage::no));
  EXPECT_EQ(code_of<WriteThing>(page, private_project), Code::permission_denied);
}

}  // namespace
}  // namespace parley::identity
