#include "parley/identity/project_directory.h"

#include "parley/identity/origin.h"
#include "parley/identity/project.h"

namespace parley::identity {

bool ProjectDirectory::is_fresh(Timestamp read_at) const {
  const Timestamp now = clock_.now();
  // From before a clock was set back: it would be fresh for as long as that was, whatever changed meanwhile.
  return read_at <= now && now - read_at < age_max;
}

Async<std::optional<ProjectRef>> ProjectDirectory::find(std::string slug) {
  // What cannot be a slug is not looked up.
  if (!parse_slug(slug)) co_return std::nullopt;
  {
    const std::scoped_lock lock(mutex_);
    const auto it = entries_.find(slug);
    if (it != entries_.end() && is_fresh(it->second.read_at)) co_return it->second.project;
  }
  const Timestamp read_at = clock_.now();
  auto project = PARLEY_CO_TRY(co_await tenants_.find_slug(slug));
  const std::scoped_lock lock(mutex_);
  if (entries_.size() >= entries_max) entries_.clear();
  entries_.insert_or_assign(std::move(slug), Entry{project, read_at});
  co_return project;
}

Async<ProjectRef> ProjectDirectory::load(TenantId tenant, std::string slug) {
  auto project = PARLEY_CO_TRY(co_await find(std::move(slug)));
  if (!project || project->tenant != tenant) co_return fail(Code::not_found, "no such project");
  co_return *std::move(project);
}

Async<bool> ProjectDirectory::is_listed_anywhere(std::string origin) {
  const Timestamp now = clock_.now();
  {
    const std::scoped_lock lock(mutex_);
    const auto it = origins_.find(origin);
    if (it != origins_.end() && is_fresh(it->second.read_at)) co_return it->second.listed;
  }
  const bool listed = PARLEY_CO_TRY(co_await tenants_.is_origin_listed(patterns_for(origin)));
  const std::scoped_lock lock(mutex_);
  if (origins_.size() >= entries_max) origins_.clear();
  origins_.insert_or_assign(std::move(origin), Origin{listed, now});
  co_return listed;
}

void ProjectDirectory::forget(const std::string& slug) {
  const std::scoped_lock lock(mutex_);
  entries_.erase(slug);
}

void ProjectDirectory::forget(TenantId tenant) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(entries_,
                [&](const auto& entry) { return entry.second.project && entry.second.project->tenant == tenant; });
  origins_.clear();
}

}  // namespace parley::identity
