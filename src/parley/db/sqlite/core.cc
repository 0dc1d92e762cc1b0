#include "parley/db/sqlite/core.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "parley/db/sqlite/files.h"
#include "parley/db/sqlite/schema.h"

namespace parley::db::sqlite {
namespace {

namespace fs = std::filesystem;

// A sync costs the same for one write as for many; above this the first of a group waits longer than it gains.
constexpr std::size_t group_writes_max = 256;
// Then the next tenant's turn, so that one busy tenant does not keep a worker to itself.
constexpr std::size_t reads_per_turn_max = 32;
// A tenant's pages come and go with its visitors; the control database is asked by every request.
constexpr int tenant_cache_kib = 96;
constexpr int control_cache_kib = 4096;
constexpr std::size_t tenant_statements_max = 20;
constexpr std::size_t control_statements_max = 128;
// Two connections with a database and a log descriptor each, and one for the shared index of the log.
constexpr std::size_t descriptors_per_tenant = 5;
// For sockets and everything else in the process that is no tenant's file.
constexpr std::size_t descriptors_reserved = 128;
constexpr std::size_t open_tenants_min = 16;
constexpr std::chrono::seconds idle_check{5};
// A backup follows the tenants that change while it copies for this many rounds, then stops the control database's
// writers for the rest.
constexpr int backup_rounds_max = 5;
constexpr std::size_t backup_rest_small = 4;

std::size_t descriptors_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<std::size_t>(limit.rlim_cur);
}

/// After these the connection may hold a wrong idea of the file: a new one reads it afresh.
bool needs_reopening(const Error& error) {
  return error.code() == Code::unavailable || error.code() == Code::data_corrupt;
}

Result<void> run_alone(Connection& connection, Job& job) {
  PARLEY_TRY(connection.execute("BEGIN IMMEDIATE"));
  auto outcome = run_job<Engine::sqlite>(connection, job);
  if (outcome) {
    auto committed = connection.execute("COMMIT");
    if (!committed) outcome = fail(std::move(committed).error());
  }
  if (!outcome) connection.roll_back();
  return outcome;
}

/// One transaction for all; an error means that it is gone as a whole and nothing was kept.
Result<void> run_together(Connection& connection, std::span<Job> jobs, std::span<Result<void>> outcomes) {
  PARLEY_TRY(connection.execute("BEGIN IMMEDIATE"));
  bool any = false;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    PARLEY_TRY(connection.execute("SAVEPOINT job"));
    outcomes[i] = run_job<Engine::sqlite>(connection, jobs[i]);
    if (!connection.in_transaction()) return fail(outcomes[i] ? Error(Code::internal, "lost") : outcomes[i].error());
    if (!outcomes[i]) PARLEY_TRY(connection.execute("ROLLBACK TO job"));
    PARLEY_TRY(connection.execute("RELEASE job"));
    any = any || outcomes[i];
  }
  if (any) PARLEY_TRY(connection.execute("COMMIT"));
  connection.roll_back();
  return {};
}

std::vector<Result<void>> run_group(Connection& connection, std::span<Job> jobs) {
  std::vector<Result<void>> outcomes(jobs.size());
  if (jobs.size() > 1) {
    const auto together = run_together(connection, jobs, outcomes);
    if (together) return outcomes;
    connection.roll_back();
    if (needs_reopening(together.error())) {
      // Whether the log holds the group is not known; saying it failed is the side to err on, and to run it again
      // could do it twice.
      std::ranges::fill(outcomes, Result<void>(fail(together.error())));
      return outcomes;
    }
    // One of them cannot be committed (no room for it, a deferred key): alone, each gets its own outcome.
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) outcomes[i] = run_alone(connection, jobs[i]);
  return outcomes;
}

void answer(std::vector<Job>& jobs, const Error& error) {
  for (auto& job : jobs) job.done(fail(error));
}

std::vector<Job> take(std::deque<Job>& queue, std::size_t max) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), max));
  std::vector<Job> jobs(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.begin() + count));
  queue.erase(queue.begin(), queue.begin() + count);
  return jobs;
}

}  // namespace

