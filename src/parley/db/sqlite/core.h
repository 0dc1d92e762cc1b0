#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "parley/db/job.h"
#include "parley/db/sqlite/connection.h"
#include "parley/db/store.h"
#include "parley/net/clock.h"

namespace parley::db::sqlite {

/// One file: its queues, its connections while it is open, and who is at work on it. Everything is guarded by the
/// core's mutex, except that `writer` belongs to the one draining the writes and to the one opening or closing.
struct Database {
  std::optional<TenantId> tenant;  ///< none for the control database
  std::filesystem::path file;
  std::size_t readers_max = 1;

  std::deque<Job> writes;
  std::deque<Job> reads;
  bool writing = false;      ///< a worker drains `writes`
  std::size_t reading = 0;   ///< so many workers drain `reads`
  bool held = false;         ///< being closed, removed or migrated: no worker may start
  bool writes_held = false;  ///< a backup copies: no write may start
  bool broken = false;       ///< an I/O error or damage was seen: close as soon as nobody is at work
  bool open = false;
  Timestamp used;

  std::mutex opening;
  std::unique_ptr<Connection> writer;
  std::vector<std::unique_ptr<Connection>> idle_readers;
  std::list<Database*>::iterator place;  ///< in Core::open_, while open and a tenant's

  bool busy() const { return writing || reading > 0; }
};

/// What the store and its channels share: all databases, and the workers that run their jobs.
///
/// Each database has one writer at a time, which takes everything that has queued up meanwhile into one transaction
/// (group commit), and readers on connections of their own. Writes and reads have workers of their own, so a read never
/// waits for somebody's sync.
class Core {
 public:
  Core(SqliteOptions options, MigrationSet migrations);
  ~Core() = default;

  Result<void> start();
  /// Answers everything submitted, then closes everything. Later submissions are `unavailable`.
  void stop();

  void submit(std::optional<TenantId> tenant, JobKind kind, Job job);

  Result<void> create_tenant(TenantId id);
  Result<void> remove_tenant(TenantId id);
  Result<std::vector<TenantId>> tenants() const;
  Result<std::vector<MigrationStatus>> migration_status();
  Result<void> migrate_all();
  Result<void> backup_to(const std::filesystem::path& folder);

  void close_idle();
  std::size_t open_tenants() const;

 private:
  using Lock = std::unique_lock<std::mutex>;

  std::filesystem::path tenants_folder() const { return options_.folder / "tenants"; }
  std::filesystem::path tenant_folder(TenantId id) const { return tenants_folder() / id.to_string(); }
  std::span<const Migration> migrations_of(const Database& database) const;

  std::shared_ptr<Database> database_of(std::optional<TenantId> tenant, const Lock&);
  void start_work(const std::shared_ptr<Database>& database, const Lock&);
  void forget_if_unused(Database& database, const Lock&);
  void work_ended(const std::shared_ptr<Database>& database, Lock& lock);
  void close_held(const std::shared_ptr<Database>& database, Lock& lock);

  void drain_writes(const std::shared_ptr<Database>& database);
  void drain_reads(const std::shared_ptr<Database>& database);
  Result<void> ensure_open(Database& database);
  void make_room();
  void note_outcome(Database& database, const Result<void>& outcome);

  /// Keeps everybody out of a database and closes it, for as long as the value lives.
  class Hold;
  /// Keeps writers out of the control database.
  class WritePause;

  Result<std::unique_ptr<Connection>> open_plain(const std::filesystem::path& file) const;
  Result<void> migrate_held(std::optional<TenantId> tenant);
  Result<void> copy_database(const std::filesystem::path& from, const std::filesystem::path& to) const;
  Result<void> copy_tenants(const std::filesystem::path& folder, const std::vector<TenantId>& ids) const;
  std::vector<TenantId> take_changed();
  void mark_changed(TenantId id);
  void schedule_idle_close();

  SqliteOptions options_;
  const MigrationSet migrations_;
  net::SystemClock system_clock_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable quiet_;  ///< a worker has ended, or a hold
  bool stopping_ = false;
  std::shared_ptr<Database> control_;
  std::unordered_map<TenantId, std::shared_ptr<Database>> databases_;  ///< open, or with work waiting
  std::list<Database*> open_;                                          ///< tenants, the last used first
  std::size_t open_count_ = 0;                                         ///< those and the ones being opened
  std::optional<std::unordered_set<TenantId>> changed_;                ///< since a running backup copied them

  std::mutex maintenance_;        ///< one backup or migration of everything at a time
  std::mutex creation_;           ///< one creation or removal of a tenant at a time
  std::string new_tenant_bytes_;  ///< a migrated empty file: copying it is faster than running every migration again

  asio::thread_pool write_workers_;
  asio::thread_pool read_workers_;
  std::optional<asio::steady_timer> idle_timer_;
};

}  // namespace parley::db::sqlite
