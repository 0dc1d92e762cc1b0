#pragma once

#include <expected>
#include <string>
#include <utility>

#include "parley/base/error.h"

namespace parley {

/// A value, or why there is none. Every function that can fail returns one; exceptions end in the adapter that calls
/// the library that throws them.
template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(Code::not_found, "no such project", slug);`
inline std::unexpected<Error> fail(Code code, Literal reason, std::string detail = {}) {
  return std::unexpected(Error(code, reason, std::move(detail)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

namespace detail {
// `void` results have nothing to move out, so the macros go through here rather than through `*result`.
template <class T>
T take(std::expected<T, Error>& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace detail

}  // namespace parley

// Each use gets a variable of its own name (__COUNTER__), so that one may stand inside another's argument.
#define PARLEY_DETAIL_TRY(result, leave, ...)           \
  ({                                                    \
    auto result = (__VA_ARGS__);                        \
    if (!result) [[unlikely]]                           \
      leave std::unexpected(std::move(result).error()); \
    ::parley::detail::take(result);                     \
  })
#define PARLEY_DETAIL_TRY_NAMED(counter, leave, ...) PARLEY_DETAIL_TRY_PASTED(counter, leave, __VA_ARGS__)
#define PARLEY_DETAIL_TRY_PASTED(counter, leave, ...) PARLEY_DETAIL_TRY(parley_try_##counter, leave, __VA_ARGS__)

/// The value of a Result, or an early return of its error: `auto key = PARLEY_TRY(parse_key(text));`
#define PARLEY_TRY(...) PARLEY_DETAIL_TRY_NAMED(__COUNTER__, return, __VA_ARGS__)

/// The same inside a coroutine: `auto chat = PARLEY_CO_TRY(co_await chats.load(id));`
#define PARLEY_CO_TRY(...) PARLEY_DETAIL_TRY_NAMED(__COUNTER__, co_return, __VA_ARGS__)
