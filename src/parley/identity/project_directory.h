#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "parley/base/time.h"
#include "parley/evidence/principal.h"
#include "parley/identity/tenant_store.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Slug to project, and which sites are listed anywhere, remembered for a second: every request asks. Slugs that lead
/// nowhere are remembered too, or the time of a second request would tell them from another tenant's. Safe from any
/// thread.
class ProjectDirectory {
 public:
  ProjectDirectory(TenantStore& tenants, const Clock& clock) : tenants_(tenants), clock_(clock) {}

  /// None for a slug that leads nowhere, of whatever shape.
  Async<std::optional<ProjectRef>> find(std::string slug);

  /// The same for a project of this tenant's. `not_found` for another's, as for one that does not exist.
  Async<ProjectRef> load(TenantId tenant, std::string slug);

  /// Whether any project of anybody lists this origin (in the spelling of `parse_origin`). Says only that a browser may
  /// be told what we answer to that site; what a project allows is for the gate.
  Async<bool> is_listed_anywhere(std::string origin);

  /// Drops one slug; called when a project of that slug was made here, which may just have been looked for in vain.
  void forget(const std::string& slug);
  /// Drops a tenant's slugs; called when it or a project of it goes or changes on this node.
  void forget(TenantId tenant);

 private:
  // How long a removed or changed project can go on being served by another node.
  static constexpr std::chrono::seconds age_max{1};
  // About 200 bytes each. Full: emptied, since what is in use comes back with one look-up each.
  static constexpr std::size_t entries_max = 16'384;

  struct Entry {
    std::optional<ProjectRef> project;  ///< none: there is no such slug
    Timestamp read_at;
  };
  bool is_fresh(Timestamp read_at) const;

  TenantStore& tenants_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  struct Origin {
    bool listed;
    Timestamp read_at;
  };
  std::unordered_map<std::string, Origin> origins_;
};

}  // namespace parley::identity
