#include "parley/identity/tenant_store.h"

#include <boost/json.hpp>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/origin.h"

namespace parley::identity {

using namespace db::literals;

/// An operation that was begun. Its row is written with the first step and deleted with the last.
struct TenantStore::Intent {
  std::string id;
  std::string kind;
  TenantId tenant;
  std::string payload;
  Timestamp created_at;
};

namespace {

constexpr Literal tenant_create = "tenant_create";
constexpr Literal tenant_remove = "tenant_remove";
constexpr Literal project_create = "project_create";
constexpr Literal project_remove = "project_remove";

template <class Intent>
Result<void> put_intent(db::ControlWriter& writer, const Intent& intent) {
  PARLEY_TRY(
      writer.run("INSERT INTO intents (id, kind, tenant_id, payload, created_at) VALUES ($1, $2, $3, $4, $5)"_sql,
                 intent.id, intent.kind, intent.tenant, intent.payload, intent.created_at));
  return {};
}

template <class Intent>
Result<void> end_intent(db::ControlWriter& writer, const Intent& intent) {
  PARLEY_TRY(writer.run("DELETE FROM intents WHERE id = $1"_sql, intent.id));
  return {};
}

std::string to_payload(const Project& project) {
  return boost::json::serialize(boost::json::object{
      {"id", project.id.to_string()}, {"slug", project.slug}, {"name", project.name}, {"settings", project.settings}});
}

std::unexpected<Error> bad_payload() { return fail(Code::data_corrupt, "a stored intent cannot be read"); }

Result<Project> project_from_payload(const std::string& payload) {
  boost::system::error_code error;
  const auto value = boost::json::parse(payload, error);
  if (error || !value.is_object()) return bad_payload();
  const auto text = [&](std::string_view key) -> std::optional<std::string> {
    const auto* found = value.as_object().if_contains(key);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return std::string(found->as_string());
  };
  const auto id = ProjectId::parse(text("id").value_or(""));
  const auto slug = text("slug");
  const auto name = text("name");
  const auto settings = text("settings");
  if (!id || !slug || !name || !settings) return bad_payload();
  return Project{.id = *id, .slug = *slug, .name = *name, .settings = *settings, .created_at = {}, .updated_at = {}};
}

Tenant tenant_from(const db::Row& row) {
  const auto state = row.text(2);
  return {.id = row.id<TenantId>(0),
          .name = std::string(row.text(1)),
          .state = state == "active"     ? TenantState::active
                   : state == "creating" ? TenantState::creating
                                         : TenantState::removing,
          .created_at = row.time(3),
          .requires_second_factor = row.boolean(4)};
}

/// What cannot be had at once.
Result<void> check_access(const ProjectAccess& access) {
  // A chat that its id alone guards belongs to nobody, so to nobody who was verified.
  if (access.biel_compat == ProjectAccess::BielCompat::on && access.visitors == ProjectAccess::Visitors::verified)
    return fail(Code::invalid_argument, "biel_compat and verified visitors exclude each other");
  return {};
}

}  // namespace

TenantStore::TenantStore(db::Store& store, const crypto::Keyring& keyring, net::Workers& workers, const Clock& clock,
                         crypto::Random& random, TenantHooks hooks)
    : store_(store), keyring_(keyring), workers_(workers), clock_(clock), random_(random), hooks_(std::move(hooks)) {}

Result<void> TenantStore::after(Literal step) const {
  if (!hooks_.after_step) return {};
  return hooks_.after_step(step);
}

Async<Tenant> TenantStore::create(std::string name) {
  if (name.empty() || name.size() > tenant_name_bytes_max)
    co_return fail(Code::invalid_argument, "a tenant's name has 1 to 100 bytes");
  const auto id = crypto::random_id<TenantId>(random_);
  const auto now = clock_.now();
  const Intent intent{.id = crypto::random_uuid(random_).to_string(),
                      .kind = std::string(tenant_create.view()),
                      .tenant = id,
                      .payload = "{}",
                      .created_at = now};
  const auto sealed_key = keyring_.make_tenant_key(id, random_);
  auto begin = [&](db::ControlWriter& writer) -> Result<void> {
    const auto made =
        PARLEY_TRY(writer.run("INSERT INTO tenants (id, name, state, sealed_key, created_at) "
                              "VALUES ($1, $2, 'creating', $3, $4) ON CONFLICT (name) DO NOTHING"_sql,
                              id, name, db::Blob{sealed_key}, now));
    if (made == 0) return fail(Code::conflict, "there is a tenant of that name");
    return put_intent(writer, intent);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(begin)));
  PARLEY_CO_TRY(after("intended"));
  PARLEY_CO_TRY(co_await carry_on(intent));
  co_return Tenant{.id = id, .name = name, .state = TenantState::active, .created_at = now};
}