class Core::Hold {
 public:
  Hold(Core& core, std::optional<TenantId> tenant) : core_(core) {
    Lock lock(core_.mutex_);
    for (;;) {
      database_ = core_.database_of(tenant, lock);
      if (!database_->held && !database_->writes_held) break;
      core_.quiet_.wait(lock);  // it may be another object afterwards: a closed tenant's is dropped
    }
    database_->held = true;
    core_.quiet_.wait(lock, [&] { return !database_->busy(); });
    core_.close_held(database_, lock);
  }
  ~Hold() {
    const Lock lock(core_.mutex_);
    database_->held = false;
    core_.start_work(database_, lock);
    core_.forget_if_unused(*database_, lock);
    core_.quiet_.notify_all();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Core& core_;
  std::shared_ptr<Database> database_;
};

class Core::WritePause {
 public:
  explicit WritePause(Core& core) : core_(core) {
    Lock lock(core_.mutex_);
    core_.control_->writes_held = true;
    core_.quiet_.wait(lock, [&] { return !core_.control_->writing && !core_.control_->held; });
  }
  ~WritePause() {
    const Lock lock(core_.mutex_);
    core_.control_->writes_held = false;
    core_.start_work(core_.control_, lock);
    core_.quiet_.notify_all();
  }
  WritePause(const WritePause&) = delete;
  WritePause& operator=(const WritePause&) = delete;

 private:
  Core& core_;
};

Core::Core(SqliteOptions options, MigrationSet migrations)
    : options_(std::move(options)),
      migrations_(std::move(migrations)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
      write_workers_(std::max<std::size_t>(options_.threads, 1)),
      read_workers_(std::max<std::size_t>(options_.threads, 1)) {
  const auto descriptors = descriptors_max();
  const auto affordable =
      descriptors > descriptors_reserved ? (descriptors - descriptors_reserved) / descriptors_per_tenant : 0;
  // Below the number of workers a worker could wait for room that only itself could make.
  const auto least = std::max(open_tenants_min, 2 * options_.threads + 1);
  options_.open_tenants_max = std::max(std::min(options_.open_tenants_max, affordable), least);
}

Result<void> Core::start() {
  PARLEY_TRY(make_folder(tenants_folder()));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(tenants_folder(), error)) {
    if (entry.path().filename().string().starts_with(removing_prefix)) fs::remove_all(entry.path(), error);
  }
  control_ = std::make_shared<Database>();
  control_->file = options_.folder / "control.db";
  control_->readers_max = std::max<std::size_t>(options_.threads, 1);
  if (options_.migrate == Migrate::at_opening) PARLEY_TRY(ensure_open(*control_));
  schedule_idle_close();
  return {};
}

void Core::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    if (idle_timer_) idle_timer_->cancel();
  }
  read_workers_.join();
  write_workers_.join();
  std::vector<std::shared_ptr<Database>> all;
  {
    const Lock lock(mutex_);
    for (auto& [id, database] : databases_) all.push_back(std::move(database));
    databases_.clear();
    open_.clear();
    all.push_back(control_);
  }
  for (auto& database : all) {
    if (!database) continue;
    database->idle_readers.clear();
    database->writer.reset();
  }
}

void Core::schedule_idle_close() {
  const Lock lock(mutex_);
  if (stopping_) return;
  if (!idle_timer_) idle_timer_.emplace(read_workers_);
  idle_timer_->expires_after(idle_check);
  idle_timer_->async_wait([this](boost::system::error_code error) {
    if (error) return;
    close_idle();
    schedule_idle_close();
  });
}

std::span<const Migration> Core::migrations_of(const Database& database) const {
  return database.tenant ? migrations_.tenant : migrations_.control;
}

std::shared_ptr<Database> Core::database_of(std::optional<TenantId> tenant, const Lock&) {
  if (!tenant) return control_;
  auto& database = databases_[*tenant];
  if (!database) {
    database = std::make_shared<Database>();
    database->tenant = tenant;
    database->file = tenant_folder(*tenant) / "tenant.db";
  }
  return database;
}

void Core::submit(std::optional<TenantId> tenant, JobKind kind, Job job) {
  {
    const Lock lock(mutex_);
    if (!stopping_) {
      const auto database = database_of(tenant, lock);
      database->used = clock_.now();
      (kind == JobKind::write ? database->writes : database->reads).push_back(std::move(job));
      start_work(database, lock);
      return;
    }
  }
  job.done(fail(Code::unavailable, "the program is stopping"));
}

void Core::start_work(const std::shared_ptr<Database>& database, const Lock&) {
  if (database->held) return;
  if (!database->writing && !database->writes_held && !database->writes.empty()) {
    database->writing = true;
    asio::post(write_workers_, [this, database] { drain_writes(database); });
  }
  if (database->reading < database->readers_max && !database->reads.empty()) {
    ++database->reading;
    asio::post(read_workers_, [this, database] { drain_reads(database); });
  }
}

void Core::forget_if_unused(Database& database, const Lock&) {
  if (database.tenant && !database.open && !database.held && !database.busy() && database.writes.empty() &&
      database.reads.empty()) {
    databases_.erase(*database.tenant);
  }
}

