#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/base/uuid.h"
#include "parley/db/transaction.h"
#include "parley/net/async.h"

namespace parley::db {

/// What a driver offers for one database: run a function inside a transaction, on its own threads, then say how it
/// went.
///
/// Writes are committed in groups: many waiting functions share one transaction (each inside a savepoint, so that one
/// failing leaves the others whole) and one sync. `done` is called after that sync, or with the error that undid the
/// function. Both callbacks run on a driver thread and must not block.
template <class Scope>
class Channel {
 public:
  using ReadWork = std::move_only_function<Result<void>(Reader<Scope>&)>;
  using WriteWork = std::move_only_function<Result<void>(Writer<Scope>&)>;
  using Done = std::move_only_function<void(Result<void>)>;

  virtual ~Channel() = default;
  virtual void submit_read(ReadWork work, Done done) = 0;
  virtual void submit_write(WriteWork work, Done done) = 0;
};

/// The only way to run SQL. A handle to one database; copying it copies the handle.
///
/// `read` and `write` take a function of a `Reader&` or `Writer&` that returns a Result. It runs synchronously on a
/// worker inside one transaction and may run again if the engine had to retry, so it must not have effects of its own.
/// If it returns an error the transaction is undone and the error is what the caller gets.
template <class Scope>
class Session {
 public:
  explicit Session(std::shared_ptr<Channel<Scope>> channel) : channel_(std::move(channel)) {}

  template <class Work>
  auto read(Work work) const -> asio::awaitable<std::invoke_result_t<Work&, Reader<Scope>&>> {
    return run<std::invoke_result_t<Work&, Reader<Scope>&>>(
        [](Channel<Scope>& c, auto w, auto d) { c.submit_read(std::move(w), std::move(d)); }, std::move(work));
  }

  /// Returns after the change is durable.
  template <class Work>
  auto write(Work work) const -> asio::awaitable<std::invoke_result_t<Work&, Writer<Scope>&>> {
    return run<std::invoke_result_t<Work&, Writer<Scope>&>>(
        [](Channel<Scope>& c, auto w, auto d) { c.submit_write(std::move(w), std::move(d)); }, std::move(work));
  }

  /// For a thread that is a worker already (ingestion, sweeps): waits in place. Never call it from an event loop.
  template <class Work>
  auto read_blocking(Work work) const -> std::invoke_result_t<Work&, Reader<Scope>&> {
    return run_blocking<std::invoke_result_t<Work&, Reader<Scope>&>>(
        [](Channel<Scope>& c, auto w, auto d) { c.submit_read(std::move(w), std::move(d)); }, std::move(work));
  }
  template <class Work>
  auto write_blocking(Work work) const -> std::invoke_result_t<Work&, Writer<Scope>&> {
    return run_blocking<std::invoke_result_t<Work&, Writer<Scope>&>>(
        [](Channel<Scope>& c, auto w, auto d) { c.submit_write(std::move(w), std::move(d)); }, std::move(work));
  }

 private:
  // Splits the caller's Result<T> into the Result<void> a channel understands and a slot for the value.
  template <class Value, class Work, class Slot>
  static auto adapt(Work& work, Slot slot) {
    return [&work, slot](auto& transaction) -> Result<void> {
      slot->emplace(work(transaction));
      if (!**slot) return std::unexpected((*slot)->error());
      return {};
    };
  }
  template <class Value, class Slot>
  static Value join(Result<void> outcome, Slot& slot) {
    if (!outcome) return std::unexpected(std::move(outcome).error());
    return std::move(**slot);
  }

  template <class Value, class Submit, class Work>
  asio::awaitable<Value> run(Submit submit, Work work) const {
    const auto channel = channel_;
    auto slot = std::make_shared<std::optional<Value>>();
    Result<void> outcome = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
        [&](auto handler) {
          submit(*channel, adapt<Value>(work, slot), [handler = std::move(handler)](Result<void> result) mutable {
            auto executor = asio::get_associated_executor(handler);
            asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
              std::move(handler)(std::move(result));
            });
          });
        },
        asio::use_awaitable);
    co_return join<Value>(std::move(outcome), slot);
  }

  template <class Value, class Submit, class Work>
  Value run_blocking(Submit submit, Work work) const {
    auto slot = std::make_shared<std::optional<Value>>();
    // Shared: the waiting side may wake, return and free its frame before set_value has quite returned on the other.
    auto promise = std::make_shared<std::promise<Result<void>>>();
    submit(*channel_, adapt<Value>(work, slot),
           [promise](Result<void> result) { promise->set_value(std::move(result)); });
    return join<Value>(promise->get_future().get(), slot);
  }

  std::shared_ptr<Channel<Scope>> channel_;
};

using TenantSession = Session<TenantScope>;
using ControlSession = Session<ControlScope>;

}  // namespace parley::db
