#include "parley/api/letters.h"
#include "parley/api/people.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/session.h"
#include "parley/identity/invitations.h"
#include "parley/identity/project_directory.h"
#include "parley/identity/tenant_door.h"
#include "parley/identity/tenant_store.h"

namespace parley::api {

namespace json = boost::json;

json::object to_json(const ProjectRef& project) {
  const auto& access = *project.access;
  return {{"id", project.project.to_string()},
          {"slug", project.slug},
          {"is_private", access.visibility == Visibility::private_project},
          {"server_reads", access.server_reads == ProjectAccess::ServerReads::on},
          {"biel_compat", access.biel_compat == ProjectAccess::BielCompat::on},
          {"visitors", access.visitors == ProjectAccess::Visitors::verified ? "verified" : "any"},
          {"origins", json::array(access.origins.begin(), access.origins.end())}};
}

namespace actions {

namespace {

using identity::Doer;

Result<identity::Role> role_of(const std::string& text, Literal field) {
  const auto role = identity::parse_role(text);
  if (!role) return fail(Error(Code::invalid_argument, "is no role").about(field));
  return *role;
}

/// Who asks, for stores that read what they may do again in the transaction that changes it.
Async<Doer> doer_of(Services& services, Context context) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, std::move(context)));
  co_return Doer::member(session);
}

/// The organisation's projects.
template <Action A>
Async<std::vector<identity::Project>> projects_of(Services& services, Authorized<A> permit) {
  const auto session = services.door.open(permit);
  auto work = [](db::TenantReader& reader) { return identity::list_projects(reader); };
  co_return co_await session.read(std::move(work));
}

json::object row_of(const identity::MemberRow& row, const std::vector<identity::Project>& projects) {
  json::array grants;
  for (const auto& grant : row.member.grants) {
    const auto found = std::ranges::find(projects, grant.project, &identity::Project::id);
    if (found != projects.end())
      grants.push_back(json::object{{"project", found->slug}, {"role", identity::name(grant.role)}});
  }
  return {{"id", row.member.account.to_string()},
          {"email", row.email},
          {"role", identity::name(row.member.role)},
          {"grants", std::move(grants)},
          {"groups", json::array(row.member.groups.begin(), row.member.groups.end())},
          {"second_factor", row.has_factor},
          {"confirmed", row.confirmed},
          {"disabled", row.disabled}};
}

json::object describe(const identity::Invitation& invitation) {
  return {{"id", invitation.id.to_string()},
          {"email", invitation.email},
          {"role", identity::name(invitation.role)},
          {"created_at", to_rfc3339(invitation.created_at)},
          {"expires_at", to_rfc3339(invitation.expires_at)}};
}

}  // namespace

Async<Reply> ListMembers::handle(Services& services, Context context, Authorized<SeeMembers> permit,
                                 Validated<NoInput>) {
  auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  const auto projects = PARLEY_CO_TRY(co_await projects_of(services, permit));
  json::array rows;
  for (const auto& row : PARLEY_CO_TRY(co_await services.people.members.list(doer, permit.tenant())))
    rows.push_back(row_of(row, projects));
  co_return Reply::json(200, json::object{{"members", std::move(rows)}});
}

Async<Reply> PutMember::handle(Services& services, Context context, Authorized<ManageMembers> permit,
                               Validated<MemberInput> input) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  const TenantId tenant = permit.tenant();
  const auto account = PARLEY_CO_TRY(id_in<AccountId>(context));
  const auto role = PARLEY_CO_TRY(role_of(input->role, "role"));
  const auto member = PARLEY_CO_TRY(co_await services.people.members.find(account, tenant));
  if (!member) co_return fail(Code::not_found, "there is no such member");

  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), ManageMembers::info.name, permit.rule(),
                                              trail::Object("account", account)));
  // First, since most is asked of who changes these: refused, nothing else has happened either.
  if (input->groups && *input->groups != member->groups) {
    PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), "members.set_groups", permit.rule(),
                                                trail::Object("account", account)));
    PARLEY_CO_TRY(co_await services.people.members.set_groups(doer, tenant, account, *input->groups));
  }
  if (role != member->role) PARLEY_CO_TRY(co_await services.people.members.change_role(doer, tenant, account, role));
  if (input->grants) {
    std::vector<identity::ProjectGrant> wanted;
    for (const auto& grant : *input->grants)
      wanted.push_back({PARLEY_CO_TRY(co_await services.projects.load(tenant, grant.project)).project,
                        PARLEY_CO_TRY(role_of(grant.role, "grants"))});
    for (const auto& old : member->grants)
      if (std::ranges::find(wanted, old.project, &identity::ProjectGrant::project) == wanted.end())
        PARLEY_CO_TRY(co_await services.people.members.withdraw_grant(doer, tenant, account, old.project));
    for (const auto& grant : wanted)
      PARLEY_CO_TRY(co_await services.people.members.grant(doer, tenant, account, grant));
  }
  const auto projects = PARLEY_CO_TRY(co_await projects_of(services, permit));
  for (const auto& row : PARLEY_CO_TRY(co_await services.people.members.list(doer, tenant)))
    if (row.member.account == account) co_return Reply::json(200, row_of(row, projects));
  co_return fail(Code::not_found, "there is no such member");
}

