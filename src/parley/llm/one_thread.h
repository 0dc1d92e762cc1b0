#pragma once

#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace parley::llm {

namespace asio = boost::asio;

namespace detail {
// co_spawn hands its result over by way of a default-made one, which not every type has; so it goes past it.
template <class T>
asio::awaitable<void> keep(asio::awaitable<T> work, std::optional<T>* outcome) {
  outcome->emplace(co_await std::move(work));
}
}  // namespace detail

/// Runs `work` where no two threads meet in it: on an event loop as it is, on a pool of threads in a strand of its own.
/// A call to another server would otherwise have its deadline on one thread and its socket on another.
template <class T>
asio::awaitable<T> on_one_thread(asio::awaitable<T> work) {
  auto executor = co_await asio::this_coro::executor;
  if (executor.template target<asio::io_context::executor_type>()) co_return co_await std::move(work);
  std::optional<T> outcome;
  auto kept = detail::keep(std::move(work), &outcome);
  co_await asio::co_spawn(asio::make_strand(executor), std::move(kept), asio::use_awaitable);
  co_return *std::move(outcome);
}

}  // namespace parley::llm
