#include "parley/identity/control_by_tenant.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "parley/identity/names.h"
#include "parley/text/json.h"

namespace parley::identity::by_tenant {

using namespace db::literals;

namespace {

std::optional<Timestamp> optional_time(const db::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}

Invitation invitation_from(const db::Row& row) {
  Invitation invitation;
  invitation.id = row.id<InvitationId>(0);
  invitation.digest = crypto::Digest::from_bytes(row.blob(1)).value_or(crypto::Digest());
  invitation.tenant = row.id<TenantId>(2);
  invitation.email = row.text(3);
  // What is not known is the least.
  invitation.role = parse_role(row.text(4)).value_or(Role::viewer);
  if (!row.is_null(5))
    invitation.grant =
        ProjectGrant{.project = row.id<ProjectId>(5), .role = parse_role(row.text(6)).value_or(Role::viewer)};
  if (!row.is_null(7)) invitation.invited_by = row.id<AccountId>(7);
  invitation.created_at = row.time(8);
  invitation.expires_at = row.time(9);
  invitation.accepted_at = optional_time(row, 10);
  invitation.revoked_at = optional_time(row, 11);
  return invitation;
}

SessionRecord session_from(const db::Row& row) {
  SessionRecord session;
  session.id = row.id<SessionId>(0);
  session.digest = crypto::Digest::from_bytes(row.blob(1)).value_or(crypto::Digest());
  session.account = row.id<AccountId>(2);
  if (!row.is_null(3)) session.tenant = row.id<TenantId>(3);
  session.assurance = parse_assurance(row.text(4));
  session.factor_at = optional_time(row, 5);
  session.client = row.text(6);
  session.created_at = row.time(7);
  session.last_seen_at = row.time(8);
  session.ended_at = optional_time(row, 9);
  return session;
}

SignInProvider provider_from(const db::Row& row) {
  SignInProvider provider;
  provider.id = row.id<SignInProviderId>(0);
  provider.tenant = row.id<TenantId>(1);
  provider.name = row.text(2);
  provider.issuer = row.text(3);
  provider.client_id = row.text(4);
  provider.client_secret = row.text(5);
  // What this program does not know authenticates in the way that sends least.
  provider.authentication = parse_client_authentication(row.text(6)).value_or(ClientAuthentication::none);
  provider.scopes = lines_of(row.text(7));
  provider.group_claim = row.text(8);
  if (const auto roles = text::parse_json(row.text(9)); roles && roles->is_object()) {
    for (const auto& [group, name] : roles->get_object()) {
      // A role that is not known is the least there is.
      const auto role = name.is_string()
                            ? parse_role(std::string_view(name.get_string().data(), name.get_string().size()))
                            : std::nullopt;
      provider.group_roles[std::string(group)] = role.value_or(Role::viewer);
    }
  }
  provider.email_domains = lines_of(row.text(10));
  if (!row.is_null(11)) provider.default_role = parse_role(row.text(11));
  provider.creates_accounts = row.boolean(12);
  provider.created_at = row.time(13);
  provider.updated_at = row.time(14);
  return provider;
}

IdentityIssuer identity_issuer_from(const db::Row& row) {
  IdentityIssuer issuer;
  issuer.id = row.id<IdentityIssuerId>(0);
  issuer.tenant = row.id<TenantId>(1);
  issuer.project = row.id<ProjectId>(2);
  issuer.name = row.text(3);
  issuer.issuer = row.text(4);
  issuer.audience = row.text(5);
  if (!row.is_null(7)) {
    issuer.kind = IdentityIssuer::Kind::inline_keys;
    issuer.jwks = row.text(7);
  } else if (!row.is_null(8)) {
    issuer.kind = IdentityIssuer::Kind::keys_at;
    issuer.jwks_url = row.text(8);
  } else {
    issuer.kind = IdentityIssuer::Kind::shared_secret;
    issuer.sealed_secret = row.blob(6);
  }
  issuer.created_at = row.time(9);
  issuer.groups.names = lines_of(row.text(10));
  if (row.boolean(11)) issuer.groups.extent = ReadableGroups::Extent::all;
  return issuer;
}

}  // namespace

KeyRecord key_from(const db::Row& row) {
  KeyRecord key;
  key.id = row.id<KeyId>(0);
  key.digest = crypto::Digest::from_bytes(row.blob(1)).value_or(crypto::Digest());
  key.tenant = row.id<TenantId>(2);
  if (!row.is_null(3)) key.project = row.id<ProjectId>(3);
  // A kind or scope this program does not know gives a key that may do less, never more: public, and without the scope.
  key.kind = parse_key_kind(row.text(4)).value_or(KeyKind::public_key);
  key.name = row.text(5);
  key.scopes = parse_scopes(row.text(6)).value_or(ScopeSet());
  key.origins = lines_of(row.text(7));
  key.created_at = row.time(8);
  key.expires_at = row.time(9);
  key.revoked_at = optional_time(row, 10);
  key.last_used_at = optional_time(row, 11);
  key.last4 = row.text(12);
  key.lifetime = std::chrono::microseconds(row.integer(13));
  if (key.lifetime.count() == 0) key.lifetime = key.expires_at - key.created_at;
  if (!row.is_null(14)) key.exception = KeyException{.reason = std::string(row.text(14)), .since = row.time(15)};
  for (const auto& line : lines_of(row.text(16))) {
    const auto range = net::parse_network_range(line);
    if (range) key.addresses.push_back(*range);
    else key.scopes = ScopeSet();  // nor may a range that cannot be read become "from anywhere"
  }
  key.groups.names = lines_of(row.text(17));
  if (row.boolean(18)) key.groups.extent = ReadableGroups::Extent::all;
  key.enabled_at = optional_time(row, 19);
  return key;
}

Result<std::vector<KeyRecord>> list_keys(TenantId tenant, db::ControlReader& reader) {
  return reader.all("SELECT " PARLEY_KEY_COLUMNS
                    " FROM api_keys WHERE tenant_id = $1 ORDER BY created_at DESC, id LIMIT $2"_sql,
                    key_from, tenant, keys_per_tenant_max);
}

Result<std::optional<KeyRecord>> find_key(TenantId tenant, KeyId id, db::ControlReader& reader) {
  // By the index that holds this tenant's alone: another's row is not even read.
  return reader.find("SELECT " PARLEY_KEY_COLUMNS " FROM api_keys WHERE tenant_id = $1 AND id || '' = $2"_sql, key_from,
                     tenant, id);
}

Result<std::int64_t> count_keys(TenantId tenant, db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM api_keys WHERE tenant_id = $1"_sql, [](const db::Row& row) { return row.integer(0); },
      tenant));
  return count.value_or(0);
}

