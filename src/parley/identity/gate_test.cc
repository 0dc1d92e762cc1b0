#include "parley/identity/gate.h"

#include <gtest/gtest.h>

namespace parley::identity {
namespace {

struct ReadThing {
  static constexpr ActionInfo info{.name = "thing.read",
                                   .summary = "for this test",
                                   .scope = Scope::project_read,
                                   .cost = Cost::read,
                                   .anonymous = ActionInfo::Anonymous::reading};
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

const Sender program{.kind = Sender::Kind::program, .origin = {}};
const Sender own_page{.kind = Sender::Kind::own_page, .origin = {}};
const Sender listed_site{.kind = Sender::Kind::site, .origin = "https://docs.example.org"};

ProjectRef project(TenantId tenant, ProjectId id, Visibility visibility) {
  return {.tenant = tenant,
          .project = id,
          .slug = "docs",
          .access = std::make_shared<const ProjectAccess>(
              ProjectAccess{.visibility = visibility, .origins = {listed_site.origin}})};
}
const ProjectRef public_project = project(tenant_a, project_a, Visibility::public_project);
const ProjectRef private_project = project(tenant_a, project_a, Visibility::private_project);

Principal key(TenantId tenant, ScopeSet scopes, std::optional<ProjectId> bound = {}) {
  return {
      .kind = PrincipalKind::secret_key, .id = project_a.uuid(), .tenant = tenant, .project = bound, .scopes = scopes};
}

template <Action A>
Code code_of(Principal who, std::optional<ProjectRef> target, const Sender& sender = program) {
  const auto decision = Gate::authorize<A>(admitted(std::move(who)), std::move(target), sender);
  EXPECT_FALSE(decision);
  return decision ? Code::internal : decision.error().error.code();
}

TEST(Gate, a_caller_without_a_credential_reads_a_public_project_from_its_own_page_and_nothing_else) {
  const auto allowed = Gate::authorize<ReadThing>(admitted({}), public_project, own_page);
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->rule().view(), "public_project_own_page");
  EXPECT_EQ(code_of<ReadThing>({}, public_project), Code::unauthenticated);
  EXPECT_EQ(code_of<ReadThing>({}, private_project, own_page), Code::unauthenticated);
  EXPECT_EQ(code_of<ReadThing>({}, std::nullopt, own_page), Code::unauthenticated);
  EXPECT_EQ(code_of<WriteThing>({}, public_project, own_page), Code::unauthenticated);
}

TEST(Gate, a_key_does_what_its_scopes_say_in_its_own_tenant) {
  const auto allowed =
      Gate::authorize<ReadThing>(admitted(key(tenant_a, {Scope::project_read})), private_project, program);
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->rule().view(), "scope_held");
  EXPECT_EQ(code_of<WriteThing>(key(tenant_a, {Scope::project_read}), private_project), Code::permission_denied);
  EXPECT_EQ(code_of<ReadThing>(key(tenant_a, {}), private_project), Code::permission_denied);
}

TEST(Gate, another_tenants_project_looks_like_one_that_does_not_exist) {
  const auto foreign = Gate::authorize<ReadThing>(admitted(key(tenant_b, ScopeSet::all())), private_project, program);
  const auto absent = Gate::authorize<ReadThing>(admitted(key(tenant_b, ScopeSet::all())), std::nullopt, program);
  ASSERT_FALSE(foreign);
  ASSERT_FALSE(absent);
  EXPECT_EQ(foreign.error().error.code(), Code::not_found);
  EXPECT_EQ(foreign.error().error.code(), absent.error().error.code());
  EXPECT_EQ(foreign.error().error.reason().view(), absent.error().error.reason().view());
  EXPECT_EQ(foreign.error().rule.view(), absent.error().rule.view());
  // Even a public one: a credential that does not fit is not passed over.
  EXPECT_EQ(code_of<ReadThing>(key(tenant_b, ScopeSet::all()), public_project), Code::not_found);
}

TEST(Gate, a_key_that_is_bound_to_a_project_does_not_reach_its_neighbour) {
  EXPECT_EQ(code_of<ReadThing>(key(tenant_a, ScopeSet::all(), project_other), private_project), Code::not_found);
}

TEST(Gate, a_caller_whom_no_project_could_allow_does_not_get_to_send_a_body) {
  EXPECT_FALSE(Gate::worth_reading(WriteThing::info, {}, own_page));
  EXPECT_FALSE(Gate::worth_reading(ReadThing::info, {}, Sender{}));
  EXPECT_TRUE(Gate::worth_reading(ReadThing::info, {}, own_page));
  EXPECT_TRUE(Gate::worth_reading(WriteThing::info, key(tenant_a, {}), program));
}

TEST(Gate, a_public_key_does_only_what_public_keys_may) {
  Principal page = key(tenant_a, ScopeSet::public_keys(), project_a);
  page.kind = PrincipalKind::public_key;
  EXPECT_TRUE(Gate::authorize<ReadFromPage>(admitted(page), private_project, listed_site));
  EXPECT_EQ(code_of<WriteThing>(page, private_project, listed_site), Code::permission_denied);
}

struct ManageThings {
  static constexpr ActionInfo info{.name = "things.manage",
                                   .summary = "for this test",
                                   .scope = Scope::keys_manage,
                                   .cost = Cost::read,
                                   .on = ActionInfo::On::organisation};
};
struct ChangeMyself {
  static constexpr ActionInfo info{.name = "self.change",
                                   .summary = "for this test",
                                   .scope = Scope::project_read,
                                   .cost = Cost::read,
                                   .on = ActionInfo::On::account,
                                   .enrolling = ActionInfo::Enrolling::may};
};

Principal member(TenantId tenant, ScopeSet scopes) {
  return {.kind = PrincipalKind::member, .id = project_a.uuid(), .tenant = tenant, .scopes = scopes};
}

template <Action A>
Literal rule_without_project(Principal who, const Sender& sender) {
  const auto decision = Gate::authorize<A>(admitted(std::move(who)), sender);
  return decision ? decision->rule() : decision.error().rule;
}

TEST(Gate, a_secret_key_in_a_browser_is_refused_whatever_it_holds) {
  for (const Sender& sender : {own_page, listed_site, Sender{}})
    EXPECT_EQ(code_of<ReadThing>(key(tenant_a, ScopeSet::all()), private_project, sender), Code::permission_denied);
}

TEST(Gate, what_is_done_to_the_organisation_needs_the_scope_on_all_of_it) {
  EXPECT_EQ(rule_without_project<ManageThings>(key(tenant_a, {Scope::keys_manage}), program).view(), "scope_held");
  EXPECT_EQ(rule_without_project<ManageThings>(key(tenant_a, {Scope::project_read}), program).view(), "scope_missing");
  EXPECT_EQ(rule_without_project<ManageThings>(key(tenant_a, ScopeSet::all(), project_a), program).view(),
            "outside_credential");
  Principal granted = member(tenant_a, {});
  granted.grants = {{project_a, ScopeSet::all()}};
  EXPECT_EQ(rule_without_project<ManageThings>(granted, own_page).view(), "scope_missing");
  EXPECT_EQ(rule_without_project<ManageThings>({}, own_page).view(), "no_credential");
}

TEST(Gate, a_grant_adds_scopes_on_its_project_alone) {
  Principal granted = member(tenant_a, {});
  granted.grants = {{project_a, {Scope::chat_create}}};
  EXPECT_TRUE(Gate::authorize<WriteThing>(admitted(granted), private_project, own_page));
  EXPECT_EQ(code_of<WriteThing>(granted, project(tenant_a, project_other, Visibility::private_project), own_page),
            Code::permission_denied);
}

TEST(Gate, an_account_is_changed_by_its_person_alone) {
  EXPECT_EQ(rule_without_project<ChangeMyself>(member(tenant_a, {}), own_page).view(), "own_account");
  EXPECT_EQ(rule_without_project<ChangeMyself>(key(tenant_a, ScopeSet::all()), program).view(), "not_a_member");
}

TEST(Gate, who_must_set_up_a_second_factor_can_do_that_and_nothing_else) {
  Principal half = member(tenant_a, ScopeSet::all());
  half.shown = Shown::must_enrol;
  EXPECT_EQ(rule_without_project<ChangeMyself>(half, own_page).view(), "own_account");
  EXPECT_EQ(rule_without_project<ManageThings>(half, own_page).view(), "second_factor_needed");
  EXPECT_EQ(code_of<ReadThing>(half, private_project, own_page), Code::permission_denied);
}

}  // namespace
}  // namespace parley::identity
