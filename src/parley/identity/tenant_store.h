#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/keyring.h"
#include "parley/crypto/random.h"
#include "parley/db/store.h"
#include "parley/evidence/principal.h"
#include "parley/identity/project.h"
#include "parley/net/async.h"
#include "parley/net/workers.h"

namespace parley::identity {

enum class TenantState : std::uint8_t { creating, active, removing };

struct Tenant {
  TenantId id;
  std::string name;
  TenantState state = TenantState::creating;
  Timestamp created_at;
  bool requires_second_factor = false;  ///< changed by `Members::set_second_factor_rule`
};

inline constexpr std::size_t tenant_name_bytes_max = 100;
/// Far above use; keeps a list of projects one answer.
inline constexpr std::size_t projects_per_tenant_max = 1'000;

struct NewProject {
  std::string name;
  std::string slug;  ///< empty: a random one
  ProjectAccess access;
  std::string settings = "{}";
};

enum class ProjectChange : std::uint8_t { created, removed };

/// What carrying on left-over operations came to.
struct IntentsFinished {
  std::int64_t finished = 0;
  std::vector<Error> failed;  ///< these are left for the next time
};

/// What others plug into the life of tenants and projects. Each may be left empty. Each must be idempotent: after a
/// crash the step runs again.
struct TenantHooks {
  /// A project of this tenant, or (without one) the tenant, is going: remove what is kept outside the database.
  /// Runs on a worker.
  std::function<Result<void>(TenantId, std::optional<ProjectId>)> remove_derived;
  /// The tenant stops being served now: drop it from caches.
  std::function<void(TenantId)> forget;
  /// Inside the transaction of the tenant's file that makes or removes the project's row (after the one, before the
  /// other): the record of the deed, and the rows of other modules that go with it.
  std::function<Result<void>(db::TenantWriter&, ProjectChange, ProjectId)> within;
  /// Between any two steps; an error ends the operation there, as a crash would. For tests of exactly that.
  std::function<Result<void>(Literal step)> after_step;
};

/// Which projects somebody may come upon by a slug: those of their organisation, of these the one that their credential
/// is bound to; without an organisation, public ones.
struct Reach {
  std::optional<TenantId> tenant;
  std::optional<ProjectId> project = {};

  static Reach of(const Principal& who) { return {.tenant = who.tenant, .project = who.project}; }
  bool operator==(const Reach&) const = default;
};

/// Tenants and projects: what touches both the control database and a tenant's file.
///
/// No transaction spans the two, so each operation writes an intent in control.db, then the tenant's file, then the end
/// of the intent. `finish_intents` carries on whatever a crash left, so there is a whole tenant or project, or none.
/// Every step can run twice. Until an operation's end, its tenant or slug is not found by anybody.
class TenantStore {
 public:
  /// All references must outlive this object.
  TenantStore(db::Store& store, const crypto::Keyring& keyring, net::Workers& workers, const Clock& clock,
              crypto::Random& random = crypto::system_random(), TenantHooks hooks = {});

  /// `conflict` if the name is taken, `invalid_argument` if it is empty or too long.
  Async<Tenant> create(std::string name);
  /// Removes the tenant, its keys, its members' roles, its slugs, its file and its data key. Not to be undone.
  Async<> remove(TenantId id);

  /// Only an active tenant; `not_found` otherwise.
  Async<Tenant> load(TenantId id);
  Async<std::optional<Tenant>> find_by_name(std::string name);
  /// All tenants, for the operator. Never behind HTTP.
  Async<std::vector<Tenant>> list();
  /// The tenant's data key, opened.
  Async<crypto::SealKey> load_key(TenantId id);

  /// `conflict` if the slug is taken (by any tenant: slugs are addresses), `invalid_argument` for a bad name or slug.
  Async<Project> create_project(TenantId tenant, NewProject project);
  Async<> remove_project(TenantId tenant, ProjectId project);
  /// Where a slug leads, whoever's it is: for the operator, never behind HTTP.
  Async<std::optional<ProjectRef>> find_slug(std::string slug);
  /// Where a slug leads within somebody's reach. One that leads elsewhere takes the same work as one that leads
  /// nowhere.
  Async<std::optional<ProjectRef>> find_slug_for(std::string slug, Reach reach);
  /// Changes from where a project may be reached. `not_found`, or `invalid_argument` for something that is no origin,
  /// and for biel_compat where visitors must be verified.
  Async<> set_access(TenantId tenant, ProjectId project, ProjectAccess access);
  /// Whether any active project lists one of these patterns. Tells nothing of which, or whose.
  Async<bool> is_origin_listed(std::vector<std::string> patterns);

  /// Carries on every operation that did not end. Call it at start before serving; may be called at any time. One that
  /// fails does not hold up the others.
  Async<IntentsFinished> finish_intents();

 private:
  struct Intent;
  Async<> carry_on(Intent intent);
  Async<> finish_tenant_create(Intent intent);
  Async<> finish_tenant_remove(Intent intent);
  Async<> finish_project_create(Intent intent);
  Async<> finish_project_remove(Intent intent);
  Result<void> after(Literal step) const;

  db::Store& store_;
  const crypto::Keyring& keyring_;
  net::Workers& workers_;
  const Clock& clock_;
  crypto::Random& random_;
  TenantHooks hooks_;
};

}  // namespace parley::identity