void Core::work_ended(const std::shared_ptr<Database>& database, Lock& lock) {
  if (database->open && database->tenant) open_.splice(open_.begin(), open_, database->place);
  if (database->broken && !database->held && !database->busy()) {
    database->held = true;
    close_held(database, lock);
    database->held = false;
  }
  start_work(database, lock);
  forget_if_unused(*database, lock);
  quiet_.notify_all();
}

/// Closes a database that the caller holds and nobody works on. Gives the lock up meanwhile: closing copies the log
/// into the file, and syncs.
void Core::close_held(const std::shared_ptr<Database>& database, Lock& lock) {
  if (!database->open) return;
  auto readers = std::exchange(database->idle_readers, {});
  auto writer = std::move(database->writer);
  database->open = false;
  database->broken = false;
  if (database->tenant) open_.erase(database->place);
  lock.unlock();
  readers.clear();
  writer.reset();
  lock.lock();
  // Only now: its descriptors and memory are what is being counted.
  if (database->tenant) --open_count_;
}

void Core::make_room() {
  Lock lock(mutex_);
  while (open_count_ >= options_.open_tenants_max) {
    const auto victim =
        std::ranges::find_if(open_.rbegin(), open_.rend(), [](const Database* d) { return !d->busy() && !d->held; });
    if (victim == open_.rend()) break;
    const auto database = databases_.at(*(*victim)->tenant);
    database->held = true;
    close_held(database, lock);
    database->held = false;
    start_work(database, lock);
    forget_if_unused(*database, lock);
    quiet_.notify_all();
  }
  ++open_count_;
}

Result<void> Core::ensure_open(Database& database) {
  const std::lock_guard opening(database.opening);
  {
    const Lock lock(mutex_);
    if (database.open) return {};
  }
  if (database.tenant) make_room();
  auto open = [&]() -> Result<std::unique_ptr<Connection>> {
    ConnectionOptions options{.vfs = options_.vfs};
    options.cache_kib = database.tenant ? tenant_cache_kib : control_cache_kib;
    options.statements_max = database.tenant ? tenant_statements_max : control_statements_max;
    if (!database.tenant) options.create = ConnectionOptions::Create::yes;
    auto connection = PARLEY_TRY(Connection::open(database.file, options));
    const auto check = options_.migrate == Migrate::at_opening ? migrate : require_migrated;
    PARLEY_TRY(check(*connection, migrations_of(database), migrations_.program_version));
    return connection;
  };
  auto connection = open();
  const Lock lock(mutex_);
  if (!connection) {
    if (database.tenant) --open_count_;
    return fail(std::move(connection).error());
  }
  database.writer = *std::move(connection);
  database.open = true;
  if (database.tenant) {
    open_.push_front(&database);
    database.place = open_.begin();
  }
  return {};
}

void Core::note_outcome(Database& database, const Result<void>& outcome) {
  if (outcome || !needs_reopening(outcome.error())) return;
  const Lock lock(mutex_);
  database.broken = true;
}

void Core::drain_writes(const std::shared_ptr<Database>& database) {
  const auto opened = ensure_open(*database);
  std::vector<Job> jobs;
  {
    const Lock lock(mutex_);
    jobs = take(database->writes, opened ? group_writes_max : database->writes.size());
  }
  if (!opened) {
    answer(jobs, opened.error());
  } else {
    auto outcomes = run_group(*database->writer, jobs);
    // Before anybody learns of the commit: see backup_to.
    if (database->tenant) mark_changed(*database->tenant);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      note_outcome(*database, outcomes[i]);
      jobs[i].done(std::move(outcomes[i]));
    }
  }
  jobs.clear();
  Lock lock(mutex_);
  database->writing = false;
  work_ended(database, lock);
}

