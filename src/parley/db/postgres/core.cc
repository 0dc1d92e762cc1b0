#include "parley/db/postgres/core.h"

#include <algorithm>

#include <fmt/format.h>

#include "parley/db/postgres/schema.h"

namespace parley::db::postgres {
namespace {

// As in the SQLite driver: beyond this the first of a group waits longer than it gains.
constexpr std::size_t group_writes_max = 256;
constexpr int attempts_max = 3;

std::int64_t lock_of(const std::optional<TenantId>& tenant) {
  if (!tenant) return control_lock;
  // Any eight bytes of a random id; two tenants that share them merely take turns.
  return static_cast<std::int64_t>(std::hash<TenantId>()(*tenant));
}

/// The statements that put the transaction where its scope is. An id is 36 characters of hexadecimal digits and dashes,
/// so it can stand in the text. For an unknown tenant nothing is set, and no row tells so.
std::string scope_script(const std::optional<TenantId>& tenant) {
  if (!tenant) return "SELECT set_config('parley.tenant', '', true), set_config('search_path', 'control', true)";
  return fmt::format(
      "SELECT set_config('parley.tenant', tenant_id, true), set_config('search_path', 'tenant', true)"
      " FROM control.parley_tenants WHERE tenant_id = '{}'",
      tenant->to_string());
}

Result<void> begin(Connection& connection, const std::string& how, const std::optional<TenantId>& tenant) {
  const auto rows = PARLEY_TRY(connection.run_script(how + scope_script(tenant)));
  if (rows == 0) return fail(Code::not_found, "no such tenant");
  return {};
}

std::string begin_write(const std::optional<TenantId>& tenant) {
  // Read committed, and the lock first: what is read after it includes what its last holder committed.
  return fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({});", lock_of(tenant));
}

}  // namespace

Core::Core(PostgresOptions options, MigrationSet migrations)
    : options_(std::move(options)),
      migrations_(std::move(migrations)),
      write_workers_(std::max<std::size_t>(options_.connections / 2, 1)),
      read_workers_(std::max<std::size_t>(options_.connections - options_.connections / 2, 1)) {}

Result<void> Core::start() {
  return with_connection([this](Connection& connection) -> Result<void> {
    PARLEY_TRY(require_ordinary_role(connection));
    if (options_.migrate == Migrate::at_opening) return migrate(connection, migrations_);
    auto ready = require_migrated(connection, migrations_);
    if (ready) return {};
    if (ready.error().code() != Code::unavailable) return ready;
    not_ready_ = std::move(ready).error();
    return {};
  });
}

void Core::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  read_workers_.join();
  write_workers_.join();
  const std::lock_guard lock(mutex_);
  idle_.clear();
}

void Core::submit(std::optional<TenantId> tenant, JobKind kind, Job job) {
  std::optional<Error> refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) refused = Error(Code::unavailable, "the program is stopping");
    else if (not_ready_) refused = not_ready_;
    else if (kind == JobKind::read) {
      asio::post(read_workers_, [this, tenant, read = std::move(job)]() mutable { run_read(tenant, std::move(read)); });
    } else {
      auto& queue = tenant ? tenants_[*tenant] : control_;
      if (!queue) queue = std::make_shared<Queue>(Queue{.tenant = tenant});
      queue->writes.push_back(std::move(job));
      if (!queue->writing) {
        queue->writing = true;
        asio::post(write_workers_, [this, queue] { drain_writes(queue); });
      }
    }
  }
  if (refused) job.done(fail(*std::move(refused)));
}

Result<std::unique_ptr<Connection>> Core::borrow() {
  {
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->usable()) return connection;
    }
  }
  return Connection::open(options_.connection);
}

void Core::give_back(std::unique_ptr<Connection> connection) {
  connection->roll_back();
  if (!connection->usable()) return;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

void Core::run_read(std::optional<TenantId> tenant, Job job) {
  Result<void> outcome;
  for (int attempt = 1; attempt <= attempts_max; ++attempt) {
    auto connection = borrow();
    if (!connection) {
      outcome = fail(std::move(connection).error());
      break;
    }
    // One snapshot for the whole function, as on SQLite.
    outcome = begin(**connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;", tenant);
    if (outcome) outcome = run_job<Engine::postgres>(**connection, job);
    const bool again = !(*connection)->usable() || (!outcome && worth_retrying(outcome.error()));
    give_back(*std::move(connection));
    if (outcome || !again) break;
  }
  job.done(std::move(outcome));
}

Result<void> Core::run_together(Connection& connection, std::optional<TenantId> tenant, std::span<Job> jobs,
                                std::span<Result<void>> outcomes, bool& committing) {
  PARLEY_TRY(begin(connection, begin_write(tenant), tenant));
  bool any = false;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs.size() > 1) PARLEY_TRY(connection.run_script("SAVEPOINT job"));
    outcomes[i] = run_job<Engine::postgres>(connection, jobs[i]);
    if (!outcomes[i] && (!connection.usable() || worth_retrying(outcomes[i].error()))) return outcomes[i];
    any = any || outcomes[i];
    if (jobs.size() == 1) break;
    PARLEY_TRY(connection.run_script(outcomes[i] ? "RELEASE job" : "ROLLBACK TO job; RELEASE job"));
  }
  if (!any) return {};
  committing = true;
  PARLEY_TRY(connection.run_script("COMMIT"));
  return {};
}

