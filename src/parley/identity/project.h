#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/transaction.h"

namespace parley::identity {

struct Project {
  ProjectId id;
  std::string slug;
  std::string name;
  std::string settings = "{}";  ///< JSON text; whoever owns a setting parses it
  Timestamp created_at;
  Timestamp updated_at;
};

inline constexpr std::size_t project_name_bytes_max = 100;
/// Room for instructions and lists of pages, small enough to load with every question.
inline constexpr std::size_t project_settings_bytes_max = 64 * 1024;
inline constexpr std::size_t slug_characters_min = 2;
/// A slug is a DNS label's worth, so that it may one day be one.
inline constexpr std::size_t slug_characters_max = 63;

/// Lower-case letters, digits and inner hyphens; `invalid_argument` otherwise, also for words that are paths of ours.
Result<std::string> parse_slug(std::string_view text);

/// `invalid_argument` unless the name and settings are within their limits and the settings are a JSON object.
Result<void> check_project(const Project& project);

/// Rows of the tenant's own table. Creating and removing go through `TenantStore`, which also keeps the slug.
Result<std::optional<Project>> find_project(db::TenantReader& reader, ProjectId id);
Result<Project> load_project(db::TenantReader& reader, ProjectId id);
Result<std::vector<Project>> list_projects(db::TenantReader& reader);
/// Changes name and settings; the slug stays. `not_found`, or `invalid_argument` for too long or not JSON. Who may
/// reach the project is `TenantStore::set_access`'s.
Result<Project> update_project(db::TenantWriter& writer, Project project, Timestamp now);

/// What a project's page shows before the first question; part of `Project::settings`.
struct PageSettings {
  std::string initial_message;
  std::vector<std::string> suggested_questions;
};
/// Missing or misshapen settings are empty ones: a page must not fail over its greeting.
PageSettings page_settings(const Project& project);
std::string to_settings(const PageSettings& page);

}  // namespace parley::identity