Async<> TenantStore::finish_tenant_create(Intent intent) {
  auto make = [this, id = intent.tenant] { return store_.create_tenant(id); };
  PARLEY_CO_TRY(co_await workers_.run(std::move(make)));
  PARLEY_CO_TRY(after("tenant_made"));
  auto end = [&intent](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(
        writer.run("UPDATE tenants SET state = 'active' WHERE id = $1 AND state = 'creating'"_sql, intent.tenant));
    return end_intent(writer, intent);
  };
  co_return co_await store_.control().write(std::move(end));
}

Async<> TenantStore::remove(TenantId id) {
  const auto now = clock_.now();
  const Intent intent{.id = crypto::random_uuid(random_).to_string(),
                      .kind = std::string(tenant_remove.view()),
                      .tenant = id,
                      .payload = "{}",
                      .created_at = now};
  auto begin = [&](db::ControlWriter& writer) -> Result<void> {
    const auto changed =
        PARLEY_TRY(writer.run("UPDATE tenants SET state = 'removing' WHERE id = $1 AND state = 'active'"_sql, id));
    if (changed == 0) return fail(Code::not_found, "there is no such tenant");
    // From this commit on nobody gets in: no slug, key or role leads here.
    PARLEY_TRY(by_tenant::close_tenant(id, now, writer));
    return put_intent(writer, intent);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(begin)));
  if (hooks_.forget) hooks_.forget(id);
  PARLEY_CO_TRY(after("intended"));
  co_return co_await carry_on(intent);
}

Async<> TenantStore::finish_tenant_remove(Intent intent) {
  auto remove = [this, id = intent.tenant]() -> Result<void> {
    if (hooks_.remove_derived) PARLEY_TRY(hooks_.remove_derived(id, std::nullopt));
    return store_.remove_tenant(id);
  };
  PARLEY_CO_TRY(co_await workers_.run(std::move(remove)));
  PARLEY_CO_TRY(after("tenant_removed"));
  auto end = [&intent](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(by_tenant::delete_tenant(intent.tenant, writer));
    return end_intent(writer, intent);
  };
  co_return co_await store_.control().write(std::move(end));
}

Async<Tenant> TenantStore::load(TenantId id) {
  auto work = [id](db::ControlReader& reader) { return by_tenant::find_tenant(id, reader); };
  auto found = PARLEY_CO_TRY(co_await store_.control().read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such tenant");
  co_return std::move(*found);
}

Async<std::optional<Tenant>> TenantStore::find_by_name(std::string name) {
  auto work = [&name](db::ControlReader& reader) {
    return reader.find(
        "SELECT id, name, state, created_at, requires_second_factor FROM tenants "
        "WHERE name = $1 AND state = 'active'"_sql,
        tenant_from, name);
  };
  co_return co_await store_.control().read(std::move(work));
}

Async<std::vector<Tenant>> TenantStore::list() {
  auto work = [](db::ControlReader& reader) {
    return reader.all(
        "SELECT id, name, state, created_at, requires_second_factor FROM tenants ORDER BY created_at, id"_sql,
        tenant_from);
  };
  co_return co_await store_.control().read(std::move(work));
}

Async<crypto::SealKey> TenantStore::load_key(TenantId id) {
  auto work = [id](db::ControlReader& reader) {
    return reader.find(
        "SELECT sealed_key FROM tenants WHERE id = $1 AND state = 'active'"_sql,
        [](const db::Row& row) { return std::string(row.blob(0)); }, id);
  };
  const auto sealed = PARLEY_CO_TRY(co_await store_.control().read(std::move(work)));
  if (!sealed) co_return fail(Code::not_found, "there is no such tenant");
  co_return keyring_.open_tenant_key(id, *sealed);
}

Async<Project> TenantStore::create_project(TenantId tenant, NewProject wanted) {
  const auto now = clock_.now();
  Project project{.id = crypto::random_id<ProjectId>(random_),
                  .slug = {},
                  .name = std::move(wanted.name),
                  .settings = std::move(wanted.settings),
                  .created_at = now,
                  .updated_at = now};
  project.slug = wanted.slug.empty() ? crypto::random_slug(random_) : PARLEY_CO_TRY(parse_slug(wanted.slug));
  PARLEY_CO_TRY(check_project(project));
  wanted.access.origins = PARLEY_CO_TRY(parse_origin_patterns(wanted.access.origins));
  PARLEY_CO_TRY(check_access(wanted.access));
  const Intent intent{.id = crypto::random_uuid(random_).to_string(),
                      .kind = std::string(project_create.view()),
                      .tenant = tenant,
                      .payload = to_payload(project),
                      .created_at = now};
  auto begin = [&](db::ControlWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(by_tenant::find_tenant(tenant, writer))) return fail(Code::not_found, "there is no such tenant");
    if (PARLEY_TRY(by_tenant::count_projects(tenant, writer)) >= static_cast<std::int64_t>(projects_per_tenant_max))
      return fail(Code::conflict, "this tenant has too many projects");
    const auto reserved = PARLEY_TRY(
        writer.run("INSERT INTO projects_by_slug (slug, tenant_id, project_id, is_private, state) "
                   "VALUES ($1, $2, $3, $4, 'creating') ON CONFLICT (slug) DO NOTHING"_sql,
                   project.slug, tenant, project.id, wanted.access.visibility == Visibility::private_project));
    if (reserved == 0) return fail(Code::conflict, "that slug is taken");
    PARLEY_TRY(by_tenant::put_access(tenant, project.id, wanted.access, writer));
    return put_intent(writer, intent);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(begin)));
  PARLEY_CO_TRY(after("intended"));
  PARLEY_CO_TRY(co_await carry_on(intent));
  co_return std::move(project);
}

