#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parley/base/time.h"
#include "parley/db/store.h"
#include "parley/evidence/proofs.h"
#include "parley/kv/store.h"
#include "parley/net/async.h"

namespace parley::admission {

/// Money in millionths of the unit that prices are given in.
using kv::Micros;

/// A thousand million units: sums of all nodes stay exact in the shared store's arithmetic.
inline constexpr Micros money_max = 1'000'000'000'000'000;

/// "5", "0.25", "12.000001": above nought, at most six digits behind the point. None otherwise.
std::optional<Micros> parse_money(std::string_view text);

enum class Payer : std::uint8_t { key, user, project, organisation };
inline constexpr std::array all_payers{Payer::key, Payer::user, Payer::project, Payer::organisation};
enum class Period : std::uint8_t { day, month };
inline constexpr std::array all_periods{Period::day, Period::month};
Literal name(Payer payer);
Literal name(Period period);
/// "budget_per_key_per_day": its key in `[admission]`, and what a refusal says.
Literal budget_name(Payer payer, Period period);

/// The calendar day or month, in UTC, that a moment is in.
struct Span {
  Timestamp starts_at;
  Timestamp ends_at;
};
Span span_of(Period period, Timestamp at);

/// What each may spend where its organisation has set nothing else. Complete from the start, so none is off by being
/// left out. The organisation's is what a small installation would not want to be surprised by; one project may use it
/// all, since most have one; a key half, since a leaked one is the likeliest mistake; a person a tenth.
struct BudgetLimits {
  Micros& of(Payer payer, Period period) {
    return micros[static_cast<std::size_t>(payer)][static_cast<std::size_t>(period)];
  }
  Micros of(Payer payer, Period period) const {
    return micros[static_cast<std::size_t>(payer)][static_cast<std::size_t>(period)];
  }
  static constexpr Micros unit = 1'000'000;
  Micros micros[4][2] = {
      {10 * unit, 100 * unit}, {2 * unit, 20 * unit}, {20 * unit, 200 * unit}, {20 * unit, 200 * unit}};
};

/// Who pays for a piece of work.
struct Spender {
  TenantId tenant;
  ProjectId project;
  std::optional<Uuid> key;
  std::optional<Uuid> user;
};

/// The payers of permitted work. The tenant is the permission's, so nobody spends another's money.
template <Action A>
Spender spender_of(const Authorized<A>& permit) {
  Spender spender{.tenant = permit.project().tenant, .project = permit.project().project, .key = {}, .user = {}};
  const Principal& who = permit.who();
  switch (who.kind) {
    case PrincipalKind::anonymous:
    case PrincipalKind::visitor: break;
    case PrincipalKind::secret_key:
    case PrincipalKind::public_key: spender.key = who.id; break;
    default: spender.user = who.id; break;  // everybody else is a person with an account
  }
  return spender;
}

/// Spending, kept within budgets. Safe from any thread.
///
/// The running sums are in the counters (this node's or all nodes'), the durable ones in each tenant's database,
/// written by `flush`. What a crash loses: what this node has settled since the last flush (a second, when called each
/// second) and what was running. With counters shared in Redis, only the durable sums miss it, until Redis forgets as
/// well.
class Budgets {
 private:
  class Core;

 public:
  /// An amount set aside. Released when the value goes, unless it was settled; should the process go, it expires.
  class [[nodiscard]] Reservation {
   public:
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation();

    /// Ends it with the real cost, which may also be above what was set aside: then the budget is overdrawn by that,
    /// and refuses until the period ends. Once; later calls do nothing. Does not wait.
    void settle(Micros cost);

   private:
    friend class Core;
    struct State;
    explicit Reservation(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  /// All references must outlive this object and every reservation of it.
  Budgets(db::Store& store, kv::Store& counters, const Clock& clock, BudgetLimits limits);
  ~Budgets();

  /// Sets the most that the work may cost aside in every budget it is charged to (key, user, project, organisation, by
  /// day and month), or in none. `budget_exceeded`, about the budget's name (e.g. "budget_per_key_per_day") and with
  /// when its period ends, if one has no room. Fails closed: an error of the counters or of the database is the answer.
  /// Work that costs nothing (an amount of nought) always passes.
  Async<Reservation> reserve(Spender spender, Micros amount);

  /// What an organisation allows one of its payers instead of the configured limit. Durable when it returns; on this
  /// node at once, on others within `limits_kept`.
  Async<> set_limit(TenantId tenant, Payer payer, Uuid id, Period period, Micros limit);
  /// What that payer has spent in the period that `at` is in, as far as it is durable.
  Async<Micros> spent(TenantId tenant, Payer payer, Uuid id, Period period, Timestamp at);

  /// Writes what was settled since the last time. Call it every second, and at shutdown when no reservation is open
  /// any more. What could not be written is kept for the next time.
  Async<> flush();

  /// Drops everything held about a tenant that is being removed.
  void forget(TenantId tenant);

 private:
  std::shared_ptr<Core> core_;
};

/// Longer than any turn may take: what stands longer belongs to a process that is gone.
inline constexpr std::chrono::minutes reservation_expires_in{15};
/// For how long another node's change of a limit may go unnoticed.
inline constexpr std::chrono::seconds limits_kept{10};

}  // namespace parley::admission
