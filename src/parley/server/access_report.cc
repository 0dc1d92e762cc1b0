#include "parley/server/access_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "parley/api/issuer_actions.h"
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

/// What a key reads besides the documents of no group.
json::array to_array(const ReadableGroups& groups) {
  if (groups.extent == ReadableGroups::Extent::all) return {"*"};
  auto names = groups.names;
  std::ranges::sort(names);
  return to_array(names);
}

/// An id where the project is being made or removed at this moment.
std::string slug_of(ProjectId id, const std::vector<identity::Project>& projects) {
  const auto project = std::ranges::find(projects, id, &identity::Project::id);
  return project == projects.end() ? id.to_string() : project->slug;
}

struct Work {
  Installation& at;
  const LocalOperator& by;
  Timestamp now;
  json::array findings = {};

  void find(const identity::Tenant& tenant, Literal what, std::string_view which) {
    findings.push_back(json::object{{"organisation", tenant.name}, {"finding", what.view()}, {"of", which}});
  }

  Result<Sections> members(const identity::Tenant& tenant, const std::vector<identity::Project>& projects) {
    Sections sections;
    auto members = PARLEY_TRY(at.wait(at.members->list(identity::Doer::local(by), tenant.id)));
    // Not left to the store: databases disagree on the order of texts.
    std::ranges::sort(members, {}, &identity::MemberRow::email);
    for (auto& [member, email, confirmed, disabled, has_factor] : members) {
      std::vector<std::pair<std::string, identity::Role>> by_slug;
      for (const auto& grant : member.grants) by_slug.emplace_back(slug_of(grant.project, projects), grant.role);
      std::ranges::sort(by_slug);
      json::array grants;
      for (const auto& [slug, role] : by_slug)
        grants.push_back(json::object{{"project", slug}, {"role", identity::name(role)}});
      json::object row{{"account", member.account.to_string()},
                       {"email", email},
                       {"role", identity::name(member.role)},
                       {"grants", std::move(grants)},
                       {"groups", to_array(member.groups)},
                       {"second_factor", has_factor},
                       {"confirmed", confirmed},
                       {"disabled", disabled}};
      if (!has_factor && !disabled) find(tenant, "member without a second factor", email);
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
      json::array addresses;
      for (const auto& range : key.addresses) addresses.emplace_back(range.to_string());
      json::object row{{"id", key.id.to_string()},
                       {"name", key.name},
                       {"kind", identity::name(key.kind)},
                       {"scopes", to_array(key.scopes)},
                       {"project", key.project ? slug_of(*key.project, projects) : "*"},
                       {"groups", to_array(key.groups)},
                       {"origins", to_array(key.origins)},
                       {"addresses", std::move(addresses)},
                       {"expires_at", to_rfc3339(key.expires_at)}};
      if (key.exception)
        row["exception"] = json::object{{"reason", key.exception->reason}, {"since", to_rfc3339(key.exception->since)}};
      const json::object rights = row;
      const auto state = key.state_at(now);
      row["state"] = identity::name(state);
      row["created_at"] = to_rfc3339(key.created_at);
      row["age_days"] = days_of(now - key.created_at);
      if (key.last_used_at) row["last_used_at"] = to_rfc3339(*key.last_used_at);
      if (key.enabled_at) row["enabled_at"] = to_rfc3339(*key.enabled_at);
      row["idle_days"] = days_of(now - key.idle_since());
      const std::string id = key.id.to_string();
      if (state == identity::KeyState::idle) find(tenant, "key not used for 30 days", id);
      if (key.exception) find(tenant, "key may live longer than 90 days", id);
      else if (key.expires_at - key.created_at > identity::key_lifetime_max)
        find(tenant, "key lives longer than 90 days without a reason", id);
      if (!key.project) find(tenant, "key is good for every project", id);
      if (key.groups.extent == ReadableGroups::Extent::all) find(tenant, "key reads the documents of every group", id);
      sections.add({std::move(row), rights});
    }
    return sections;
  }

