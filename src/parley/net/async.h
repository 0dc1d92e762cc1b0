#pragma once

#include <boost/asio/awaitable.hpp>

#include "parley/base/result.h"

namespace parley {

namespace asio = boost::asio;

/// A coroutine that ends in a Result. Parameters are taken by value: a reference may be gone when it resumes.
template <class T = void>
using Async = asio::awaitable<Result<T>>;

}  // namespace parley
