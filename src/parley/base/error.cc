#include "parley/base/error.h"

#include <fmt/format.h>

namespace parley {

std::string_view name(Code code) {
  switch (code) {
    case Code::invalid_argument: return "invalid_argument";
    case Code::unauthenticated: return "unauthenticated";
    case Code::permission_denied: return "permission_denied";
    case Code::not_found: return "not_found";
    case Code::conflict: return "conflict";
    case Code::too_large: return "too_large";
    case Code::unsupported: return "unsupported";
    case Code::rate_limited: return "rate_limited";
    case Code::budget_exceeded: return "budget_exceeded";
    case Code::timeout: return "timeout";
    case Code::unavailable: return "unavailable";
    case Code::storage_full: return "storage_full";
    case Code::data_corrupt: return "data_corrupt";
    case Code::cancelled: return "cancelled";
    case Code::internal: return "internal";
  }
  std::unreachable();
}

std::string describe_for_operator(const Error& error) {
  if (error.operator_detail().empty()) return fmt::format("{} ({})", error.reason().view(), name(error.code()));
  return fmt::format("{} ({}): {}", error.reason().view(), name(error.code()), error.operator_detail());
}

}  // namespace parley
