#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/members.h"
#include "parley/identity/password_hasher.h"
#include "parley/identity/sign_in.h"
#include "parley/net/async.h"

namespace parley::identity {

using InvitationId = Id<struct InvitationTag>;

/// Letters are read after a holiday weekend, and a forgotten one should not be a way in for ever.
inline constexpr std::chrono::microseconds invitation_lifetime = std::chrono::days(7);
/// Pending ones; far above use, and bounds the letters that one organisation can have sent.
inline constexpr std::size_t invitations_per_tenant_max = 200;

struct NewInvitation {
  TenantId tenant;
  std::string email;
  Role role = Role::viewer;
  std::optional<ProjectGrant> grant;
};

/// An invitation as stored: everything but its text.
struct Invitation {
  InvitationId id;
  crypto::Digest digest;
  TenantId tenant;
  std::string email;
  Role role = Role::viewer;
  std::optional<ProjectGrant> grant;
  std::optional<AccountId> invited_by;  ///< none: the operator
  Timestamp created_at;
  Timestamp expires_at;
  std::optional<Timestamp> accepted_at;
  std::optional<Timestamp> revoked_at;

  bool pending_at(Timestamp now) const { return !accepted_at && !revoked_at && now < expires_at; }
};

struct CreatedInvitation {
  Invitation invitation;
  Secret token;  ///< for the link in the letter: behind '#', so that no server's log gets it
};

/// What its holder is shown before they accept.
struct OfferedInvitation {
  TenantId tenant;
  std::string organisation;
  std::string email;
  Role role = Role::viewer;
  bool has_account = false;  ///< sign in to accept, or choose a password
};

/// Invitations into an organisation. Whoever holds the link has read a letter to its address. Sending it is the
/// caller's matter, and so is the trail, before.
class Invitations {
 public:
  Invitations(db::ControlSession control, PasswordHasher& hasher, Members& members, const Clock& clock,
              crypto::Random& random = crypto::system_random());

  /// Replaces a pending one for the same address. `permission_denied` as role_rules.h says; `conflict` for who belongs
  /// to the organisation already, or too many pending ones; `invalid_argument` for what is no address; `not_found` for
  /// another tenant's project.
  Async<CreatedInvitation> create(Doer by, NewInvitation wanted);

  /// Pending ones, newest first, for who may invite.
  Async<std::vector<Invitation>> list(Doer by, TenantId tenant);
  /// `not_found` unless it is pending in this organisation.
  Async<> revoke(Doer by, TenantId tenant, InvitationId id);

  /// `not_found` with one reason for unknown, used, revoked and expired ones, here and below.
  Async<OfferedInvitation> find(Secret token);
  /// Uses it up. `permission_denied` if the account has another address: a link passed on makes nobody a member.
  Async<Membership> accept(FullSession who, Secret token);
  /// Uses it up and makes the account, whose address counts as confirmed. `conflict` if the address has an account,
  /// `invalid_argument` for a weak password; the invitation survives both.
  Async<ProvenAccount> accept_with_new_account(Secret token, Secret password);

 private:
  db::ControlSession control_;
  PasswordHasher& hasher_;
  Members& members_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::identity
