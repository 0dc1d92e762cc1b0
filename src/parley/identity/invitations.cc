#include "parley/identity/invitations.h"

#include <algorithm>

#include "parley/identity/account_rows.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/identity/role_rules.h"
#include "parley/identity/token_text.h"

namespace parley::identity {

namespace {

constexpr std::string_view token_prefix = "pi_1";
constexpr std::size_t token_random_characters = 43;  // 256 bits

std::unexpected<Error> refuse_token() {
  return fail(Code::not_found, "the invitation is not valid any more; ask for a new one");
}

Result<crypto::Digest> digest_of(const Secret& token) {
  if (!is_token_text(token.reveal(), token_prefix, token_random_characters)) return refuse_token();
  return crypto::Sha256().update("parley invitation 1\n").update(token.reveal()).finish();
}

/// One that may still be accepted, of an organisation that is still there.
Result<Invitation> load_pending(const crypto::Digest& digest, Timestamp now, db::ControlReader& reader) {
  auto found = PARLEY_TRY(by_tenant::find_invitation(digest, reader));
  if (!found || !found->pending_at(now) || !PARLEY_TRY(by_tenant::find_tenant(found->tenant, reader)))
    return refuse_token();
  return *std::move(found);
}

Result<Membership> join(const Invitation& invitation, AccountId account, Timestamp now, db::ControlWriter& writer) {
  if (PARLEY_TRY(by_tenant::find_role(invitation.tenant, account, writer)))
    return fail(Code::conflict, "you belong to this organisation already");
  PARLEY_TRY(by_tenant::require_room_for_member(invitation.tenant, writer));
  if (PARLEY_TRY(by_tenant::accept_invitation(invitation.tenant, invitation.id, now, writer)) == 0)
    return refuse_token();
  PARLEY_TRY(by_tenant::put_member(invitation.tenant, account, invitation.role, writer));
  if (invitation.grant) PARLEY_TRY(by_tenant::put_grant(invitation.tenant, account, *invitation.grant, writer));
  return Membership{.account = account, .tenant = invitation.tenant, .role = invitation.role};
}

}  // namespace

Invitations::Invitations(db::ControlSession control, PasswordHasher& hasher, Members& members, const Clock& clock,
                         crypto::Random& random)
    : control_(std::move(control)), hasher_(hasher), members_(members), clock_(clock), random_(random) {}

Async<CreatedInvitation> Invitations::create(Doer by, NewInvitation wanted) {
  const auto now = clock_.now();
  Secret token = make_token_text(token_prefix, token_random_characters, random_);
  Invitation invitation;
  invitation.id = crypto::random_id<InvitationId>(random_);
  invitation.digest = PARLEY_CO_TRY(digest_of(token));
  invitation.tenant = wanted.tenant;
  invitation.email = PARLEY_CO_TRY(parse_email(wanted.email));
  invitation.role = wanted.role;
  invitation.grant = wanted.grant;
  invitation.invited_by = by.account();
  invitation.created_at = now;
  invitation.expires_at = now + invitation_lifetime;
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto actor = PARLEY_TRY(load_acting_role(by, wanted.tenant, writer));
    PARLEY_TRY(check_member_change({.actor = actor, .from = {}, .to = wanted.role}));
    if (wanted.grant) {
      PARLEY_TRY(check_project_grant(actor, wanted.role, wanted.grant->role));
      if (!PARLEY_TRY(by_tenant::has_project(wanted.tenant, wanted.grant->project, writer)))
        return fail(Code::not_found, "there is no such project");
    }
    if (const auto account = PARLEY_TRY(account_rows::find_by_email(invitation.email, writer)))
      if (PARLEY_TRY(by_tenant::find_role(wanted.tenant, account->id, writer)))
        return fail(Code::conflict, "they belong to the organisation already");
    PARLEY_TRY(by_tenant::revoke_invitations_to(wanted.tenant, invitation.email, now, writer));
    if (PARLEY_TRY(by_tenant::list_pending_invitations(wanted.tenant, now, writer)).size() >=
        invitations_per_tenant_max)
      return fail(Code::conflict, "too many invitations are pending; revoke some first");
    return by_tenant::insert_invitation(invitation, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return CreatedInvitation{std::move(invitation), std::move(token)};
}

Async<std::vector<Invitation>> Invitations::list(Doer by, TenantId tenant) {
  auto work = [&, now = clock_.now()](db::ControlReader& reader) -> Result<std::vector<Invitation>> {
    const auto actor = PARLEY_TRY(load_acting_role(by, tenant, reader));
    PARLEY_TRY(check_member_change({.actor = actor, .from = {}, .to = Role::viewer}));
    return by_tenant::list_pending_invitations(tenant, now, reader);
  };
  co_return co_await control_.read(std::move(work));
}

Async<> Invitations::revoke(Doer by, TenantId tenant, InvitationId id) {
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    const auto actor = PARLEY_TRY(load_acting_role(by, tenant, writer));
    const auto pending = PARLEY_TRY(by_tenant::list_pending_invitations(tenant, now, writer));
    const auto found = std::ranges::find(pending, id, &Invitation::id);
    if (found == pending.end()) return fail(Code::not_found, "there is no such invitation");
    PARLEY_TRY(check_member_change({.actor = actor, .from = {}, .to = found->role}));
    return by_tenant::revoke_invitation(tenant, id, now, writer);
  };
  co_return co_await control_.write(std::move(work));
}

Async<OfferedInvitation> Invitations::find(Secret token) {
  const auto digest = PARLEY_CO_TRY(digest_of(token));
  auto work = [&, now = clock_.now()](db::ControlReader& reader) -> Result<OfferedInvitation> {
    const auto invitation = PARLEY_TRY(load_pending(digest, now, reader));
    const auto tenant = PARLEY_TRY(by_tenant::find_tenant(invitation.tenant, reader));
    const auto account = PARLEY_TRY(account_rows::find_by_email(invitation.email, reader));
    return OfferedInvitation{.tenant = invitation.tenant,
                             .organisation = tenant ? tenant->name : std::string(),
                             .email = invitation.email,
                             .role = invitation.role,
                             .has_account = account.has_value()};
  };
  co_return co_await control_.read(std::move(work));
}

Async<Membership> Invitations::accept(FullSession who, Secret token) {
  const auto digest = PARLEY_CO_TRY(digest_of(token));
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<Membership> {
    const auto invitation = PARLEY_TRY(load_pending(digest, now, writer));
    const auto account = PARLEY_TRY(account_rows::find(who->account, writer));
    if (!account || account->disabled_at) return fail(Code::unauthenticated, "sign in again");
    if (account->email != invitation.email)
      return fail(Code::permission_denied, "the invitation is for another address than this account's");
    PARLEY_TRY(account_rows::confirm(account->id, now, writer));
    return join(invitation, account->id, now, writer);
  };
  const auto membership = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  // That they were no member may be remembered.
  members_.forget(membership.account, membership.tenant);
  co_return membership;
}

Async<ProvenAccount> Invitations::accept_with_new_account(Secret token, Secret password) {
  const auto digest = PARLEY_CO_TRY(digest_of(token));
  const auto now = clock_.now();
  // Looked at before the password is hashed, so that a stranger without a token cannot keep the hasher busy.
  auto look = [&](db::ControlReader& reader) { return load_pending(digest, now, reader); };
  const auto offered = PARLEY_CO_TRY(co_await control_.read(std::move(look)));
  const auto hash = PARLEY_CO_TRY(co_await hash_new_password(hasher_, offered.email, std::move(password)));
  const Account account{.id = crypto::random_id<AccountId>(random_),
                        .email = offered.email,
                        .created_at = now,
                        .confirmed_at = now,
                        .disabled_at = {}};
  auto work = [&](db::ControlWriter& writer) -> Result<Membership> {
    const auto invitation = PARLEY_TRY(load_pending(digest, now, writer));
    PARLEY_TRY(account_rows::insert(account, hash, writer));
    return join(invitation, account.id, now, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return ProvenAccount(account.id, FirstStep::password);
}

}  // namespace parley::identity
