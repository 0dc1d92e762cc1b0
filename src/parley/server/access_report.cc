#include "parley/server/access_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "parley/identity/project.h"
#include "parley/knowledge/documents.h"

namespace parley::server {

namespace json = boost::json;

namespace {

/// Both forms of what is reported: everything, and the rights alone.
struct Section {
  json::value shown;
  json::value rights;
};

struct Sections {
  json::array shown;
  json::array rights;
  void add(Section section) {
    shown.push_back(std::move(section.shown));
    rights.push_back(std::move(section.rights));
  }
};

json::array to_array(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

json::array to_array(ScopeSet scopes) {
  json::array names;
  for (const auto& info : all_scopes())
    if (scopes.contains(info.scope)) names.emplace_back(info.name.view());
  return names;
}

std::int64_t days_of(std::chrono::microseconds time) { return std::chrono::floor<std::chrono::days>(time).count(); }

struct Work {
  Installation& at;
  Timestamp now;
  json::array findings = {};

  void find(const identity::Tenant& tenant, Literal what, std::string_view which) {
    findings.push_back(json::object{{"organisation", tenant.name}, {"finding", what.view()}, {"of", which}});
  }

  Result<Sections> members(const identity::Tenant& tenant) {
    Sections sections;
    struct Member {
      identity::Account account;
      identity::Role role;
    };
    std::vector<Member> members;
    for (const auto& membership : PARLEY_TRY(at.wait(at.accounts->members_of(tenant.id))))
      members.push_back({PARLEY_TRY(at.wait(at.accounts->load(membership.account))), membership.role});
    std::ranges::sort(members, {}, [](const Member& m) { return std::tie(m.account.email, m.account.id); });
    for (const auto& member : members) {
      json::object row{{"account", member.account.id.to_string()},
                       {"email", member.account.email},
                       {"role", identity::name(member.role)},
                       {"disabled", member.account.disabled_at.has_value()}};
      sections.add({row, row});
    }
    return sections;
  }

  Result<Sections> keys(const identity::Tenant& tenant, const std::vector<identity::Project>& projects) {
    Sections sections;
    auto keys = PARLEY_TRY(at.wait(at.keys->list(tenant.id)));
    std::erase_if(keys, [&](const auto& key) { return !key.holds_at(now); });
    std::ranges::sort(keys, {}, [](const auto& key) { return std::tie(key.name, key.id); });
    for (const auto& key : keys) {
      json::object row{{"id", key.id.to_string()},
                       {"name", key.name},
                       {"kind", identity::name(key.kind)},
                       {"scopes", to_array(key.scopes)}};
      if (key.project) {
        const auto project = std::ranges::find(projects, *key.project, &identity::Project::id);
        row["project"] = project == projects.end() ? key.project->to_string() : project->slug;
      } else {
        row["project"] = "*";
      }
      row["origins"] = to_array(key.origins);
      row["expires_at"] = to_rfc3339(key.expires_at);
      const json::object rights = row;
      const auto used = key.last_used_at.value_or(key.created_at);
      row["created_at"] = to_rfc3339(key.created_at);
      row["age_days"] = days_of(now - key.created_at);
      if (key.last_used_at) row["last_used_at"] = to_rfc3339(*key.last_used_at);
      row["idle_days"] = days_of(now - used);
      const std::string id = key.id.to_string();
      if (now - used > key_idle_max) find(tenant, "key not used for 30 days", id);
      if (key.expires_at - key.created_at > identity::key_lifetime_max)
        find(tenant, "key lives longer than 90 days", id);
      if (!key.project) find(tenant, "key is good for every project", id);
      sections.add({std::move(row), rights});
    }
    return sections;
  }

  Result<Section> project(const identity::Tenant& tenant, const identity::Project& project) {
    const auto ref = PARLEY_TRY(at.wait(at.projects->find(project.slug)));
    const ProjectAccess access = ref ? *ref->access : ProjectAccess();
    const bool is_public = access.visibility == Visibility::public_project;
    const bool server_reads = access.server_reads == ProjectAccess::ServerReads::on;
    const bool biel_compat = access.biel_compat == ProjectAccess::BielCompat::on;
    // As the gate decides: docs/access.md has the table.
    json::array anonymous;
    if (is_public) anonymous.emplace_back("own pages: read, search, become a visitor");
    if (is_public && !access.origins.empty()) anonymous.emplace_back("listed sites: read, search");
    if (is_public && server_reads) anonymous.emplace_back("programs: read, search");
    if (is_public && biel_compat && !access.origins.empty()) anonymous.emplace_back("listed sites: chat");
    if (is_public) find(tenant, "public project", project.slug);
    if (biel_compat) find(tenant, "chats guarded by their id alone", project.slug);

    struct Documents {
      std::vector<knowledge::Source> sources;
      std::vector<knowledge::Readership> readerships;
    };
    const auto documents =
        PARLEY_TRY(at.store->tenant(tenant.id).read_blocking([&](db::TenantReader& reader) -> Result<Documents> {
          return Documents{PARLEY_TRY(knowledge::list_sources(reader, project.id)),
                           PARLEY_TRY(knowledge::list_readerships(reader, project.id))};
        }));
    json::array sources;
    json::array sources_rights;
    for (const auto& source : documents.sources) {
      json::array readers;
      json::array readers_rights;
      for (const auto& one : documents.readerships) {
        if (one.source != source.id) continue;
        readers.push_back(json::object{{"groups", one.restriction}, {"documents", one.documents}});
        readers_rights.push_back(json::value(one.restriction));
      }
      sources.push_back(json::object{
          {"kind", source.kind}, {"name", source.name}, {"groups", source.groups}, {"readers", std::move(readers)}});
      sources_rights.push_back(json::object{{"kind", source.kind},
                                            {"name", source.name},
                                            {"groups", source.groups},
                                            {"readers", std::move(readers_rights)}});
    }
    json::object row{{"slug", project.slug},
                     {"id", project.id.to_string()},
                     {"visibility", is_public ? "public" : "private"},
                     {"server_reads", server_reads},
                     {"biel_compat", biel_compat},
                     {"origins", to_array(access.origins)},
                     {"without_a_credential", std::move(anonymous)},
                     {"visitors", to_array(ScopeSet::public_keys())}};
    json::object rights = row;
    row["sources"] = std::move(sources);
    rights["sources"] = std::move(sources_rights);
    return Section{std::move(row), std::move(rights)};
  }

  /// To report on something more, add it here: what is a right in both objects, what changes by itself in `row` alone.
  Result<Section> organisation(const identity::Tenant& tenant) {
    auto projects = PARLEY_TRY(at.store->tenant(tenant.id).read_blocking(
        [](db::TenantReader& reader) { return identity::list_projects(reader); }));
    std::ranges::sort(projects, {}, &identity::Project::slug);
    json::object row{{"id", tenant.id.to_string()}, {"name", tenant.name}};
    json::object rights = row;
    auto people = PARLEY_TRY(members(tenant));
    row["members"] = std::move(people.shown);
    rights["members"] = std::move(people.rights);
    Sections list;
    for (const auto& one : projects) list.add(PARLEY_TRY(project(tenant, one)));
    row["projects"] = std::move(list.shown);
    rights["projects"] = std::move(list.rights);
    auto credentials = PARLEY_TRY(keys(tenant, projects));
    row["keys"] = std::move(credentials.shown);
    rights["keys"] = std::move(credentials.rights);
    return Section{std::move(row), std::move(rights)};
  }
};

std::string text_of(const json::value& value) { return std::string(std::string_view(value.as_string())); }

std::string list_of(const json::value& values, std::string_view none) {
  std::string text;
  for (const auto& value : values.as_array()) text += (text.empty() ? "" : ", ") + text_of(value);
  return text.empty() ? std::string(none) : text;
}

}  // namespace

Result<AccessReport> make_access_report(Installation& at) {
  // What was used a moment ago must not be called idle.
  PARLEY_TRY(at.wait(at.keys->flush_last_used()));
  Work work{.at = at, .now = at.clock.now()};
  auto tenants = PARLEY_TRY(at.wait(at.tenants->list()));
  std::erase_if(tenants, [](const auto& tenant) { return tenant.state != identity::TenantState::active; });
  std::ranges::sort(tenants, {}, &identity::Tenant::name);
  Sections organisations;
  for (const auto& tenant : tenants) organisations.add(PARLEY_TRY(work.organisation(tenant)));
  AccessReport made;
  made.report = {{"made_at", to_rfc3339(work.now)},
                 {"organisations", std::move(organisations.shown)},
                 {"findings", std::move(work.findings)}};
  made.digest = crypto::sha256(json::serialize(made.report));
  made.rights_digest = crypto::sha256(json::serialize(organisations.rights));
  made.report["digest"] = made.digest.hex();
  made.report["rights_digest"] = made.rights_digest.hex();
  return made;
}

std::string to_text(const AccessReport& made) {
  std::string text = "Access, " + text_of(made.report.at("made_at")) + "\n";
  for (const auto& organisation : made.report.at("organisations").as_array()) {
    const auto& row = organisation.as_object();
    text += fmt::format("\n{} ({})\n", text_of(row.at("name")), text_of(row.at("id")));
    for (const auto& member : row.at("members").as_array())
      text += fmt::format("  member   {}  {}{}\n", text_of(member.at("email")), text_of(member.at("role")),
                          member.at("disabled").as_bool() ? "  (disabled)" : "");
    for (const auto& project : row.at("projects").as_array()) {
      text += fmt::format("  project  {}  {}\n", text_of(project.at("slug")), text_of(project.at("visibility")));
      text += fmt::format("    without a credential: {}\n", list_of(project.at("without_a_credential"), "nothing"));
      text += fmt::format("    sites: {}\n    visitors at most: {}\n", list_of(project.at("origins"), "none"),
                          list_of(project.at("visitors"), "nothing"));
      for (const auto& source : project.at("sources").as_array()) {
        text += fmt::format("    source {}\n", text_of(source.at("name")));
        for (const auto& reader : source.at("readers").as_array()) {
          const auto groups = text_of(reader.at("groups"));
          text += fmt::format("      {} documents for {}\n", reader.at("documents").as_int64(),
                              groups.empty() ? "everybody who may search" : groups);
        }
      }
    }
    for (const auto& key : row.at("keys").as_array()) {
      const auto* used = key.as_object().if_contains("last_used_at");
      text += fmt::format("  key      {}  {}  {}  on {}  {}  from {}\n    until {}, {} days old, {}\n",
                          text_of(key.at("id")), text_of(key.at("kind")), text_of(key.at("name")),
                          text_of(key.at("project")), list_of(key.at("scopes"), "nothing"),
                          list_of(key.at("origins"), "servers"), text_of(key.at("expires_at")),
                          key.at("age_days").as_int64(), used ? "last used " + text_of(*used) : "never used");
    }
  }
  text += "\nTo look at\n";
  for (const auto& finding : made.report.at("findings").as_array())
    text += fmt::format("  {}: {} ({})\n", text_of(finding.at("organisation")), text_of(finding.at("finding")),
                        text_of(finding.at("of")));
  if (made.report.at("findings").as_array().empty()) text += "  nothing\n";
  return text + fmt::format("\nreport {}\nrights {}\n", made.digest.hex(), made.rights_digest.hex());
}

}  // namespace parley::server
