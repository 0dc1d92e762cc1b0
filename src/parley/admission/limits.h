#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/evidence/action.h"
#include "parley/kv/rate.h"

namespace parley::admission {

using kv::Rate;

/// What a request costs us, as far as rates go.
enum class Work : std::uint8_t {
  request,          ///< anything at all, before a credential is read
  read,             ///< reading what is stored
  search,           ///< a search without an answer
  chat,             ///< a question
  expensive_model,  ///< a question for a model that is priced above the ordinary one; on top of `chat`
  tool,             ///< a tool call, also one that a model asks for
  upload,           ///< adding or changing documents
  webhook,          ///< something another system tells us
  log_in,           ///< trying a password, a code or a passkey
  mint_visitor,     ///< making a visitor token
};

/// Whom a count belongs to.
enum class Subject : std::uint8_t {
  address,       ///< callers without a secret key; IPv6 by /64
  visitor,       ///< one visitor token
  user,          ///< a signed-in person
  secret_key,    ///< a server's key
  public_key,    ///< a key that stands in a page, together with all visitors it vouched for
  project,       ///< everybody without a secret key on one project
  organisation,  ///< everybody on one tenant
  chat,          ///< one caller in one chat
  account,       ///< the account that somebody tries to get into
};

/// One line of the table of limits.
struct Limit {
  Literal name;  ///< of its key in `[limits]`, and what a refusal says
  Work work;
  Subject subject;
  Rate rate;    ///< unless `[limits]` says otherwise
  Literal why;  ///< of the number
};

/// Every limit there is, ordered by work. The one table: configuration, documentation, refusals and the tests of each
/// line read it.
std::span<const Limit> all_limits();
/// The lines of one kind of work.
std::span<const Limit> limits_of(Work work);

/// What an action costs, as the table counts.
Work work_of(Cost cost);

inline constexpr std::size_t limits_count = 53;

/// The rates in force. Complete from the start, so none is off by being left out.
class Limits {
 public:
  Limits();

  /// None for a name that is no limit's.
  static std::optional<std::size_t> find(std::string_view name);

  const Rate& operator[](std::size_t index) const { return rates_[index]; }
  Rate& operator[](std::size_t index) { return rates_[index]; }
  /// By name; a name that is no limit's gives the last line's, which the compiler of a test would not notice: only for
  /// literals of the table.
  Rate& of(Literal name) { return rates_[find(name).value_or(limits_count - 1)]; }
  const Rate& of(Literal name) const { return rates_[find(name).value_or(limits_count - 1)]; }

 private:
  std::array<Rate, limits_count> rates_;
};

}  // namespace parley::admission