std::vector<Result<void>> Core::run_group(std::optional<TenantId> tenant, std::span<Job> jobs) {
  std::vector<Result<void>> outcomes(jobs.size());
  const auto all_get = [&](const Error& error) {
    std::ranges::fill(outcomes, Result<void>(fail(error)));
    return outcomes;
  };
  for (int attempt = 1;; ++attempt) {
    auto borrowed = borrow();
    if (!borrowed) return all_get(borrowed.error());
    Connection& connection = **borrowed;
    bool committing = false;
    const auto together = run_together(connection, tenant, jobs, outcomes, committing);
    connection.roll_back();
    const bool lost = !connection.usable();
    give_back(*std::move(borrowed));
    if (together) return outcomes;
    // A connection that broke during the commit leaves open whether it happened: running it again could do it twice.
    if (committing && lost) return all_get(together.error());
    if ((lost || worth_retrying(together.error())) && attempt < attempts_max) continue;
    // One of them cannot be committed (a deferred key): alone, each gets its own outcome.
    if (committing && jobs.size() > 1) break;
    return all_get(together.error());
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) outcomes[i] = run_group(tenant, jobs.subspan(i, 1))[0];
  return outcomes;
}

void Core::drain_writes(const std::shared_ptr<Queue>& queue) {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue->writes.size(), group_writes_max));
    jobs.assign(std::make_move_iterator(queue->writes.begin()), std::make_move_iterator(queue->writes.begin() + count));
    queue->writes.erase(queue->writes.begin(), queue->writes.begin() + count);
  }
  auto outcomes = run_group(queue->tenant, jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].done(std::move(outcomes[i]));
  jobs.clear();
  const std::lock_guard lock(mutex_);
  queue->writing = !queue->writes.empty();
  if (queue->writing) {
    asio::post(write_workers_, [this, queue] { drain_writes(queue); });
  } else if (queue->tenant) {
    tenants_.erase(*queue->tenant);
  }
}

Result<void> Core::with_connection(std::move_only_function<Result<void>(Connection&)> use) {
  auto connection = PARLEY_TRY(borrow());
  auto result = use(*connection);
  give_back(std::move(connection));
  return result;
}

Result<void> Core::create_tenant(TenantId id) {
  if (id.uuid().is_nil()) return fail(Code::invalid_argument, "a tenant's id is not nil");
  return with_connection([id](Connection& connection) -> Result<void> {
    PARLEY_TRY(connection.run_script(fmt::format(
        "INSERT INTO control.parley_tenants (tenant_id) VALUES ('{}') ON CONFLICT DO NOTHING", id.to_string())));
    return {};
  });
}

Result<void> Core::remove_tenant(TenantId id) {
  return with_connection([id](Connection& connection) -> Result<void> {
    auto begun = begin(connection, begin_write(id), id);
    if (!begun) return begun.error().code() == Code::not_found ? Result<void>() : begun;
    PARLEY_TRY(delete_all_rows(connection));
    PARLEY_TRY(connection.run_script(
        fmt::format("DELETE FROM control.parley_tenants WHERE tenant_id = '{}'; COMMIT", id.to_string())));
    return {};
  });
}

Result<std::vector<TenantId>> Core::tenants() {
  std::vector<TenantId> ids;
  PARLEY_TRY(with_connection([&](Connection& connection) -> Result<void> {
    const Statements::OnRow read = [&](const Row& row) {
      ids.push_back(row.id<TenantId>(0));
      return true;
    };
    PARLEY_TRY(connection.execute("SELECT tenant_id FROM control.parley_tenants", {}, &read));
    return {};
  }));
  return ids;
}

Result<std::vector<MigrationStatus>> Core::migration_status() {
  std::vector<MigrationStatus> rows;
  PARLEY_TRY(with_connection([&](Connection& connection) -> Result<void> {
    rows = PARLEY_TRY(postgres::migration_status(connection, migrations_));
    return {};
  }));
  return rows;
}

Result<void> Core::migrate_all() {
  PARLEY_TRY(with_connection([this](Connection& connection) { return migrate(connection, migrations_); }));
  const std::lock_guard lock(mutex_);
  not_ready_.reset();
  return {};
}

}  // namespace parley::db::postgres