Result<std::int64_t> revoke_key(TenantId tenant, KeyId id, Timestamp now, db::ControlWriter& writer) {
  return writer.run("UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL"_sql,
                    tenant, id, now);
}

Result<std::int64_t> shorten_key(TenantId tenant, KeyId id, Timestamp expires_at, db::ControlWriter& writer) {
  return writer.run("UPDATE api_keys SET expires_at = $3 WHERE tenant_id = $1 AND id = $2 AND expires_at > $3"_sql,
                    tenant, id, expires_at);
}

Result<std::int64_t> enable_key(TenantId tenant, KeyId id, Timestamp now, db::ControlWriter& writer) {
  return writer.run("UPDATE api_keys SET enabled_at = $3 WHERE tenant_id = $1 AND id = $2"_sql, tenant, id, now);
}

Result<std::int64_t> delete_dead_keys(TenantId tenant, Timestamp before, db::ControlWriter& writer) {
  return writer.run("DELETE FROM api_keys WHERE tenant_id = $1 AND (revoked_at < $2 OR expires_at < $2)"_sql, tenant,
                    before);
}

Result<std::vector<Membership>> list_members(TenantId tenant, db::ControlReader& reader) {
  return reader.all(
      "SELECT account_id, role FROM memberships WHERE tenant_id = $1 ORDER BY account_id"_sql,
      [&](const db::Row& row) {
        return Membership{
            .account = row.id<AccountId>(0), .tenant = tenant, .role = parse_role(row.text(1)).value_or(Role::viewer)};
      },
      tenant);
}