Async<> TenantStore::finish_project_create(Intent intent) {
  const auto project = PARLEY_CO_TRY(project_from_payload(intent.payload));
  auto write = [&](db::TenantWriter& writer) -> Result<void> {
    const auto made =
        PARLEY_TRY(writer.run("INSERT INTO projects (id, slug, name, is_private, settings, created_at, updated_at) "
                              "VALUES ($1, $2, $3, 1, $4, $5, $5) ON CONFLICT ({tenant}id) DO NOTHING"_sql,
                              project.id, project.slug, project.name, project.settings, intent.created_at));
    if (made == 1 && hooks_.within) PARLEY_TRY(hooks_.within(writer, ProjectChange::created, project.id));
    return {};
  };
  PARLEY_CO_TRY(co_await store_.tenant(intent.tenant).write(std::move(write)));
  PARLEY_CO_TRY(after("project_made"));
  auto end = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(by_tenant::activate_project(intent.tenant, project.id, writer));
    return end_intent(writer, intent);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(end)));
  // Its slug may just have been looked for in vain.
  if (hooks_.forget) hooks_.forget(intent.tenant);
  co_return Result<void>();
}

Async<> TenantStore::remove_project(TenantId tenant, ProjectId project) {
  const auto now = clock_.now();
  Project target;
  target.id = project;
  const Intent intent{.id = crypto::random_uuid(random_).to_string(),
                      .kind = std::string(project_remove.view()),
                      .tenant = tenant,
                      .payload = to_payload(target),
                      .created_at = now};
  auto begin = [&](db::ControlWriter& writer) -> Result<void> {
    if (PARLEY_TRY(by_tenant::close_project(tenant, project, now, writer)) == 0)
      return fail(Code::not_found, "there is no such project");
    return put_intent(writer, intent);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(begin)));
  if (hooks_.forget) hooks_.forget(tenant);
  PARLEY_CO_TRY(after("intended"));
  co_return co_await carry_on(intent);
}

Async<> TenantStore::finish_project_remove(Intent intent) {
  const auto project = PARLEY_CO_TRY(project_from_payload(intent.payload)).id;
  auto write = [&](db::TenantWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(find_project(writer, project))) return {};
    if (hooks_.within) PARLEY_TRY(hooks_.within(writer, ProjectChange::removed, project));
    PARLEY_TRY(writer.run("DELETE FROM projects WHERE id = $1"_sql, project));
    return {};
  };
  PARLEY_CO_TRY(co_await store_.tenant(intent.tenant).write(std::move(write)));
  PARLEY_CO_TRY(after("project_removed"));
  auto derived = [&]() -> Result<void> {
    if (hooks_.remove_derived) return hooks_.remove_derived(intent.tenant, project);
    return {};
  };
  PARLEY_CO_TRY(co_await workers_.run(std::move(derived)));
  PARLEY_CO_TRY(after("derived_removed"));
  auto end = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(by_tenant::delete_project(intent.tenant, project, writer));
    return end_intent(writer, intent);
  };
  co_return co_await store_.control().write(std::move(end));
}