void Core::drain_reads(const std::shared_ptr<Database>& database) {
  std::unique_ptr<Connection> reader;
  auto opened = ensure_open(*database);
  if (opened) {
    {
      const Lock lock(mutex_);
      if (!database->idle_readers.empty()) {
        reader = std::move(database->idle_readers.back());
        database->idle_readers.pop_back();
      }
    }
    if (!reader) {
      ConnectionOptions options{.access = Access::read, .vfs = options_.vfs};
      options.cache_kib = database->tenant ? tenant_cache_kib : control_cache_kib;
      options.statements_max = database->tenant ? tenant_statements_max : control_statements_max;
      auto made = Connection::open(database->file, options);
      if (made) reader = *std::move(made);
      else opened = fail(std::move(made).error());
    }
  }
  std::vector<Job> jobs;
  {
    const Lock lock(mutex_);
    const auto share = (database->reads.size() + database->reading - 1) / std::max<std::size_t>(database->reading, 1);
    jobs = take(database->reads, opened ? std::min(share, reads_per_turn_max) : database->reads.size());
  }
  if (!opened) {
    answer(jobs, opened.error());
  } else {
    for (auto& job : jobs) {
      auto outcome = [&]() -> Result<void> {
        PARLEY_TRY(reader->execute("BEGIN"));
        auto result = run_job<Engine::sqlite>(*reader, job);
        reader->roll_back();
        return result;
      }();
      note_outcome(*database, outcome);
      job.done(std::move(outcome));
    }
  }
  jobs.clear();
  Lock lock(mutex_);
  if (reader) database->idle_readers.push_back(std::move(reader));
  --database->reading;
  work_ended(database, lock);
}

void Core::close_idle() {
  Lock lock(mutex_);
  const auto limit = clock_.now() - options_.idle_close;
  for (;;) {
    const auto victim = std::ranges::find_if(
        open_.rbegin(), open_.rend(), [&](const Database* d) { return !d->busy() && !d->held && d->used <= limit; });
    if (victim == open_.rend()) return;
    const auto database = databases_.at(*(*victim)->tenant);
    database->held = true;
    close_held(database, lock);
    database->held = false;
    start_work(database, lock);
    forget_if_unused(*database, lock);
    quiet_.notify_all();
  }
}

std::size_t Core::open_tenants() const {
  const Lock lock(mutex_);
  return open_.size();
}

Result<std::unique_ptr<Connection>> Core::open_plain(const fs::path& file) const {
  return Connection::open(file, {.vfs = options_.vfs});
}

Result<void> Core::create_tenant(TenantId id) {
  if (id.uuid().is_nil()) return fail(Code::invalid_argument, "a tenant's id is not nil");
  const std::lock_guard one_at_a_time(creation_);
  const auto file = tenant_folder(id) / "tenant.db";
  std::error_code error;
  if (fs::exists(file, error)) return {};
  PARLEY_TRY(make_folder(tenant_folder(id)));
  if (new_tenant_bytes_.empty()) {
    fs::path temporary = file;
    temporary += ".new";
    for (const char* ending : {"", "-wal", "-shm", "-journal"}) {
      fs::path stale = temporary;
      fs::remove(stale += ending, error);
    }
    {
      ConnectionOptions options{.durability = Durability::none, .vfs = options_.vfs};
      options.create = ConnectionOptions::Create::yes;
      const auto connection = PARLEY_TRY(Connection::open(temporary, options));
      PARLEY_TRY(migrate(*connection, migrations_.tenant, migrations_.program_version));
      // Closing would copy the log into the file as well, but keeps to itself that it failed: on a full disk half a
      // file would become every later tenant's.
      bool copied = false;
      const Statements::OnRow read = [&](const Row& row) { return copied = row.integer(0) == 0; };
      PARLEY_TRY(connection->execute("PRAGMA wal_checkpoint(TRUNCATE)", {}, &read));
      if (!copied) return fail(Code::unavailable, "the database cannot be used now", "a new tenant's log is in use");
    }
    new_tenant_bytes_ = PARLEY_TRY(load_file(temporary));
  }
  PARLEY_TRY(publish_file(file, new_tenant_bytes_));
  mark_changed(id);
  return {};
}

Result<void> Core::remove_tenant(TenantId id) {
  const std::lock_guard one_at_a_time(creation_);
  const Hold hold(*this, id);
  auto removed = remove_folder(tenant_folder(id));
  mark_changed(id);
  return removed;
}

Result<std::vector<TenantId>> Core::tenants() const {
  std::vector<TenantId> ids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(tenants_folder(), error)) {
    const auto id = TenantId::parse(entry.path().filename().string());
    if (id && fs::exists(entry.path() / "tenant.db", error)) ids.push_back(*id);
  }
  if (error) return fail(Code::unavailable, "the data folder cannot be read", error.message());
  return ids;
}