Result<void> put_member(TenantId tenant, AccountId account, Role role, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("INSERT INTO memberships (account_id, tenant_id, role) VALUES ($2, $1, $3) "
                 "ON CONFLICT (account_id, tenant_id) DO UPDATE SET role = excluded.role"_sql,
                 tenant, account, name(role)));
  return {};
}

Result<std::int64_t> remove_member(TenantId tenant, AccountId account, db::ControlWriter& writer) {
  return writer.run("DELETE FROM memberships WHERE tenant_id = $1 AND account_id = $2"_sql, tenant, account);
}

Result<std::optional<Role>> find_role(TenantId tenant, AccountId account, db::ControlReader& reader) {
  return reader.find(
      "SELECT role FROM memberships WHERE tenant_id = $1 AND account_id = $2"_sql,
      [](const db::Row& row) { return parse_role(row.text(0)).value_or(Role::viewer); }, tenant, account);
}

Result<std::int64_t> count_other_administrators(TenantId tenant, AccountId account, db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM memberships JOIN accounts ON accounts.id = memberships.account_id "
      "WHERE tenant_id = $1 AND account_id <> $2 AND role = 'administrator' AND disabled_at IS NULL"_sql,
      [](const db::Row& row) { return row.integer(0); }, tenant, account));
  return count.value_or(0);
}

Result<std::vector<std::string>> list_member_groups(TenantId tenant, AccountId account, db::ControlReader& reader) {
  auto groups = PARLEY_TRY(reader.find(
      "SELECT document_groups FROM memberships WHERE tenant_id = $1 AND account_id = $2"_sql,
      [](const db::Row& row) { return lines_of(row.text(0)); }, tenant, account));
  return std::move(groups).value_or(std::vector<std::string>());
}

Result<std::int64_t> put_member_groups(TenantId tenant, AccountId account, const std::vector<std::string>& groups,
                                       db::ControlWriter& writer) {
  return writer.run("UPDATE memberships SET document_groups = $3 WHERE tenant_id = $1 AND account_id = $2"_sql, tenant,
                    account, lines_from(groups));
}

Result<void> require_room_for_member(TenantId tenant, db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM memberships WHERE tenant_id = $1"_sql, [](const db::Row& row) { return row.integer(0); },
      tenant));
  if (count.value_or(0) >= static_cast<std::int64_t>(members_per_tenant_max))
    return fail(Code::conflict, "this organisation has too many members");
  return {};
}

Result<std::vector<MemberRow>> list_member_rows(TenantId tenant, db::ControlReader& reader) {
  return reader.all(
      "SELECT accounts.id, role, email, confirmed_at, disabled_at, "
      "CASE WHEN EXISTS (SELECT 1 FROM second_factors WHERE second_factors.account_id = accounts.id) THEN 1 ELSE 0 "
      "END, document_groups "
      "FROM memberships JOIN accounts ON accounts.id = memberships.account_id "
      "WHERE tenant_id = $1 ORDER BY email"_sql,
      [&](const db::Row& row) {
        return MemberRow{.member = {.account = row.id<AccountId>(0),
                                    .tenant = tenant,
                                    .role = parse_role(row.text(1)).value_or(Role::viewer),
                                    .grants = {},
                                    .groups = lines_of(row.text(6))},
                         .email = std::string(row.text(2)),
                         .confirmed = !row.is_null(3),
                         .disabled = !row.is_null(4),
                         .has_factor = row.boolean(5)};
      },
      tenant);
}

Result<std::vector<ProjectGrant>> list_grants(TenantId tenant, AccountId account, db::ControlReader& reader) {
  return reader.all(
      "SELECT project_id, role FROM project_grants WHERE tenant_id = $1 AND account_id = $2 ORDER BY project_id"_sql,
      [](const db::Row& row) {
        return ProjectGrant{.project = row.id<ProjectId>(0), .role = parse_role(row.text(1)).value_or(Role::viewer)};
      },
      tenant, account);
}

