#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/net/async.h"
#include "parley/net/priority.h"

namespace parley::net {

/// Threads for what would hold up an event loop: SQLite, Xapian, Argon2, scans of large texts. A connection's coroutine
/// stays on its own core and awaits the result here.
class Workers {
 public:
  /// `threads` at least 1. More threads than cores is right for work that waits on a disk, wrong for work that
  /// computes.
  explicit Workers(std::size_t threads, Priority priority = Priority::usual) : priority_(priority), pool_(threads) {}
  ~Workers() { pool_.join(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  asio::thread_pool::executor_type executor() { return pool_.get_executor(); }

  /// Runs `work` (returns Result<T>) on a worker and resumes the caller on its own executor.
  ///   `auto hits = PARLEY_CO_TRY(co_await workers.run([&] { return index.search(query); }));`
  /// What `work` captures by reference must outlive the await; the caller's own frame does.
  template <class Work>
  auto run(Work work) -> asio::awaitable<std::invoke_result_t<Work>> {
    using Value = std::invoke_result_t<Work>;
    std::unique_ptr<Value> value =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::unique_ptr<Value>)>(
            [this](auto handler, Work job) {
              asio::post(pool_, [priority = priority_, handler = std::move(handler), job = std::move(job)]() mutable {
                // The pool has no hook for a thread's beginning; taking the same priority again costs one system call.
                take_priority(priority);
                auto done = std::make_unique<Value>(guarded(job));
                auto executor = asio::get_associated_executor(handler);
                asio::post(executor, [handler = std::move(handler), done = std::move(done)]() mutable {
                  std::move(handler)(std::move(done));
                });
              });
            },
            asio::use_awaitable, std::move(work));
    co_return std::move(*value);
  }

 private:
  /// An exception that leaves a worker's job ends the program; memory that ran out there is this one request's failure.
  template <class Work>
  static std::invoke_result_t<Work> guarded(Work& job) {
    try {
      return job();
    } catch (const std::exception& error) {
      return fail(Code::internal, "an unforeseen failure", error.what());
    }
  }

  const Priority priority_;
  asio::thread_pool pool_;
};

}  // namespace parley::net
