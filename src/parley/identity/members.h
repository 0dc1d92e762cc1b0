#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/session.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/account_store.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/role.h"
#include "parley/identity/session_store.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Far above use; keeps a list of members one answer.
inline constexpr std::size_t members_per_tenant_max = 5'000;
inline constexpr std::size_t grants_per_member_max = 100;

/// A role on one project, on top of the member's.
struct ProjectGrant {
  ProjectId project;
  Role role = Role::viewer;
};

/// What somebody is in one organisation.
struct Member {
  AccountId account;
  TenantId tenant;
  Role role = Role::viewer;
  std::vector<ProjectGrant> grants;
  std::vector<std::string> groups;  ///< whose documents they read, in each project; sorted

  /// The higher of the member's role and the grant.
  Role role_on(ProjectId project) const;
};

/// A member as others see them.
struct MemberRow {
  Member member;
  std::string email;
  bool confirmed = false;
  bool disabled = false;
  bool has_factor = false;
};

/// Who asks for a change. What they may do is read in the transaction that makes it, so a role taken from them a moment
/// ago counts.
class Doer {
 public:
  static Doer member(const FullSession& session) { return Doer(session->account); }
  static Doer local(const LocalOperator&) { return Doer(std::nullopt); }

  /// None for the operator of the machine.
  const std::optional<AccountId>& account() const { return account_; }

 private:
  explicit Doer(std::optional<AccountId> account) : account_(account) {}
  std::optional<AccountId> account_;
};

/// The role in which somebody asks: `not_found` for who does not belong to the organisation, as for one that does not
/// exist. For other stores' transactions.
Result<Role> load_acting_role(const Doer& by, TenantId tenant, db::ControlReader& reader);

enum class SecondFactorRule : bool { optional, required };

/// Who belongs to which organisation, as what. The rules are in role_rules.h. A change is seen by the next request on
/// this node and within a second on others. Safe from any thread; must outlive the operations it started.
///
/// No operation writes the trail: its caller does, before.
class Members {
 public:
  Members(db::ControlSession control, SessionStore& sessions, const Clock& clock, FreshCacheLimits limits = {});

  /// Null if they do not belong to it (any more). From memory when asked in the last second.
  Async<std::shared_ptr<const Member>> find(AccountId account, TenantId tenant);
  /// For a request by a session: `not_found` if no organisation is chosen, or it is theirs no longer.
  Async<std::shared_ptr<const Member>> require(FullSession session);

  Async<std::vector<MemberRow>> list(Doer by, TenantId tenant);
  /// Which organisations an account belongs to: whose trails what is done to the account belongs on.
  Async<std::vector<Membership>> list_of(AccountId account);

  /// `not_found` for who is no member; `conflict` and `permission_denied` as role_rules.h says. Invitations by somebody
  /// who is less afterwards are withdrawn.
  Async<> change_role(Doer by, TenantId tenant, AccountId account, Role role);
  /// Their sessions act for it no longer; their grants go.
  Async<> remove(Doer by, TenantId tenant, AccountId account);
  /// Puts an existing account into an organisation: for the operator alone, others invite. `conflict` for a member.
  Async<> add(LocalOperator by, TenantId tenant, AccountId account, Role role);

  /// One grant a project: another one replaces it. `not_found` for another tenant's project.
  Async<> grant(Doer by, TenantId tenant, AccountId account, ProjectGrant grant);
  Async<> withdraw_grant(Doer by, TenantId tenant, AccountId account, ProjectId project);

  /// All groups whose documents they read from now on, besides those without groups. By administrators and the operator
  /// alone: who reads what is nothing a maintainer gives away. `invalid_argument` as `checked_group_names`.
  Async<> set_groups(Doer by, TenantId tenant, AccountId account, std::vector<std::string> groups);

  /// Once required, members' sessions in which no second factor was presented end, the asking administrator's own
  /// included: they sign in again and, if they have none, enrol one.
  Async<> set_second_factor_rule(Doer by, TenantId tenant, SecondFactorRule rule);

  /// Reads it anew from now on: by a signal from another node, without which it takes a second.
  void forget(AccountId account, TenantId tenant);
  void forget_tenant(TenantId tenant);

 private:
  struct Key {
    AccountId account;
    TenantId tenant;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<AccountId>()(key.account) ^ std::hash<TenantId>()(key.tenant) * 31;
    }
  };

  db::ControlSession control_;
  SessionStore& sessions_;
  const Clock& clock_;
  FreshCache<Key, Member, KeyHash> cache_;
};

}  // namespace parley::identity