Result<std::vector<std::pair<AccountId, ProjectGrant>>> list_all_grants(TenantId tenant, db::ControlReader& reader) {
  return reader.all(
      "SELECT account_id, project_id, role FROM project_grants WHERE tenant_id = $1 "
      "ORDER BY account_id, project_id"_sql,
      [](const db::Row& row) {
        return std::pair(row.id<AccountId>(0), ProjectGrant{.project = row.id<ProjectId>(1),
                                                            .role = parse_role(row.text(2)).value_or(Role::viewer)});
      },
      tenant);
}

Result<void> put_grant(TenantId tenant, AccountId account, const ProjectGrant& grant, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("INSERT INTO project_grants (tenant_id, account_id, project_id, role) VALUES ($1, $2, $3, $4) "
                 "ON CONFLICT (account_id, project_id) DO UPDATE SET role = excluded.role"_sql,
                 tenant, account, grant.project, name(grant.role)));
  return {};
}

Result<std::int64_t> remove_grant(TenantId tenant, AccountId account, ProjectId project, db::ControlWriter& writer) {
  return writer.run("DELETE FROM project_grants WHERE tenant_id = $1 AND account_id = $2 AND project_id = $3"_sql,
                    tenant, account, project);
}

Result<std::vector<Invitation>> list_pending_invitations(TenantId tenant, Timestamp now, db::ControlReader& reader) {
  return reader.all(
      "SELECT id, digest, tenant_id, email, role, project_id, project_role, invited_by, created_at, expires_at, "
      "accepted_at, revoked_at FROM invitations WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL "
      "AND expires_at > $2 ORDER BY created_at DESC, id"_sql,
      invitation_from, tenant, now);
}

Result<void> insert_invitation(const Invitation& invitation, db::ControlWriter& writer) {
  const auto grant_project = invitation.grant ? std::optional(invitation.grant->project) : std::nullopt;
  const auto grant_role = invitation.grant ? std::optional(name(invitation.grant->role)) : std::nullopt;
  PARLEY_TRY(writer.run(
      "INSERT INTO invitations (tenant_id, id, digest, email, role, project_id, project_role, invited_by, created_at, "
      "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"_sql,
      invitation.tenant, invitation.id, db::Blob{invitation.digest.view()}, invitation.email, name(invitation.role),
      grant_project, grant_role, invitation.invited_by, invitation.created_at, invitation.expires_at));
  return {};
}

Result<void> revoke_invitation(TenantId tenant, InvitationId id, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL "
                 "AND revoked_at IS NULL"_sql,
                 tenant, id, now));
  return {};
}

Result<void> revoke_invitations_by(TenantId tenant, AccountId account, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND invited_by = $2 AND "
                 "accepted_at IS NULL AND revoked_at IS NULL"_sql,
                 tenant, account, now));
  return {};
}

Result<void> revoke_invitations_to(TenantId tenant, std::string_view email, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND email = $2 AND "
                 "accepted_at IS NULL AND revoked_at IS NULL"_sql,
                 tenant, email, now));
  return {};
}

Result<std::int64_t> accept_invitation(TenantId tenant, InvitationId id, Timestamp now, db::ControlWriter& writer) {
  return writer.run(
      "UPDATE invitations SET accepted_at = $3 WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND "
      "revoked_at IS NULL AND expires_at > $3"_sql,
      tenant, id, now);
}

Result<std::optional<Invitation>> find_invitation(const crypto::Digest& digest, db::ControlReader& reader) {
  return reader.find(
      "SELECT id, digest, tenant_id, email, role, project_id, project_role, invited_by, created_at, expires_at, "
      "accepted_at, revoked_at FROM invitations WHERE digest = $1"_sql,
      invitation_from, db::Blob{digest.view()});
}