Result<std::vector<MigrationStatus>> Core::migration_status() {
  std::vector<MigrationStatus> rows;
  auto add = [&](const char* name, std::span<const Migration> known,
                 const std::vector<fs::path>& files) -> Result<void> {
    std::map<int, std::pair<AppliedMigration, std::size_t>> seen;
    for (const auto& file : files) {
      std::error_code error;
      if (!fs::exists(file, error)) continue;
      const auto connection = PARLEY_TRY(open_plain(file));
      for (auto& step : PARLEY_TRY(load_applied(*connection))) {
        auto& [first, count] = seen[step.number];
        first = std::move(step);
        ++count;
      }
    }
    auto count_of = [&](int number) { return seen.contains(number) ? seen[number].second : 0; };
    for (const auto& migration : known) {
      rows.push_back(
          {name, migration.number, migration.name, count_of(migration.number) == files.size(), migration.oldest});
    }
    for (const auto& [number, entry] : seen) {
      if (std::ranges::find(known, number, &Migration::number) != known.end()) continue;
      rows.push_back({name, number, entry.first.name, entry.second == files.size(), entry.first.oldest});
    }
    return {};
  };
  PARLEY_TRY(add("control", migrations_.control, {control_->file}));
  std::vector<fs::path> files;
  for (const auto id : PARLEY_TRY(tenants())) files.push_back(tenant_folder(id) / "tenant.db");
  PARLEY_TRY(add("tenant", migrations_.tenant, files));
  return rows;
}

Result<void> Core::migrate_held(std::optional<TenantId> tenant) {
  const Hold hold(*this, tenant);
  ConnectionOptions options{.vfs = options_.vfs};
  if (!tenant) options.create = ConnectionOptions::Create::yes;
  const auto file = tenant ? tenant_folder(*tenant) / "tenant.db" : control_->file;
  const auto connection = PARLEY_TRY(Connection::open(file, options));
  return migrate(*connection, tenant ? migrations_.tenant : migrations_.control, migrations_.program_version);
}

Result<void> Core::migrate_all() {
  const std::lock_guard one_at_a_time(maintenance_);
  PARLEY_TRY(migrate_held(std::nullopt));
  for (const auto id : PARLEY_TRY(tenants())) {
    auto migrated = migrate_held(id);
    if (!migrated) return fail(std::move(migrated).error().with_detail("tenant " + id.to_string()));
  }
  return {};
}

void Core::mark_changed(TenantId id) {
  const Lock lock(mutex_);
  if (changed_) changed_->insert(id);
}

std::vector<TenantId> Core::take_changed() {
  const Lock lock(mutex_);
  std::vector<TenantId> ids(changed_->begin(), changed_->end());
  changed_->clear();
  return ids;
}

Result<void> Core::copy_database(const fs::path& from, const fs::path& to) const {
  std::error_code error;
  fs::remove(to, error);
  const auto connection = PARLEY_TRY(open_plain(from));
  // Into a file without what was deleted, whatever the state of the log and of other connections.
  const std::array<Value, 1> values{Value(to.string())};
  PARLEY_TRY(connection->execute("VACUUM INTO $1", values));
  PARLEY_TRY(sync_path(to));
  return sync_path(to.parent_path());
}

Result<void> Core::copy_tenants(const fs::path& folder, const std::vector<TenantId>& ids) const {
  for (const auto id : ids) {
    const auto to = folder / "tenants" / id.to_string();
    PARLEY_TRY(make_folder(to));
    auto copied = copy_database(tenant_folder(id) / "tenant.db", to / "tenant.db");
    if (copied) continue;
    if (copied.error().code() != Code::not_found) return copied;
    PARLEY_TRY(remove_folder(to));  // removed meanwhile
  }
  return {};
}

/// No file is stopped for long and no transaction spans files, so the order makes the copies agree: first every
/// tenant's, then again those that changed meanwhile, until few do; then with the control database's writers waiting,
/// the last changed tenants and the control database. What the control database calls finished was in the tenant's file
/// before that wait began, so it is in the tenant's copy; what a tenant's copy holds had its intent written before.
Result<void> Core::backup_to(const fs::path& folder) {
  const std::lock_guard one_backup(maintenance_);
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return fail(Code::invalid_argument, "the folder for a backup must be empty", folder.string());
  }
  PARLEY_TRY(make_folder(folder / "tenants"));
  struct Tracking {
    Core& core;
    explicit Tracking(Core& c) : core(c) {
      const Lock lock(core.mutex_);
      core.changed_.emplace();
    }
    ~Tracking() {
      const Lock lock(core.mutex_);
      core.changed_.reset();
    }
  } tracking(*this);
  auto ids = PARLEY_TRY(tenants());
  for (int round = 0; round < backup_rounds_max && (round == 0 || ids.size() > backup_rest_small); ++round) {
    PARLEY_TRY(copy_tenants(folder, ids));
    ids = take_changed();
  }
  const WritePause pause(*this);
  for (const auto id : take_changed()) ids.push_back(id);
  PARLEY_TRY(copy_tenants(folder, ids));
  return copy_database(control_->file, folder / "control.db");
}

}  // namespace parley::db::sqlite
