#include "parley/identity/project.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

namespace parley::identity {

using namespace db::literals;

namespace {

Project project_from(const db::Row& row) {
  return {.id = row.id<ProjectId>(0),
          .slug = std::string(row.text(1)),
          .name = std::string(row.text(2)),
          .settings = std::string(row.text(3)),
          .created_at = row.time(4),
          .updated_at = row.time(5)};
}

bool is_slug_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

}  // namespace

Result<std::string> parse_slug(std::string_view text) {
  // "chat" is a fixed part of a path that a slug may stand in; the others may one day be.
  constexpr std::array<std::string_view, 5> reserved{"chat", "api", "admin", "new", "search"};
  const bool well_formed = text.size() >= slug_characters_min && text.size() <= slug_characters_max &&
                           std::ranges::all_of(text, is_slug_character) && text.front() != '-' && text.back() != '-';
  if (!well_formed)
    return fail(Code::invalid_argument, "a slug is 2 to 63 lower-case letters, digits and inner hyphens");
  if (std::ranges::find(reserved, text) != reserved.end()) return fail(Code::invalid_argument, "that slug is reserved");
  return std::string(text);
}

Result<void> check_project(const Project& project) {
  if (project.name.empty() || project.name.size() > project_name_bytes_max)
    return fail(Code::invalid_argument, "a project's name has 1 to 100 bytes");
  if (project.settings.size() > project_settings_bytes_max)
    return fail(Code::invalid_argument, "the project's settings are too long");
  boost::system::error_code error;
  const auto settings = boost::json::parse(project.settings, error);
  if (error || !settings.is_object())
    return fail(Code::invalid_argument, "the project's settings are not a JSON object");
  return {};
}

Result<std::optional<Project>> find_project(db::TenantReader& reader, ProjectId id) {
  return reader.find("SELECT id, slug, name, settings, created_at, updated_at FROM projects WHERE id = $1"_sql,
                     project_from, id);
}

Result<Project> load_project(db::TenantReader& reader, ProjectId id) {
  auto found = PARLEY_TRY(find_project(reader, id));
  if (!found) return fail(Code::not_found, "there is no such project");
  return std::move(*found);
}

Result<std::vector<Project>> list_projects(db::TenantReader& reader) {
  return reader.all("SELECT id, slug, name, settings, created_at, updated_at FROM projects ORDER BY created_at, id"_sql,
                    project_from);
}

Result<Project> update_project(db::TenantWriter& writer, Project project, Timestamp now) {
  PARLEY_TRY(check_project(project));
  const auto changed =
      PARLEY_TRY(writer.run("UPDATE projects SET name = $2, settings = $3, updated_at = $4 WHERE id = $1"_sql,
                            project.id, project.name, project.settings, now));
  if (changed == 0) return fail(Code::not_found, "there is no such project");
  return load_project(writer, project.id);
}

PageSettings page_settings(const Project& project) {
  boost::system::error_code error;
  const auto value = boost::json::parse(project.settings, error);
  const auto* settings = error ? nullptr : value.if_object();
  PageSettings page;
  if (settings == nullptr) return page;
  if (const auto* text = settings->if_contains("initial_message"); text != nullptr && text->is_string())
    page.initial_message = text->get_string();
  if (const auto* list = settings->if_contains("suggested_questions"); list != nullptr && list->is_array()) {
    for (const auto& question : list->get_array())
      if (question.is_string()) page.suggested_questions.emplace_back(question.get_string());
  }
  return page;
}

std::string to_settings(const PageSettings& page) {
  const boost::json::array questions(page.suggested_questions.begin(), page.suggested_questions.end());
  return boost::json::serialize(
      boost::json::object{{"initial_message", page.initial_message}, {"suggested_questions", questions}});
}

}  // namespace parley::identity