Result<std::vector<Membership>> list_memberships_of(AccountId account, db::ControlReader& reader) {
  return reader.all(
      "SELECT tenant_id, role FROM memberships WHERE account_id = $1 ORDER BY tenant_id"_sql,
      [&](const db::Row& row) {
        return Membership{
            .account = account, .tenant = row.id<TenantId>(0), .role = parse_role(row.text(1)).value_or(Role::viewer)};
      },
      account);
}

Result<std::vector<SignInProvider>> list_providers(TenantId tenant, db::ControlReader& reader) {
  return reader.all(
      "SELECT id, tenant_id, name, issuer, client_id, client_secret, client_authentication, scopes, group_claim, "
      "group_roles, email_domains, default_role, creates_accounts, created_at, updated_at FROM sign_in_providers "
      "WHERE tenant_id = $1 ORDER BY created_at, id"_sql,
      provider_from, tenant);
}

Result<std::optional<SignInProvider>> find_provider(TenantId tenant, SignInProviderId id, db::ControlReader& reader) {
  return reader.find(
      "SELECT id, tenant_id, name, issuer, client_id, client_secret, client_authentication, scopes, group_claim, "
      "group_roles, email_domains, default_role, creates_accounts, created_at, updated_at FROM sign_in_providers "
      "WHERE tenant_id = $1 AND id = $2"_sql,
      provider_from, tenant, id);
}

Result<std::optional<SignInProvider>> find_any_provider(SignInProviderId id, db::ControlReader& reader) {
  return reader.find(
      "SELECT p.id, p.tenant_id, p.name, p.issuer, p.client_id, p.client_secret, p.client_authentication, p.scopes, "
      "p.group_claim, p.group_roles, p.email_domains, p.default_role, p.creates_accounts, p.created_at, p.updated_at "
      "FROM sign_in_providers p JOIN tenants t ON t.id = p.tenant_id WHERE p.id = $1 AND t.state = 'active'"_sql,
      provider_from, id);
}

Result<void> put_provider(TenantId tenant, const SignInProvider& provider, db::ControlWriter& writer) {
  boost::json::object roles;
  for (const auto& [group, role] : provider.group_roles) roles[group] = name(role);
  const auto default_role =
      provider.default_role ? std::optional<std::string_view>(name(*provider.default_role)) : std::nullopt;
  PARLEY_TRY(writer.run(
      "INSERT INTO sign_in_providers (id, tenant_id, name, issuer, client_id, client_secret, client_authentication, "
      "scopes, group_claim, group_roles, email_domains, default_role, creates_accounts, created_at, updated_at) "
      "VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, client_id = excluded.client_id, "
      "client_secret = excluded.client_secret, client_authentication = excluded.client_authentication, "
      "scopes = excluded.scopes, group_claim = excluded.group_claim, group_roles = excluded.group_roles, "
      "email_domains = excluded.email_domains, default_role = excluded.default_role, "
      "creates_accounts = excluded.creates_accounts, updated_at = excluded.updated_at "
      "WHERE sign_in_providers.tenant_id = $1"_sql,
      tenant, provider.id, provider.name, provider.issuer, provider.client_id, provider.client_secret,
      name(provider.authentication), lines_from(provider.scopes), provider.group_claim, boost::json::serialize(roles),
      lines_from(provider.email_domains), default_role, provider.creates_accounts, provider.created_at,
      provider.updated_at));
  return {};
}

Result<std::int64_t> delete_provider(TenantId tenant, SignInProviderId id, db::ControlWriter& writer) {
  return writer.run("DELETE FROM sign_in_providers WHERE tenant_id = $1 AND id = $2"_sql, tenant, id);
}

Result<std::vector<IdentityIssuer>> list_identity_issuers(TenantId tenant, ProjectId project,
                                                          db::ControlReader& reader) {
  return reader.all(
      "SELECT id, tenant_id, project_id, name, issuer, audience, sealed_secret, jwks, jwks_url, created_at, "
      "document_groups, all_groups FROM identity_issuers WHERE tenant_id = $1 AND project_id = $2 "
      "ORDER BY created_at, id"_sql,
      identity_issuer_from, tenant, project);
}

