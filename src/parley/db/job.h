#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "parley/base/uuid.h"
#include "parley/db/session.h"

namespace parley::db {

/// A function waiting for its transaction: what the drivers queue, whichever database it is for.
struct Job {
  std::move_only_function<Result<void>(Statements&)> work;
  std::move_only_function<void(Result<void>)> done;
};
enum class JobKind { read, write };

/// The statements of one function inside a transaction. Remembers the first failure: see Reader.
template <class Connection, Engine the_engine>
class JobStatements final : public Statements {
 public:
  explicit JobStatements(Connection& connection) : connection_(connection) {}

  Result<std::int64_t> execute(const Sql& sql, std::span<const Value> values, const OnRow* on_row) override {
    if (failure_) return fail(*failure_);
    auto result = connection_.execute(sql.text(the_engine), values, on_row);
    if (!result) failure_ = result.error();
    return result;
  }
  Engine engine() const override { return the_engine; }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  Connection& connection_;
  std::optional<Error> failure_;
};

/// Runs one function, so that whatever it throws, and whatever it hides of a failed statement, is its outcome.
template <Engine the_engine, class Connection>
Result<void> run_job(Connection& connection, Job& job) {
  JobStatements<Connection, the_engine> statements(connection);
  try {
    auto outcome = job.work(statements);
    if (statements.failure()) return fail(*statements.failure());
    return outcome;
  } catch (const std::exception& e) {
    return fail(Code::internal, "a database function failed", e.what());
  }
}

/// A session's end of a driver's core, which has `submit(std::optional<TenantId>, JobKind, Job)`.
template <class Scope, class Core>
class JobChannel final : public Channel<Scope> {
 public:
  JobChannel(std::shared_ptr<Core> core, std::optional<TenantId> tenant) : core_(std::move(core)), tenant_(tenant) {}

  void submit_read(Channel<Scope>::ReadWork work, Channel<Scope>::Done done) override {
    auto run = [work = std::move(work)](Statements& statements) mutable {
      Reader<Scope> reader(statements);
      return work(reader);
    };
    core_->submit(tenant_, JobKind::read, {std::move(run), std::move(done)});
  }
  void submit_write(Channel<Scope>::WriteWork work, Channel<Scope>::Done done) override {
    auto run = [work = std::move(work)](Statements& statements) mutable {
      Writer<Scope> writer(statements);
      return work(writer);
    };
    core_->submit(tenant_, JobKind::write, {std::move(run), std::move(done)});
  }

 private:
  std::shared_ptr<Core> core_;
  std::optional<TenantId> tenant_;
};

}  // namespace parley::db