Async<Reply> DeleteMember::handle(Services& services, Context context, Authorized<ManageMembers> permit,
                                  Validated<NoInput>) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  const auto account = PARLEY_CO_TRY(id_in<AccountId>(context));
  if (!PARLEY_CO_TRY(co_await services.people.members.find(account, permit.tenant())))
    co_return fail(Code::not_found, "there is no such member");
  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), "members.remove", permit.rule(),
                                              trail::Object("account", account)));
  PARLEY_CO_TRY(co_await services.people.members.remove(doer, permit.tenant(), account));
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

Async<Reply> ListInvitations::handle(Services& services, Context context, Authorized<SeeInvitations> permit,
                                     Validated<NoInput>) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  json::array rows;
  for (const auto& invitation : PARLEY_CO_TRY(co_await services.people.invitations.list(doer, permit.tenant())))
    rows.push_back(describe(invitation));
  co_return Reply::json(200, json::object{{"invitations", std::move(rows)}});
}

Async<Reply> PostInvitation::handle(Services& services, Context context, Authorized<Invite> permit,
                                    Validated<InvitationInput> input) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  identity::NewInvitation wanted{
      .tenant = permit.tenant(), .email = input->email, .role = PARLEY_CO_TRY(role_of(input->role, "role"))};
  if (input->project.has_value() != input->project_role.has_value())
    co_return fail(Code::invalid_argument, "project and project_role go together");
  if (input->project)
    wanted.grant = {PARLEY_CO_TRY(co_await services.projects.load(permit.tenant(), *input->project)).project,
                    PARLEY_CO_TRY(role_of(*input->project_role, "project_role"))};
  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), Invite::info.name, permit.rule(),
                                              trail::Object("tenant", permit.tenant())));
  auto created = PARLEY_CO_TRY(co_await services.people.invitations.create(doer, std::move(wanted)));
  json::object body = describe(created.invitation);
  if (services.people.letters.reaches_people()) {
    const auto tenant = PARLEY_CO_TRY(co_await services.people.tenants.load(permit.tenant()));
    services.people.letters.send_invitation({created.invitation.email, std::move(created.token)}, tenant.name);
  } else {
    // Nobody is written to, so whoever invites hands the link over.
    body["link"] = services.people.letters.invitation_link(created.token);
  }
  co_return Reply::json(201, body);
}

Async<Reply> DeleteInvitation::handle(Services& services, Context context, Authorized<Invite> permit,
                                      Validated<NoInput>) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  const auto id = PARLEY_CO_TRY(id_in<identity::InvitationId>(context));
  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), "members.uninvite", permit.rule(),
                                              trail::Object("invitation", id)));
  PARLEY_CO_TRY(co_await services.people.invitations.revoke(doer, permit.tenant(), id));
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

namespace {

json::object describe(const identity::Tenant& tenant) {
  return {
      {"id", tenant.id.to_string()}, {"name", tenant.name}, {"require_second_factor", tenant.requires_second_factor}};
}

}  // namespace

Async<Reply> GetOrganisation::handle(Services& services, Context, Authorized<SeeOrganisation> permit,
                                     Validated<NoInput>) {
  co_return Reply::json(200, describe(PARLEY_CO_TRY(co_await services.people.tenants.load(permit.tenant()))));
}

Async<Reply> PutOrganisation::handle(Services& services, Context context, Authorized<ChangeOrganisation> permit,
                                     Validated<OrganisationInput> input) {
  const auto doer = PARLEY_CO_TRY(co_await doer_of(services, context));
  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), ChangeOrganisation::info.name,
                                              permit.rule(), trail::Object("tenant", permit.tenant())));
  PARLEY_CO_TRY(co_await services.people.members.set_second_factor_rule(
      doer, permit.tenant(),
      input->require_second_factor ? identity::SecondFactorRule::required : identity::SecondFactorRule::optional));
  co_return Reply::json(200, describe(PARLEY_CO_TRY(co_await services.people.tenants.load(permit.tenant()))));
}

Async<Reply> ListProjects::handle(Services& services, Context, Authorized<SeeProjects> permit, Validated<NoInput>) {
  json::array rows;
  for (const auto& project : PARLEY_CO_TRY(co_await projects_of(services, permit))) {
    const auto place = PARLEY_CO_TRY(co_await services.projects.find(project.slug, {.tenant = permit.tenant()}));
    if (!place) continue;  // going, or not whole yet
    json::object row = to_json(*place);
    row["name"] = project.name;
    rows.push_back(std::move(row));
  }
  co_return Reply::json(200, json::object{{"projects", std::move(rows)}});
}

}  // namespace actions
}  // namespace parley::api