Result<std::int64_t> insert_identity_issuer(TenantId tenant, const IdentityIssuer& issuer, db::ControlWriter& writer) {
  using Kind = IdentityIssuer::Kind;
  const auto secret = issuer.kind == Kind::shared_secret ? std::optional(db::Blob{issuer.sealed_secret}) : std::nullopt;
  const auto jwks = issuer.kind == Kind::inline_keys ? std::optional<std::string_view>(issuer.jwks) : std::nullopt;
  const auto url = issuer.kind == Kind::keys_at ? std::optional<std::string_view>(issuer.jwks_url) : std::nullopt;
  return writer.run(
      "INSERT INTO identity_issuers (id, tenant_id, project_id, name, issuer, audience, sealed_secret, jwks, jwks_url, "
      "created_at, document_groups, all_groups) VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
      "ON CONFLICT (project_id, issuer) DO NOTHING"_sql,
      tenant, issuer.id, issuer.project, issuer.name, issuer.issuer, issuer.audience, secret, jwks, url,
      issuer.created_at, lines_from(issuer.groups.names), issuer.groups.extent == ReadableGroups::Extent::all);
}

Result<std::int64_t> delete_identity_issuer(TenantId tenant, ProjectId project, IdentityIssuerId id,
                                            db::ControlWriter& writer) {
  return writer.run("DELETE FROM identity_issuers WHERE tenant_id = $1 AND project_id = $2 AND id = $3"_sql, tenant,
                    project, id);
}

Result<std::optional<Tenant>> find_tenant(TenantId tenant, db::ControlReader& reader) {
  return reader.find(
      "SELECT id, name, created_at, requires_second_factor FROM tenants WHERE id = $1 AND state = 'active'"_sql,
      [](const db::Row& row) {
        return Tenant{.id = row.id<TenantId>(0),
                      .name = std::string(row.text(1)),
                      .state = TenantState::active,
                      .created_at = row.time(2),
                      .requires_second_factor = row.boolean(3)};
      },
      tenant);
}

ProjectRef place_from(const db::Row& row, std::string_view slug) {
  const ProjectAccess access{
      .visibility = row.boolean(2) ? Visibility::private_project : Visibility::public_project,
      .server_reads = ProjectAccess::ServerReads(row.boolean(3)),
      .biel_compat = ProjectAccess::BielCompat(row.boolean(4)),
      .visitors = ProjectAccess::Visitors(row.boolean(5)),
      .origins = {},
  };
  return {.tenant = row.id<TenantId>(0),
          .project = row.id<ProjectId>(1),
          .slug = std::string(slug),
          .access = std::make_shared<const ProjectAccess>(access)};
}

Result<ProjectRef> with_origins(ProjectRef place, db::ControlReader& reader) {
  ProjectAccess access = *place.access;
  access.origins = PARLEY_TRY(list_origins(place.tenant, place.project, reader));
  place.access = std::make_shared<const ProjectAccess>(std::move(access));
  return place;
}

Result<std::optional<ProjectRef>> find_slug(TenantId tenant, std::optional<ProjectId> project, std::string_view slug,
                                            db::ControlReader& reader) {
  auto found = PARLEY_TRY(reader.find(
      "SELECT tenant_id, project_id, is_private, server_reads, biel_compat, verified_visitors FROM projects_by_slug "
      "WHERE tenant_id = $1 AND slug || '' = $2 AND project_id = coalesce($3, project_id) AND state = 'active'"_sql,
      [&](const db::Row& row) { return place_from(row, slug); }, tenant, slug, project));
  if (!found) return std::nullopt;
  return PARLEY_TRY(with_origins(*std::move(found), reader));
}

Result<bool> has_project(TenantId tenant, ProjectId project, db::ControlReader& reader) {
  const auto found = PARLEY_TRY(reader.find(
      "SELECT 1 FROM projects_by_slug WHERE tenant_id = $1 AND project_id = $2 AND state = 'active'"_sql,
      [](const db::Row&) { return true; }, tenant, project));
  return found.value_or(false);
}

