#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/uuid.h"
#include "parley/db/transaction.h"
#include "parley/identity/account_store.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/invitations.h"
#include "parley/identity/key_store.h"
#include "parley/identity/members.h"
#include "parley/identity/oidc.h"
#include "parley/identity/session_store.h"
#include "parley/identity/tenant_store.h"

/// Columns of api_keys in the order `key_from` reads them.
#define PARLEY_KEY_COLUMNS                                                                                  \
  "id, digest, tenant_id, project_id, kind, name, scopes, origins, created_at, expires_at, revoked_at, "    \
  "last_used_at, last4, lifetime, exception_reason, exception_at, addresses, document_groups, all_groups, " \
  "enabled_at"

namespace parley::identity::by_tenant {

/// Everything that reads or changes rows of the control database on behalf of one tenant. There the tenant is an
/// ordinary column and no policy of the database stands behind a forgotten condition, so these statements are all in
/// one file, each with the tenant as its first parameter: the file to read when reviewing who can see what.

/// Newest first, at most `keys_per_tenant_max`.
Result<std::vector<KeyRecord>> list_keys(TenantId tenant, db::ControlReader& reader);
Result<std::optional<KeyRecord>> find_key(TenantId tenant, KeyId id, db::ControlReader& reader);
Result<std::int64_t> count_keys(TenantId tenant, db::ControlReader& reader);
/// Rows changed: none if it does not exist or is revoked already.
Result<std::int64_t> revoke_key(TenantId tenant, KeyId id, Timestamp now, db::ControlWriter& writer);
/// Ends the key at the given time unless it ends earlier; rows changed.
Result<std::int64_t> shorten_key(TenantId tenant, KeyId id, Timestamp expires_at, db::ControlWriter& writer);
/// Its idle time begins anew; rows changed.
Result<std::int64_t> enable_key(TenantId tenant, KeyId id, Timestamp now, db::ControlWriter& writer);
/// Deletes keys that were revoked or expired before that moment; rows deleted.
Result<std::int64_t> delete_dead_keys(TenantId tenant, Timestamp before, db::ControlWriter& writer);

Result<std::vector<Membership>> list_members(TenantId tenant, db::ControlReader& reader);
Result<void> put_member(TenantId tenant, AccountId account, Role role, db::ControlWriter& writer);
/// With the grants; rows changed.
Result<std::int64_t> remove_member(TenantId tenant, AccountId account, db::ControlWriter& writer);
Result<std::optional<Role>> find_role(TenantId tenant, AccountId account, db::ControlReader& reader);
/// Administrators besides this account whose accounts are not disabled.
Result<std::int64_t> count_other_administrators(TenantId tenant, AccountId account, db::ControlReader& reader);
/// Groups whose documents a member reads; none for who is no member.
Result<std::vector<std::string>> list_member_groups(TenantId tenant, AccountId account, db::ControlReader& reader);
/// In place of those they had; names as `checked_group_names` leaves them. Rows changed: none for who is no member. For
/// a sign-in that says which groups somebody is in, too; `Members::forget` comes after the commit.
Result<std::int64_t> put_member_groups(TenantId tenant, AccountId account, const std::vector<std::string>& groups,
                                       db::ControlWriter& writer);
/// `conflict` if the organisation is full.
Result<void> require_room_for_member(TenantId tenant, db::ControlReader& reader);
/// Ordered by address, without grants.
Result<std::vector<MemberRow>> list_member_rows(TenantId tenant, db::ControlReader& reader);

Result<std::vector<ProjectGrant>> list_grants(TenantId tenant, AccountId account, db::ControlReader& reader);
Result<std::vector<std::pair<AccountId, ProjectGrant>>> list_all_grants(TenantId tenant, db::ControlReader& reader);
Result<void> put_grant(TenantId tenant, AccountId account, const ProjectGrant& grant, db::ControlWriter& writer);
Result<std::int64_t> remove_grant(TenantId tenant, AccountId account, ProjectId project, db::ControlWriter& writer);

/// Pending ones, newest first.
Result<std::vector<Invitation>> list_pending_invitations(TenantId tenant, Timestamp now, db::ControlReader& reader);
Result<void> insert_invitation(const Invitation& invitation, db::ControlWriter& writer);
Result<void> revoke_invitation(TenantId tenant, InvitationId id, Timestamp now, db::ControlWriter& writer);
/// All that the account has given out and that are not accepted.
Result<void> revoke_invitations_by(TenantId tenant, AccountId account, Timestamp now, db::ControlWriter& writer);
Result<void> revoke_invitations_to(TenantId tenant, std::string_view email, Timestamp now, db::ControlWriter& writer);
/// Rows changed: none if it is not pending any more.
Result<std::int64_t> accept_invitation(TenantId tenant, InvitationId id, Timestamp now, db::ControlWriter& writer);
/// Of whichever tenant: this is how a link becomes one.
Result<std::optional<Invitation>> find_invitation(const crypto::Digest& digest, db::ControlReader& reader);

/// Where an account belongs: of all tenants, for the one that asks to be told about itself alone by the caller.
Result<std::vector<Membership>> list_memberships_of(AccountId account, db::ControlReader& reader);

/// Oldest first, at most `providers_per_tenant_max` exist.
Result<std::vector<SignInProvider>> list_providers(TenantId tenant, db::ControlReader& reader);
Result<std::optional<SignInProvider>> find_provider(TenantId tenant, SignInProviderId id, db::ControlReader& reader);
/// By its id alone: for somebody who returns from it with a sealed ticket that names it, and says whose it is.
Result<std::optional<SignInProvider>> find_any_provider(SignInProviderId id, db::ControlReader& reader);
/// Makes or changes it; another tenant's of that id is left as it is.
Result<void> put_provider(TenantId tenant, const SignInProvider& provider, db::ControlWriter& writer);
Result<std::int64_t> delete_provider(TenantId tenant, SignInProviderId id, db::ControlWriter& writer);

/// Oldest first.
Result<std::vector<IdentityIssuer>> list_identity_issuers(TenantId tenant, ProjectId project,
                                                          db::ControlReader& reader);
/// Rows made: none if the project has one with that `iss`.
Result<std::int64_t> insert_identity_issuer(TenantId tenant, const IdentityIssuer& issuer, db::ControlWriter& writer);
Result<std::int64_t> delete_identity_issuer(TenantId tenant, ProjectId project, IdentityIssuerId id,
                                            db::ControlWriter& writer);

Result<std::optional<Tenant>> find_tenant(TenantId tenant, db::ControlReader& reader);
/// Reads tenant_id, project_id, is_private, server_reads, biel_compat in this order; origins come after.
ProjectRef place_from(const db::Row& row, std::string_view slug);
/// Adds the sites that the project lists.
Result<ProjectRef> with_origins(ProjectRef place, db::ControlReader& reader);
/// Where a slug of this tenant's leads; with `project`, only if it is to that one. Another's and nobody's are the same
/// look-up, in an index that holds this tenant's alone (0007_look_ups.sql).
Result<std::optional<ProjectRef>> find_slug(TenantId tenant, std::optional<ProjectId> project, std::string_view slug,
                                            db::ControlReader& reader);
/// Whether the project is this tenant's, and fully made.
Result<bool> has_project(TenantId tenant, ProjectId project, db::ControlReader& reader);
Result<std::int64_t> count_projects(TenantId tenant, db::ControlReader& reader);
/// From where a project may be reached. Rows changed: none if it is not this tenant's, or is being removed.
Result<std::int64_t> put_access(TenantId tenant, ProjectId project, const ProjectAccess& access,
                                db::ControlWriter& writer);
Result<std::vector<std::string>> list_origins(TenantId tenant, ProjectId project, db::ControlReader& reader);
/// From now on the slug leads to the project.
Result<void> activate_project(TenantId tenant, ProjectId project, db::ControlWriter& writer);
/// Shuts every way in: slug and keys of a project that is to go; projects closed, none if it is not this tenant's.
Result<std::int64_t> close_project(TenantId tenant, ProjectId project, Timestamp now, db::ControlWriter& writer);
/// The same for a whole tenant: slugs, keys, roles, and operations that were under way.
Result<void> close_tenant(TenantId tenant, Timestamp now, db::ControlWriter& writer);
/// Deletes the project's slug and the keys that were for it alone.
Result<void> delete_project(TenantId tenant, ProjectId project, db::ControlWriter& writer);
/// Deletes every row that names the tenant, the tenant itself last.
Result<void> delete_tenant(TenantId tenant, db::ControlWriter& writer);

/// What an account belongs to: of all tenants, since it is asked by its owner or on the way in.
Result<std::vector<Membership>> list_memberships(AccountId account, db::ControlReader& reader);

Result<bool> requires_second_factor(TenantId tenant, db::ControlReader& reader);
Result<void> set_second_factor_rule(TenantId tenant, bool required, db::ControlWriter& writer);
/// Members' sessions in which no second factor was presented.
Result<void> end_sessions_without_factor(TenantId tenant, Timestamp now, db::ControlWriter& writer);
/// The account's sessions act for the tenant no longer.
Result<void> clear_session_tenant(TenantId tenant, AccountId account, db::ControlWriter& writer);

// Sessions are found by their text and by their account; the tenant is what they act for.
Result<std::optional<SessionRecord>> find_session(const crypto::Digest& digest, db::ControlReader& reader);
/// Those that were not ended, of whatever age.
Result<std::vector<SessionRecord>> list_sessions(AccountId account, db::ControlReader& reader);
Result<void> insert_session(const SessionRecord& session, db::ControlWriter& writer);
/// Rows changed: none if it ended, or its text is another by now.
Result<std::int64_t> set_session_tenant(TenantId tenant, SessionId id, const crypto::Digest& digest,
                                        db::ControlWriter& writer);

/// The newest seal of the tenant's trail, known apart from the trail itself.
struct LastSeal {
  std::int64_t number = 0;
  crypto::Digest digest;
  Timestamp at;
};
Result<std::optional<LastSeal>> find_last_seal(TenantId tenant, db::ControlReader& reader);
Result<void> put_last_seal(TenantId tenant, const LastSeal& seal, db::ControlWriter& writer);
Result<void> forget_last_seal(TenantId tenant, db::ControlWriter& writer);

/// A row of `PARLEY_KEY_COLUMNS`.
KeyRecord key_from(const db::Row& row);

}  // namespace parley::identity::by_tenant
