#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "parley/db/job.h"
#include "parley/db/postgres/connection.h"
#include "parley/db/store.h"

namespace parley::db::postgres {

/// The jobs of one tenant, or of the control database, that wait for a connection.
struct Queue {
  std::optional<TenantId> tenant;
  std::deque<Job> writes;
  bool writing = false;
};

/// Connections, a worker for each, and the queues. Half of them write and half read, so that a write waiting for
/// another node's does not stop reading.
///
/// One writer at a time per tenant (and one for the control database), across all nodes, by a lock that belongs to the
/// transaction: as on SQLite, so that a function that reads and then writes is right on both engines without locks of
/// its own, and so that two writers never deadlock. What queues up meanwhile shares one transaction.
class Core {
 public:
  Core(PostgresOptions options, MigrationSet migrations);

  Result<void> start();
  void stop();
  void submit(std::optional<TenantId> tenant, JobKind kind, Job job);

  Result<void> create_tenant(TenantId id);
  Result<void> remove_tenant(TenantId id);
  Result<std::vector<TenantId>> tenants();
  Result<std::vector<MigrationStatus>> migration_status();
  Result<void> migrate_all();

 private:
  void drain_writes(const std::shared_ptr<Queue>& queue);
  void run_read(std::optional<TenantId> tenant, Job job);
  Result<std::unique_ptr<Connection>> borrow();
  void give_back(std::unique_ptr<Connection> connection);
  std::vector<Result<void>> run_group(std::optional<TenantId> tenant, std::span<Job> jobs);
  Result<void> run_together(Connection& connection, std::optional<TenantId> tenant, std::span<Job> jobs,
                            std::span<Result<void>> outcomes, bool& committing);
  Result<void> with_connection(std::move_only_function<Result<void>(Connection&)> use);

  const PostgresOptions options_;
  const MigrationSet migrations_;

  std::mutex mutex_;
  bool stopping_ = false;
  /// Not migrated though that was asked to be done on request: what sessions get until it has been.
  std::optional<Error> not_ready_;
  std::unordered_map<TenantId, std::shared_ptr<Queue>> tenants_;  ///< with writes waiting or running
  std::shared_ptr<Queue> control_ = std::make_shared<Queue>();
  std::vector<std::unique_ptr<Connection>> idle_;

  asio::thread_pool write_workers_;
  asio::thread_pool read_workers_;
};

}  // namespace parley::db::postgres