Async<std::optional<ProjectRef>> TenantStore::find_slug(std::string slug) {
  auto work = [&slug](db::ControlReader& reader) -> Result<std::optional<ProjectRef>> {
    auto found = PARLEY_TRY(reader.find(
        "SELECT tenant_id, project_id, is_private, server_reads, biel_compat, verified_visitors FROM projects_by_slug "
        "WHERE slug = $1 AND state = 'active'"_sql,
        [&](const db::Row& row) { return by_tenant::place_from(row, slug); }, slug));
    if (!found) return std::nullopt;
    return PARLEY_TRY(by_tenant::with_origins(*std::move(found), reader));
  };
  co_return co_await store_.control().read(std::move(work));
}

Async<std::optional<ProjectRef>> TenantStore::find_slug_for(std::string slug, Reach reach) {
  auto work = [&](db::ControlReader& reader) -> Result<std::optional<ProjectRef>> {
    if (reach.tenant) return by_tenant::find_slug(*reach.tenant, reach.project, slug, reader);
    auto found = PARLEY_TRY(reader.find(
        "SELECT tenant_id, project_id, is_private, server_reads, biel_compat, verified_visitors FROM projects_by_slug "
        "WHERE slug || '' = $1 AND is_private = 0 AND state = 'active'"_sql,
        [&](const db::Row& row) { return by_tenant::place_from(row, slug); }, slug));
    if (!found) return std::nullopt;
    return PARLEY_TRY(by_tenant::with_origins(*std::move(found), reader));
  };
  co_return co_await store_.control().read(std::move(work));
}

Async<> TenantStore::set_access(TenantId tenant, ProjectId project, ProjectAccess access) {
  access.origins = PARLEY_CO_TRY(parse_origin_patterns(access.origins));
  PARLEY_CO_TRY(check_access(access));
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    if (PARLEY_TRY(by_tenant::put_access(tenant, project, access, writer)) == 0)
      return fail(Code::not_found, "there is no such project");
    return {};
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(work)));
  if (hooks_.forget) hooks_.forget(tenant);
  co_return Result<void>();
}

Async<bool> TenantStore::is_origin_listed(std::vector<std::string> patterns) {
  auto work = [&](db::ControlReader& reader) -> Result<bool> {
    for (const auto& pattern : patterns) {
      const auto found = PARLEY_TRY(reader.find(
          "SELECT 1 FROM project_origins WHERE origin = $1 LIMIT 1"_sql, [](const db::Row&) { return true; }, pattern));
      if (found) return true;
    }
    return false;
  };
  co_return co_await store_.control().read(std::move(work));
}

Async<IntentsFinished> TenantStore::finish_intents() {
  auto list = [](db::ControlReader& reader) {
    // By age: a project's creation comes before the removal of its tenant, never after.
    return reader.all("SELECT id, kind, tenant_id, payload, created_at FROM intents ORDER BY created_at, id"_sql,
                      [](const db::Row& row) {
                        return Intent{.id = std::string(row.text(0)),
                                      .kind = std::string(row.text(1)),
                                      .tenant = row.id<TenantId>(2),
                                      .payload = std::string(row.text(3)),
                                      .created_at = row.time(4)};
                      });
  };
  const auto intents = PARLEY_CO_TRY(co_await store_.control().read(std::move(list)));
  IntentsFinished outcome;
  for (const auto& intent : intents) {
    auto carried = co_await carry_on(intent);
    if (carried) ++outcome.finished;
    else outcome.failed.push_back(std::move(carried).error().with_detail(intent.kind + " " + intent.id));
  }
  co_return std::move(outcome);
}

Async<> TenantStore::carry_on(Intent intent) {
  if (intent.kind == tenant_create.view()) co_return co_await finish_tenant_create(intent);
  if (intent.kind == tenant_remove.view()) co_return co_await finish_tenant_remove(intent);
  if (intent.kind == project_create.view()) co_return co_await finish_project_create(intent);
  if (intent.kind == project_remove.view()) co_return co_await finish_project_remove(intent);
  // Left by a newer version before a roll-back: it stays for that version to finish.
  co_return fail(Code::unsupported, "an operation was begun that this version does not know");
}

}  // namespace parley::identity
