#pragma once

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "parley/base/time.h"
#include "parley/net/async.h"

namespace parley {

namespace detail {
// co_spawn hands its result over by way of a default-made one, which not every type has; so it goes past it.
template <class T>
asio::awaitable<void> keep(Async<T> work, std::optional<Result<T>>* outcome) {
  outcome->emplace(co_await std::move(work));
}
}  // namespace detail

/// Runs a coroutine to its end on an event loop of its own.
template <class T>
Result<T> wait(Async<T> work) {
  asio::io_context io;
  std::optional<Result<T>> outcome;
  asio::co_spawn(io, detail::keep(std::move(work), &outcome), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
  return std::move(*outcome);
}

/// A clock that moves when told to.
class ManualClock final : public Clock {
 public:
  Timestamp now() const override { return at_; }
  void advance(std::chrono::microseconds by) { at_ = at_ + by; }

 private:
  Timestamp at_{1'700'000'000'000'000};
};

}  // namespace parley
