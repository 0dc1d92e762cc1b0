#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parley/base/literal.h"

namespace parley {

/// What went wrong, as far as a caller must act on it. `api/` maps each to one HTTP status in one exhaustive switch.
enum class Code {
  invalid_argument,   ///< the request cannot be right as written
  unauthenticated,    ///< no credential, or one that does not hold
  permission_denied,  ///< known caller, not allowed
  not_found,          ///< absent, or another tenant's: the two must look the same
  conflict,           ///< the state has moved on, or the thing exists
  too_large,          ///< over a documented limit of size
  unsupported,        ///< a media type, method or feature that is not offered
  rate_limited,       ///< over a documented limit of rate
  budget_exceeded,    ///< over a documented limit of spend
  timeout,            ///< a deadline passed
  unavailable,        ///< a part we need does not answer now; trying again may help
  storage_full,       ///< the disk refused a write; nothing was changed
  data_corrupt,       ///< stored bytes are not what was written
  cancelled,          ///< the caller left
  internal,           ///< a mistake of ours
};

/// Stable lower-case name, e.g. "rate_limited". It is the `code` of a JSON error and part of the public contract.
std::string_view name(Code code);

/// An error with two audiences. `reason` is a literal and may be shown to anybody. `detail` is for the operator's log
/// alone; no formatter and no wire type reads it, so what a library or a provider said cannot reach a client by way of
/// it.
class Error {
 public:
  Error(Code code, Literal reason, std::string detail = {})
      : code_(code), reason_(reason), detail_(std::move(detail)) {}

  Code code() const { return code_; }
  Literal reason() const { return reason_; }
  /// What the reason is about, where there is one: a field's or a limit's name. A literal too, so as safe to show.
  std::string_view subject() const { return subject_; }
  const std::string& operator_detail() const { return detail_; }

  /// The same error, about a named field or limit.
  Error about(Literal subject) && {
    subject_ = subject.view();
    return std::move(*this);
  }

  /// The same error, with when it is worth trying again.
  Error retry_after(std::chrono::seconds wait) && {
    retry_after_ = wait;
    return std::move(*this);
  }
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }

  /// The same error, with more for the operator in front of what is already there.
  Error with_detail(std::string more) && {
    detail_ = detail_.empty() ? std::move(more) : std::move(more) + ": " + detail_;
    return std::move(*this);
  }

 private:
  Code code_;
  Literal reason_;
  std::string_view subject_;
  std::optional<std::chrono::seconds> retry_after_;
  std::string detail_;
};

/// One line for an operator's terminal: "reason (code): detail". Never for a client.
std::string describe_for_operator(const Error& error);

}  // namespace parley
