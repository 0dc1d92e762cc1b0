#pragma once

#include <optional>
#include <string>

#include "parley/base/time.h"
#include "parley/evidence/principal.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/tenant_store.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Slug to project, and which sites are listed anywhere, remembered for a second: every request asks. Safe from any
/// thread.
///
/// What is remembered is what somebody may see, for those who may see the same: were a slug remembered for everybody, a
/// stranger could tell by the time of an answer that its owners are using it. To a stranger a project that is not
/// theirs and one that does not exist are the same look-up, remembered in the same way.
class ProjectDirectory {
 public:
  ProjectDirectory(TenantStore& tenants, const Clock& clock, FreshCacheLimits limits = {})
      : tenants_(tenants), clock_(clock), places_(limits), listed_(limits) {}

  /// The project of that slug within somebody's reach. None for every other slug, of whatever shape.
  Async<std::optional<ProjectRef>> find(std::string slug, Reach reach);
  /// A public project of that slug: what anybody may come upon.
  Async<std::optional<ProjectRef>> find_public(std::string slug) { return find(std::move(slug), Reach{}); }

  /// `not_found` for a project of another tenant, as for one that does not exist.
  Async<ProjectRef> load(TenantId tenant, std::string slug);

  /// Whether any project of anybody lists this origin (in the spelling of `parse_origin`). Says only that a browser may
  /// be told what we answer to that site; what a project allows is for the gate.
  Async<bool> is_listed_anywhere(std::string origin);

  /// Reads a tenant's slugs anew, and whatever was looked for in vain or is being read just now; called when it or a
  /// project of it comes, goes or changes on this node. Other nodes take a second.
  void forget(TenantId tenant);

 private:
  struct Question {
    Reach reach;
    std::string slug;
    bool operator==(const Question&) const = default;
  };
  struct QuestionHash {
    std::size_t operator()(const Question& question) const {
      // Ids are random, so adding them spreads as well as the slug's hash does.
      auto hash = std::hash<std::string>()(question.slug);
      if (question.reach.tenant) hash += std::hash<TenantId>()(*question.reach.tenant);
      if (question.reach.project) hash += std::hash<ProjectId>()(*question.reach.project);
      return hash;
    }
  };
  struct Listed {};

  TenantStore& tenants_;
  const Clock& clock_;
  FreshCache<Question, ProjectRef, QuestionHash> places_;
  FreshCache<std::string, Listed> listed_;
};

}  // namespace parley::identity
