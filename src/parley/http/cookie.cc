#include "parley/http/cookie.h"

#include <algorithm>

#include "parley/http/ascii.h"

namespace parley::http {
namespace {

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the cookie cannot be read; remove this site's cookies and sign in again",
              std::move(why));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto from = text.find_first_not_of(blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

bool is_value(std::string_view value) {
  return !value.empty() && value.size() <= cookie_value_bytes_max && std::ranges::all_of(value, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '~';
  });
}

}  // namespace

Result<std::optional<std::string_view>> find_cookie(const RequestHead& head, Literal name) {
  std::optional<std::string_view> field;
  for (const auto& header : head.headers) {
    if (!ascii::equal_ignoring_case(header.name, "cookie")) continue;
    if (field) return refuse("two Cookie headers");
    field = header.value;
  }
  std::optional<std::string_view> found;
  while (field) {
    const auto end = field->find(';');
    const auto pair = trimmed(field->substr(0, end));
    const auto equals = pair.find('=');
    const auto before = pair.substr(0, equals);
    // Blanks before '=' are another reader's matter of opinion, so a name that is ours only without them is refused.
    if (trimmed(before) == name.view()) {
      if (found) return refuse("the cookie twice");
      if (equals == std::string_view::npos || before != name.view() || !is_value(pair.substr(equals + 1)))
        return refuse("another spelling");
      found = pair.substr(equals + 1);
    }
    field = end == std::string_view::npos ? std::nullopt : std::optional(field->substr(end + 1));
  }
  return found;
}

}  // namespace parley::http