Result<std::int64_t> count_projects(TenantId tenant, db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM projects_by_slug WHERE tenant_id = $1"_sql,
      [](const db::Row& row) { return row.integer(0); }, tenant));
  return count.value_or(0);
}

Result<std::int64_t> put_access(TenantId tenant, ProjectId project, const ProjectAccess& access,
                                db::ControlWriter& writer) {
  const auto changed = PARLEY_TRY(writer.run(
      "UPDATE projects_by_slug SET is_private = $3, server_reads = $4, biel_compat = $5, verified_visitors = $6 "
      "WHERE tenant_id = $1 AND project_id = $2 AND state <> 'removing'"_sql,
      tenant, project, access.visibility == Visibility::private_project,
      access.server_reads == ProjectAccess::ServerReads::on, access.biel_compat == ProjectAccess::BielCompat::on,
      access.visitors == ProjectAccess::Visitors::verified));
  if (changed == 0) return changed;
  PARLEY_TRY(writer.run("DELETE FROM project_origins WHERE tenant_id = $1 AND project_id = $2"_sql, tenant, project));
  for (const auto& origin : access.origins)
    PARLEY_TRY(writer.run("INSERT INTO project_origins (tenant_id, project_id, origin) VALUES ($1, $2, $3)"_sql, tenant,
                          project, origin));
  return changed;
}

Result<std::vector<std::string>> list_origins(TenantId tenant, ProjectId project, db::ControlReader& reader) {
  return reader.all(
      "SELECT origin FROM project_origins WHERE tenant_id = $1 AND project_id = $2 ORDER BY origin"_sql,
      [](const db::Row& row) { return std::string(row.text(0)); }, tenant, project);
}

Result<void> activate_project(TenantId tenant, ProjectId project, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE projects_by_slug SET state = 'active' "
                 "WHERE tenant_id = $1 AND project_id = $2 AND state = 'creating'"_sql,
                 tenant, project));
  return {};
}

Result<std::int64_t> close_project(TenantId tenant, ProjectId project, Timestamp now, db::ControlWriter& writer) {
  const auto closed =
      PARLEY_TRY(writer.run("UPDATE projects_by_slug SET state = 'removing' "
                            "WHERE tenant_id = $1 AND project_id = $2 AND state = 'active'"_sql,
                            tenant, project));
  PARLEY_TRY(writer.run(
      "UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND project_id = $2 AND revoked_at IS NULL"_sql, tenant,
      project, now));
  return closed;
}

Result<void> close_tenant(TenantId tenant, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("UPDATE projects_by_slug SET state = 'removing' WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(
      writer.run("UPDATE api_keys SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL"_sql, tenant, now));
  PARLEY_TRY(writer.run("UPDATE sessions SET tenant_id = NULL WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM invitations WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM memberships WHERE tenant_id = $1"_sql, tenant));  // and their grants
  PARLEY_TRY(writer.run("DELETE FROM intents WHERE tenant_id = $1"_sql, tenant));
  return {};
}

Result<void> delete_project(TenantId tenant, ProjectId project, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM api_keys WHERE tenant_id = $1 AND project_id = $2"_sql, tenant, project));
  PARLEY_TRY(writer.run("DELETE FROM project_origins WHERE tenant_id = $1 AND project_id = $2"_sql, tenant, project));
  PARLEY_TRY(writer.run("DELETE FROM projects_by_slug WHERE tenant_id = $1 AND project_id = $2"_sql, tenant, project));
  return {};
}

Result<void> delete_tenant(TenantId tenant, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM api_keys WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM project_origins WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM memberships WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM projects_by_slug WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM due WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(writer.run("DELETE FROM trail_open_batches WHERE tenant_id = $1"_sql, tenant));
  PARLEY_TRY(forget_last_seal(tenant, writer));
  PARLEY_TRY(writer.run("DELETE FROM tenants WHERE id = $1"_sql, tenant));
  return {};
}

