#include "parley/identity/members.h"

#include <algorithm>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/names.h"
#include "parley/identity/role_rules.h"

namespace parley::identity {

namespace {

std::unexpected<Error> no_member() { return fail(Code::not_found, "there is no such member"); }

Result<Role> load_role(TenantId tenant, AccountId account, db::ControlReader& reader) {
  const auto role = PARLEY_TRY(by_tenant::find_role(tenant, account, reader));
  if (!role) return no_member();
  return *role;
}

Result<std::optional<Member>> find_member(AccountId account, TenantId tenant, db::ControlReader& reader) {
  const auto role = PARLEY_TRY(by_tenant::find_role(tenant, account, reader));
  if (!role) return std::nullopt;
  return Member{.account = account,
                .tenant = tenant,
                .role = *role,
                .grants = PARLEY_TRY(by_tenant::list_grants(tenant, account, reader)),
                .groups = PARLEY_TRY(by_tenant::list_member_groups(tenant, account, reader))};
}

/// Judges a change to a member that is there.
Result<void> check_change(const Doer& by, TenantId tenant, AccountId account, std::optional<Role> to,
                          db::ControlReader& reader) {
  const auto actor = PARLEY_TRY(load_acting_role(by, tenant, reader));
  const auto from = PARLEY_TRY(load_role(tenant, account, reader));
  return check_member_change(
      {.actor = actor,
       .from = from,
       .to = to,
       .of_oneself = by.account() == account,
       .last_administrator = PARLEY_TRY(by_tenant::count_other_administrators(tenant, account, reader)) == 0});
}

}  // namespace

Role Member::role_on(ProjectId project) const {
  Role highest = role;
  for (const auto& grant : grants)
    if (grant.project == project) highest = std::max(highest, grant.role);
  return highest;
}

Result<Role> load_acting_role(const Doer& by, TenantId tenant, db::ControlReader& reader) {
  if (!PARLEY_TRY(by_tenant::find_tenant(tenant, reader)))
    return fail(Code::not_found, "there is no such organisation");
  if (!by.account()) return Role::administrator;
  const auto role = PARLEY_TRY(by_tenant::find_role(tenant, *by.account(), reader));
  if (!role) return fail(Code::not_found, "there is no such organisation");
  return *role;
}

Members::Members(db::ControlSession control, SessionStore& sessions, const Clock& clock, FreshCacheLimits limits)
    : control_(std::move(control)), sessions_(sessions), clock_(clock), cache_(limits) {}

Async<std::shared_ptr<const Member>> Members::find(AccountId account, TenantId tenant) {
  const auto now = clock_.now();
  const Key key{account, tenant};
  const auto cached = cache_.find(key, now);
  auto member = cached.record;
  if (cached.state == Cached<Member>::State::unknown) {
    auto work = [account, tenant](db::ControlReader& reader) { return find_member(account, tenant, reader); };
    auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
    if (found) member = std::make_shared<const Member>(std::move(*found));
    cache_.put(key, member, cached.generation, now);
  }
  co_return member;
}

Async<std::shared_ptr<const Member>> Members::require(FullSession session) {
  if (!session->tenant) co_return fail(Code::not_found, "choose an organisation first");
  auto member = PARLEY_CO_TRY(co_await find(session->account, *session->tenant));
  if (!member) co_return fail(Code::not_found, "there is no such organisation");
  co_return member;
}

Async<std::vector<MemberRow>> Members::list(Doer by, TenantId tenant) {
  auto work = [&](db::ControlReader& reader) -> Result<std::vector<MemberRow>> {
    PARLEY_TRY(load_acting_role(by, tenant, reader));
    auto rows = PARLEY_TRY(by_tenant::list_member_rows(tenant, reader));
    for (const auto& [account, grant] : PARLEY_TRY(by_tenant::list_all_grants(tenant, reader))) {
      const auto row = std::ranges::find(rows, account, [](const MemberRow& each) { return each.member.account; });
      if (row != rows.end()) row->member.grants.push_back(grant);
    }
    return rows;
  };
  co_return co_await control_.read(std::move(work));
}

Async<std::vector<Membership>> Members::list_of(AccountId account) {
  auto work = [account](db::ControlReader& reader) { return by_tenant::list_memberships(account, reader); };
  co_return co_await control_.read(std::move(work));
}

Async<> Members::change_role(Doer by, TenantId tenant, AccountId account, Role role) {
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(check_change(by, tenant, account, role, writer));
    const auto before = PARLEY_TRY(load_role(tenant, account, writer));
    if (role < before) PARLEY_TRY(by_tenant::revoke_invitations_by(tenant, account, now, writer));
    return by_tenant::put_member(tenant, account, role, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  co_return Result<void>();
}

Async<> Members::remove(Doer by, TenantId tenant, AccountId account) {
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(check_change(by, tenant, account, std::nullopt, writer));
    PARLEY_TRY(by_tenant::revoke_invitations_by(tenant, account, now, writer));
    PARLEY_TRY(by_tenant::clear_session_tenant(tenant, account, writer));
    PARLEY_TRY(by_tenant::remove_member(tenant, account, writer));
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  sessions_.forget_account(account);
  co_return Result<void>();
}

Async<> Members::add(LocalOperator, TenantId tenant, AccountId account, Role role) {
  auto work = [=](db::ControlWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(by_tenant::find_tenant(tenant, writer)))
      return fail(Code::not_found, "there is no such organisation");
    if (PARLEY_TRY(by_tenant::find_role(tenant, account, writer)))
      return fail(Code::conflict, "they belong to the organisation already");
    PARLEY_TRY(by_tenant::require_room_for_member(tenant, writer));
    return by_tenant::put_member(tenant, account, role, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  co_return Result<void>();
}

Async<> Members::grant(Doer by, TenantId tenant, AccountId account, ProjectGrant grant) {
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto actor = PARLEY_TRY(load_acting_role(by, tenant, writer));
    PARLEY_TRY(check_project_grant(actor, PARLEY_TRY(load_role(tenant, account, writer)), grant.role));
    if (!PARLEY_TRY(by_tenant::has_project(tenant, grant.project, writer)))
      return fail(Code::not_found, "there is no such project");
    if (PARLEY_TRY(by_tenant::list_grants(tenant, account, writer)).size() >= grants_per_member_max)
      return fail(Code::conflict, "this member has too many grants; give a role in the organisation instead");
    return by_tenant::put_grant(tenant, account, grant, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  co_return Result<void>();
}

Async<> Members::withdraw_grant(Doer by, TenantId tenant, AccountId account, ProjectId project) {
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto actor = PARLEY_TRY(load_acting_role(by, tenant, writer));
    PARLEY_TRY(check_project_grant(actor, PARLEY_TRY(load_role(tenant, account, writer)), Role::viewer));
    if (PARLEY_TRY(by_tenant::remove_grant(tenant, account, project, writer)) == 0)
      return fail(Code::not_found, "there is no such grant");
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  co_return Result<void>();
}

Async<> Members::set_groups(Doer by, TenantId tenant, AccountId account, std::vector<std::string> groups) {
  const auto checked = PARLEY_CO_TRY(checked_group_names(groups));
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(check_organisation_change(PARLEY_TRY(load_acting_role(by, tenant, writer))));
    if (PARLEY_TRY(by_tenant::put_member_groups(tenant, account, checked, writer)) == 0) return no_member();
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget(account, tenant);
  co_return Result<void>();
}

Async<> Members::set_second_factor_rule(Doer by, TenantId tenant, SecondFactorRule rule) {
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(check_organisation_change(PARLEY_TRY(load_acting_role(by, tenant, writer))));
    PARLEY_TRY(by_tenant::set_second_factor_rule(tenant, rule == SecondFactorRule::required, writer));
    if (rule == SecondFactorRule::optional) return {};
    return by_tenant::end_sessions_without_factor(tenant, now, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  sessions_.forget_all();
  co_return Result<void>();
}

void Members::forget(AccountId account, TenantId tenant) { cache_.forget(Key{account, tenant}); }

void Members::forget_tenant(TenantId tenant) {
  cache_.forget_if([&](const Key& key, const Member*) { return key.tenant == tenant; });
}

}  // namespace parley::identity