  /// Providers that people sign in at. Whoever decides there who is in a group decides here who has its role.
  Result<Sections> providers(const identity::Tenant& tenant) {
    Sections sections;
    auto providers = PARLEY_TRY(at.wait(at.providers->list(tenant.id)));
    std::ranges::sort(providers, {}, [](const auto& provider) { return std::tie(provider.name, provider.id); });
    for (const auto& provider : providers) {
      json::object roles;
      for (const auto& [group, role] : provider.group_roles) roles[group] = identity::name(role);
      json::object row{{"id", provider.id.to_string()},
                       {"name", provider.name},
                       {"issuer", provider.issuer},
                       {"roles_of_groups", std::move(roles)},
                       {"email_domains", to_array(provider.email_domains)},
                       {"creates_accounts", provider.creates_accounts}};
      if (provider.default_role) row["default_role"] = identity::name(*provider.default_role);
      if (provider.creates_accounts) find(tenant, "sign-in provider makes accounts", provider.name);
      sections.add({row, row});
    }
    return sections;
  }

  Result<Section> project(const identity::Tenant& tenant, const identity::Project& project) {
    // Past what is remembered of it: what was changed a moment ago is what is approved.
    const auto ref = PARLEY_TRY(at.wait(at.tenants->find_slug(project.slug)));
    ProjectAccess access = ref ? *ref->access : ProjectAccess();
    std::ranges::sort(access.origins);
    const bool is_public = access.visibility == Visibility::public_project;
    const bool server_reads = access.server_reads == ProjectAccess::ServerReads::on;
    const bool biel_compat = access.biel_compat == ProjectAccess::BielCompat::on;
    // As the gate decides: docs/access.md has the table.
    json::array anonymous;
    const bool verified = access.visitors == ProjectAccess::Visitors::verified;
    const std::string reading = verified ? "read its settings" : "read, search";
    if (is_public) anonymous.emplace_back("own pages: " + reading + ", become a visitor");
    if (is_public && !access.origins.empty()) anonymous.emplace_back("listed sites: " + reading);
    if (is_public && server_reads) anonymous.emplace_back("programs: " + reading);
    if (is_public && biel_compat && !access.origins.empty()) anonymous.emplace_back("listed sites: chat");
    if (is_public) find(tenant, "public project", project.slug);
    if (biel_compat) find(tenant, "chats guarded by their id alone", project.slug);

    struct Documents {
      std::vector<knowledge::Source> sources;
      std::vector<knowledge::Readership> readerships;
    };
    auto documents =
        PARLEY_TRY(at.store->tenant(tenant.id).read_blocking([&](db::TenantReader& reader) -> Result<Documents> {
          return Documents{PARLEY_TRY(knowledge::list_sources(reader, project.id)),
                           PARLEY_TRY(knowledge::list_readerships(reader, project.id))};
        }));
    std::ranges::sort(documents.sources, {}, [](const auto& source) { return std::tie(source.kind, source.name); });
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
                     {"verified_visitors", verified},
                     {"origins", to_array(access.origins)},
                     {"without_a_credential", std::move(anonymous)},
                     {"visitors", to_array(ScopeSet::public_keys())}};
    auto issuers = PARLEY_TRY(at.wait(at.issuers->list(tenant.id, project.id)));
    std::ranges::sort(issuers, {}, &identity::IdentityIssuer::name);
    json::array vouchers;
    for (const auto& issuer : issuers) {
      auto voucher = api::to_json(issuer);
      voucher.erase("created_at");
      if (issuer.groups.extent == ReadableGroups::Extent::all)
        find(tenant, "issuer may put visitors in every group", issuer.name);
      vouchers.emplace_back(std::move(voucher));
    }
    row["identity_issuers"] = std::move(vouchers);
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
    json::object row{{"id", tenant.id.to_string()},
                     {"name", tenant.name},
                     {"second_factor_required", tenant.requires_second_factor}};
    json::object rights = row;
    auto people = PARLEY_TRY(members(tenant, projects));
    row["members"] = std::move(people.shown);
    rights["members"] = std::move(people.rights);
    auto elsewhere = PARLEY_TRY(providers(tenant));
    row["sign_in_providers"] = std::move(elsewhere.shown);
    rights["sign_in_providers"] = std::move(elsewhere.rights);
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

Result<AccessReport> make_access_report(Installation& at, const LocalOperator& by) {
  // What was used a moment ago must not be called idle.
  PARLEY_TRY(at.wait(at.keys->flush_last_used()));
  Work work{.at = at, .by = by, .now = at.clock.now()};
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
    text += fmt::format("\n{} ({}){}\n", text_of(row.at("name")), text_of(row.at("id")),
                        row.at("second_factor_required").as_bool() ? "  second factor required" : "");
    for (const auto& member : row.at("members").as_array()) {
      text += fmt::format("  member   {}  {}{}{}{}\n", text_of(member.at("email")), text_of(member.at("role")),
                          member.at("second_factor").as_bool() ? "" : "  (no second factor)",
                          member.at("confirmed").as_bool() ? "" : "  (address not confirmed)",
                          member.at("disabled").as_bool() ? "  (disabled)" : "");
      for (const auto& grant : member.at("grants").as_array())
        text += fmt::format("    {} on {}\n", text_of(grant.at("role")), text_of(grant.at("project")));
      if (!member.at("groups").as_array().empty())
        text += fmt::format("    groups: {}\n", list_of(member.at("groups"), "none"));
    }
    for (const auto& provider : row.at("sign_in_providers").as_array()) {
      text += fmt::format("  sign-in provider {}  {}{}\n", text_of(provider.at("name")), text_of(provider.at("issuer")),
                          provider.at("creates_accounts").as_bool() ? "  (makes accounts)" : "");
      for (const auto& [group, role] : provider.at("roles_of_groups").as_object())
        text += fmt::format("    group {} is {}\n", std::string_view(group), text_of(role));
      if (const auto* role = provider.as_object().if_contains("default_role"))
        text += fmt::format("    everybody else is {}\n", text_of(*role));
    }
    for (const auto& project : row.at("projects").as_array()) {
      text += fmt::format("  project  {}  {}\n", text_of(project.at("slug")), text_of(project.at("visibility")));
      text += fmt::format("    without a credential: {}\n", list_of(project.at("without_a_credential"), "nothing"));
      text += fmt::format("    sites: {}\n    visitors at most: {}\n", list_of(project.at("origins"), "none"),
                          list_of(project.at("visitors"), "nothing"));
      if (project.at("verified_visitors").as_bool()) text += "    visitors must be verified\n";
      for (const auto& issuer : project.at("identity_issuers").as_array()) {
        const auto* groups = issuer.as_object().if_contains("groups");
        text += fmt::format("    identity issuer {}  {}  groups: {}\n", text_of(issuer.at("name")),
                            text_of(issuer.at("issuer")), groups ? list_of(*groups, "none") : "*");
      }
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
      const auto* exception = key.as_object().if_contains("exception");
      text +=
          fmt::format("  key      {}  {}  {}  on {}  {}  from {}\n    {}, until {}, {} days old, {}\n",
                      text_of(key.at("id")), text_of(key.at("kind")), text_of(key.at("name")),
                      text_of(key.at("project")), list_of(key.at("scopes"), "nothing"),
                      list_of(key.at("origins"), "servers"), text_of(key.at("state")), text_of(key.at("expires_at")),
                      key.at("age_days").as_int64(), used ? "last used " + text_of(*used) : "never used");
      text += fmt::format("    addresses: {}\n    groups: {}\n", list_of(key.at("addresses"), "any"),
                          list_of(key.at("groups"), "none"));
      if (exception)
        text += fmt::format("    lives longer since {}: {}\n", text_of(exception->at("since")),
                            text_of(exception->at("reason")));
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