Result<std::vector<Membership>> list_memberships(AccountId account, db::ControlReader& reader) {
  return reader.all(
      "SELECT tenant_id, role FROM memberships WHERE account_id = $1 ORDER BY tenant_id"_sql,
      [account](const db::Row& row) {
        return Membership{
            .account = account, .tenant = row.id<TenantId>(0), .role = parse_role(row.text(1)).value_or(Role::viewer)};
      },
      account);
}

Result<bool> requires_second_factor(TenantId tenant, db::ControlReader& reader) {
  const auto required = PARLEY_TRY(reader.find(
      "SELECT requires_second_factor FROM tenants WHERE id = $1"_sql, [](const db::Row& row) { return row.boolean(0); },
      tenant));
  return required.value_or(true);
}

Result<void> set_second_factor_rule(TenantId tenant, bool required, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("UPDATE tenants SET requires_second_factor = $2 WHERE id = $1"_sql, tenant, required));
  return {};
}

Result<void> end_sessions_without_factor(TenantId tenant, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE sessions SET ended_at = $2 WHERE ended_at IS NULL AND factor_at IS NULL AND "
                 "account_id IN (SELECT account_id FROM memberships WHERE memberships.tenant_id = $1)"_sql,
                 tenant, now));
  return {};
}

Result<void> clear_session_tenant(TenantId tenant, AccountId account, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE sessions SET tenant_id = NULL WHERE tenant_id = $1 AND account_id = $2"_sql, tenant, account));
  return {};
}

Result<std::optional<SessionRecord>> find_session(const crypto::Digest& digest, db::ControlReader& reader) {
  return reader.find(
      "SELECT id, digest, account_id, tenant_id, assurance, factor_at, client, created_at, last_seen_at, ended_at "
      "FROM sessions WHERE digest = $1"_sql,
      session_from, db::Blob{digest.view()});
}

Result<std::vector<SessionRecord>> list_sessions(AccountId account, db::ControlReader& reader) {
  return reader.all(
      "SELECT id, digest, account_id, tenant_id, assurance, factor_at, client, created_at, last_seen_at, ended_at "
      "FROM sessions WHERE account_id = $1 AND ended_at IS NULL"_sql,
      session_from, account);
}

Result<void> insert_session(const SessionRecord& session, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("INSERT INTO sessions (id, digest, account_id, tenant_id, assurance, factor_at, client, created_at, "
                 "last_seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"_sql,
                 session.id, db::Blob{session.digest.view()}, session.account, session.tenant, name(session.assurance),
                 session.factor_at, session.client, session.created_at, session.last_seen_at));
  return {};
}

Result<std::int64_t> set_session_tenant(TenantId tenant, SessionId id, const crypto::Digest& digest,
                                        db::ControlWriter& writer) {
  return writer.run("UPDATE sessions SET tenant_id = $1 WHERE id = $2 AND digest = $3 AND ended_at IS NULL"_sql, tenant,
                    id, db::Blob{digest.view()});
}

Result<std::optional<LastSeal>> find_last_seal(TenantId tenant, db::ControlReader& reader) {
  return reader.find(
      "SELECT number, digest, sealed_at FROM trail_sealed WHERE tenant_id = $1"_sql,
      [](const db::Row& row) {
        // A digest that is none matches no seal, so what was changed here is found like what was changed there.
        return LastSeal{.number = row.integer(0),
                        .digest = crypto::Digest::from_bytes(row.blob(1)).value_or(crypto::Digest()),
                        .at = row.time(2)};
      },
      tenant);
}

Result<void> put_last_seal(TenantId tenant, const LastSeal& seal, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("INSERT INTO trail_sealed (tenant_id, number, digest, sealed_at) VALUES ($1, $2, $3, $4) "
                 "ON CONFLICT (tenant_id) DO UPDATE SET number = excluded.number, digest = excluded.digest, "
                 "sealed_at = excluded.sealed_at"_sql,
                 tenant, seal.number, db::Blob{seal.digest.view()}, seal.at));
  return {};
}

Result<void> forget_last_seal(TenantId tenant, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM trail_sealed WHERE tenant_id = $1"_sql, tenant));
  return {};
}

}  // namespace parley::identity::by_tenant
