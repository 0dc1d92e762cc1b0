#include "parley/admission/budgets.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "parley/crypto/random.h"

namespace parley::admission {

using namespace db::literals;

namespace {

/// Attempts to reserve: one that finds budgets the counters do not know, one after they were told, one more for a store
/// that was restarted in between.
constexpr int attempts_max = 3;
/// As many as there are open tenants at most; each holds the few limits its organisation has set.
constexpr std::size_t tenants_kept_max = 4'096;
/// Of one tenant's own limits; more are refused when setting them, so that reading them has a bound.
constexpr std::int64_t own_limits_max = 10'000;

/// One row of budget_spend.
struct Account {
  Payer payer;
  Uuid id;
  Period period;
  Span span;

  auto order() const { return std::tie(payer, id, period, span.starts_at); }
  bool operator<(const Account& other) const { return order() < other.order(); }
  std::string key(TenantId tenant) const {
    return fmt::format("{}/{}/{}/{}/{}", tenant.to_string(), name(payer).view(), id.to_string(), name(period).view(),
                       span.starts_at.micros / 1'000'000);
  }
};

std::vector<Account> accounts_of(const Spender& spender, Timestamp now) {
  std::vector<Account> accounts;
  for (const Period period : all_periods) {
    const Span span = span_of(period, now);
    if (spender.key) accounts.push_back({Payer::key, *spender.key, period, span});
    if (spender.user) accounts.push_back({Payer::user, *spender.user, period, span});
    accounts.push_back({Payer::project, spender.project.uuid(), period, span});
    accounts.push_back({Payer::organisation, spender.tenant.uuid(), period, span});
  }
  return accounts;
}

using OwnLimits = std::map<std::tuple<Payer, Uuid, Period>, Micros>;

template <class Enum, class All>
std::optional<Enum> named(std::string_view text, const All& all) {
  for (const Enum one : all)
    if (name(one).view() == text) return one;
  return std::nullopt;
}

Result<Micros> read_spent(db::TenantReader& reader, const Account& account) {
  const auto row = PARLEY_TRY(reader.find(
      "SELECT spent_micros FROM budget_spend "
      "WHERE subject = $1 AND subject_id = $2 AND period = $3 AND starts_at = $4"_sql,
      [](const db::Row& found) { return found.integer(0); }, name(account.payer).view(), account.id.to_string(),
      name(account.period).view(), account.span.starts_at));
  return row.value_or(0);
}

}  // namespace

std::optional<Micros> parse_money(std::string_view text) {
  const auto point = text.find('.');
  const auto whole_text = text.substr(0, point);
  const auto digits = [](std::string_view t) {
    return !t.empty() && std::ranges::all_of(t, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!digits(whole_text) || whole_text.size() > 10) return std::nullopt;
  Micros micros = 0;
  std::from_chars(whole_text.data(), whole_text.data() + whole_text.size(), micros);
  micros *= 1'000'000;
  if (point != std::string_view::npos) {
    const auto fraction = text.substr(point + 1);
    if (!digits(fraction) || fraction.size() > 6) return std::nullopt;
    Micros part = 0;
    std::from_chars(fraction.data(), fraction.data() + fraction.size(), part);
    for (std::size_t i = fraction.size(); i < 6; ++i) part *= 10;
    micros += part;
  }
  if (micros == 0 || micros > money_max) return std::nullopt;
  return micros;
}

Literal name(Payer payer) {
  switch (payer) {
    case Payer::key: return "key";
    case Payer::user: return "user";
    case Payer::project: return "project";
    case Payer::organisation: return "organisation";
  }
  std::unreachable();
}

Literal name(Period period) {
  switch (period) {
    case Period::day: return "day";
    case Period::month: return "month";
  }
  std::unreachable();
}

Literal budget_name(Payer payer, Period period) {
  const bool day = period == Period::day;
  switch (payer) {
    case Payer::key: return day ? Literal("budget_per_key_per_day") : Literal("budget_per_key_per_month");
    case Payer::user: return day ? Literal("budget_per_user_per_day") : Literal("budget_per_user_per_month");
    case Payer::project: return day ? Literal("budget_per_project_per_day") : Literal("budget_per_project_per_month");
    case Payer::organisation:
      return day ? Literal("budget_per_organisation_per_day") : Literal("budget_per_organisation_per_month");
  }
  std::unreachable();
}

Span span_of(Period period, Timestamp at) {
  using namespace std::chrono;
  const auto day = floor<days>(sys_time<microseconds>(microseconds(at.micros)));
  const auto micros_of = [](sys_days when) { return Timestamp{microseconds(when.time_since_epoch()).count()}; };
  if (period == Period::day) return {micros_of(day), micros_of(day + days(1))};
  const year_month_day date(day);
  const auto first = date.year() / date.month() / 1;
  return {micros_of(sys_days(first)), micros_of(sys_days(first + months(1)))};
}

class Budgets::Core : public std::enable_shared_from_this<Budgets::Core> {
 public:
  Core(db::Store& store, kv::Store& counters, const Clock& clock, BudgetLimits limits)
      : store_(store), counters_(counters), clock_(clock), limits_(limits) {}

  Async<Reservation> reserve(Spender spender, Micros amount);
  void settle(const Reservation::State& state, Micros cost);
  Async<> set_limit(TenantId tenant, Payer payer, Uuid id, Period period, Micros limit);
  Async<Micros> spent(TenantId tenant, Account account);
  Async<> flush();
  void forget(TenantId tenant);

 private:
  struct Kept {
    std::shared_ptr<const OwnLimits> limits;
    Timestamp read_at;
  };
  using Sums = std::map<Account, Micros>;

  Async<std::shared_ptr<const OwnLimits>> own_limits(TenantId tenant);
  Async<> make_known(TenantId tenant, std::vector<Account> accounts);
  Async<> write_out(TenantId tenant, Sums sums);
  Micros pending(TenantId tenant, const Account& account);

  db::Store& store_;
  kv::Store& counters_;
  const Clock& clock_;
  const BudgetLimits limits_;
  std::mutex mutex_;
  std::unordered_map<TenantId, Kept> kept_;
  std::unordered_map<TenantId, Sums> pending_;  ///< settled, not yet durable
};

struct Budgets::Reservation::State {
  std::shared_ptr<Core> core;
  TenantId tenant;
  std::vector<Account> accounts;
  std::optional<kv::Claim> claim;  ///< none for work that costs nothing
};

Budgets::Reservation::Reservation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Budgets::Reservation::Reservation(Reservation&& other) noexcept = default;
Budgets::Reservation& Budgets::Reservation::operator=(Reservation&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Budgets::Reservation::~Reservation() { settle(0); }

void Budgets::Reservation::settle(Micros cost) {
  if (!state_) return;
  const auto state = std::move(state_);
  state->core->settle(*state, std::clamp<Micros>(cost, 0, money_max));
}

Async<Budgets::Reservation> Budgets::Core::reserve(Spender spender, Micros amount) {
  const auto self = shared_from_this();
  if (amount < 0 || amount > money_max) co_return fail(Code::invalid_argument, "the cost is out of range");
  auto state = std::make_unique<Reservation::State>();
  state->core = self;
  state->tenant = spender.tenant;
  state->accounts = accounts_of(spender, clock_.now());
  if (amount == 0) co_return Reservation(std::move(state));

  const auto own = PARLEY_CO_TRY(co_await own_limits(spender.tenant));
  kv::Claim claim{
      .id = crypto::random_uuid().to_string(), .amount = amount, .lines = {}, .expires_in = reservation_expires_in};
  for (const Account& account : state->accounts) {
    const auto it = own->find({account.payer, account.id, account.period});
    const Micros limit = it == own->end() ? limits_.of(account.payer, account.period) : it->second;
    claim.lines.push_back({account.key(spender.tenant), limit, account.span.ends_at});
  }
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const auto reserved = PARLEY_CO_TRY(co_await counters_.reserve(claim));
    switch (reserved.outcome) {
      case kv::Reserved::Outcome::reserved: state->claim = std::move(claim); co_return Reservation(std::move(state));
      case kv::Reserved::Outcome::over: {
        const Account& full = state->accounts[reserved.which];
        const auto wait = std::chrono::ceil<std::chrono::seconds>(full.span.ends_at - clock_.now());
        co_return fail(Error(Code::budget_exceeded, "this budget is used up for now")
                           .about(budget_name(full.payer, full.period))
                           .retry_after(std::max(wait, std::chrono::seconds(1))));
      }
      case kv::Reserved::Outcome::unknown: break;
    }
    PARLEY_CO_TRY(co_await make_known(spender.tenant, state->accounts));
  }
  co_return fail(Code::unavailable, "the budgets cannot be counted now");
}

Micros Budgets::Core::pending(TenantId tenant, const Account& account) {
  const std::scoped_lock lock(mutex_);
  const auto sums = pending_.find(tenant);
  if (sums == pending_.end()) return 0;
  const auto it = sums->second.find(account);
  return it == sums->second.end() ? 0 : it->second;
}

Async<> Budgets::Core::make_known(TenantId tenant, std::vector<Account> accounts) {
  const auto session = store_.tenant(tenant);
  const auto durable =
      PARLEY_CO_TRY(co_await session.read([&accounts](db::TenantReader& reader) -> Result<std::vector<Micros>> {
        std::vector<Micros> sums;
        for (const Account& account : accounts) sums.push_back(PARLEY_TRY(read_spent(reader, account)));
        return sums;
      }));
  std::vector<kv::Spent> spent;
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    // What this node has settled and not yet written belongs to the sum. What is being written in just this moment is
    // in neither; the flush that writes it raises the sum right after.
    spent.push_back({accounts[i].key(tenant), durable[i] + pending(tenant, accounts[i]), accounts[i].span.ends_at});
  }
  co_return co_await counters_.raise(std::move(spent));
}

void Budgets::Core::settle(const Reservation::State& state, Micros cost) {
  if (cost > 0) {
    const std::scoped_lock lock(mutex_);
    Sums& sums = pending_[state.tenant];
    for (const Account& account : state.accounts) sums[account] += cost;
  }
  kv::Claim claim;
  if (state.claim) {
    claim = *state.claim;
  } else {
    // It was thought to cost nothing, so nothing was set aside.
    if (cost == 0) return;
    for (const Account& account : state.accounts)
      claim.lines.push_back({account.key(state.tenant), 0, account.span.ends_at});
  }
  counters_.settle(std::move(claim), cost);
}

Async<std::shared_ptr<const OwnLimits>> Budgets::Core::own_limits(TenantId tenant) {
  const Timestamp now = clock_.now();
  {
    const std::scoped_lock lock(mutex_);
    const auto it = kept_.find(tenant);
    // Either way round: a clock that jumped back must not keep them for ever.
    if (it != kept_.end() && std::chrono::abs(now - it->second.read_at) < limits_kept) co_return it->second.limits;
  }
  const auto session = store_.tenant(tenant);
  auto read = PARLEY_CO_TRY(co_await session.read([](db::TenantReader& reader) -> Result<OwnLimits> {
    OwnLimits limits;
    PARLEY_TRY(reader.each(
        "SELECT subject, subject_id, period, limit_micros FROM budget_limits LIMIT $1"_sql,
        [&](const db::Row& row) {
          const auto payer = named<Payer>(row.text(0), all_payers);
          const auto id = Uuid::parse(row.text(1));
          const auto period = named<Period>(row.text(2), all_periods);
          if (payer && id && period) limits[{*payer, *id, *period}] = row.integer(3);
        },
        own_limits_max));
    return limits;
  }));
  auto limits = std::make_shared<const OwnLimits>(std::move(read));
  const std::scoped_lock lock(mutex_);
  if (kept_.size() >= tenants_kept_max) kept_.clear();
  kept_[tenant] = {limits, now};
  co_return limits;
}

Async<> Budgets::Core::set_limit(TenantId tenant, Payer payer, Uuid id, Period period, Micros limit) {
  if (limit < 0 || limit > money_max) co_return fail(Code::invalid_argument, "the budget is out of range");
  const auto session = store_.tenant(tenant);
  PARLEY_CO_TRY(co_await session.write([=](db::TenantWriter& writer) -> Result<void> {
    const auto count = PARLEY_TRY(
        writer.find("SELECT count(*) FROM budget_limits"_sql, [](const db::Row& row) { return row.integer(0); }));
    if (count.value_or(0) >= own_limits_max) return fail(Code::conflict, "there are too many budgets");
    PARLEY_TRY(
        writer.run("INSERT INTO budget_limits (subject, subject_id, period, limit_micros) "
                   "VALUES ($1, $2, $3, $4) ON CONFLICT ({tenant}subject, subject_id, period) "
                   "DO UPDATE SET limit_micros = excluded.limit_micros"_sql,
                   name(payer).view(), id.to_string(), name(period).view(), limit));
    return {};
  }));
  const std::scoped_lock lock(mutex_);
  kept_.erase(tenant);
  co_return Result<void>();
}

Async<Micros> Budgets::Core::spent(TenantId tenant, Account account) {
  const auto session = store_.tenant(tenant);
  co_return co_await session.read([&account](db::TenantReader& reader) { return read_spent(reader, account); });
}

Async<> Budgets::Core::write_out(TenantId tenant, Sums sums) {
  const auto session = store_.tenant(tenant);
  auto written = co_await session.write([&sums](db::TenantWriter& writer) -> Result<std::vector<Micros>> {
    std::vector<Micros> totals;
    for (const auto& [account, cost] : sums) {
      const auto total = PARLEY_TRY(writer.find(
          "INSERT INTO budget_spend (subject, subject_id, period, starts_at, spent_micros) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT ({tenant}subject, subject_id, period, starts_at) "
          "DO UPDATE SET spent_micros = budget_spend.spent_micros + excluded.spent_micros RETURNING spent_micros"_sql,
          [](const db::Row& row) { return row.integer(0); }, name(account.payer).view(), account.id.to_string(),
          name(account.period).view(), account.span.starts_at, cost));
      totals.push_back(total.value_or(cost));
    }
    return totals;
  });
  if (!written) {
    // A tenant that was removed owes nothing.
    if (written.error().code() == Code::not_found) co_return Result<void>();
    const std::scoped_lock lock(mutex_);
    Sums& kept = pending_[tenant];
    for (const auto& [account, cost] : sums) kept[account] += cost;
    co_return fail(std::move(written).error());
  }
  // The durable sum holds what other nodes spent: nodes without shared counters learn of each other here, and counters
  // that were lost are whole again.
  std::vector<kv::Spent> spent;
  std::size_t i = 0;
  for (const auto& [account, cost] : sums)
    spent.push_back({account.key(tenant), (*written)[i++] + pending(tenant, account), account.span.ends_at});
  // Not an error of the flush: the sums are durable, and the next one says it again.
  (void)co_await counters_.raise(std::move(spent));
  co_return Result<void>();
}

Async<> Budgets::Core::flush() {
  std::unordered_map<TenantId, Sums> all;
  {
    const std::scoped_lock lock(mutex_);
    all.swap(pending_);
  }
  std::optional<Error> first;
  for (auto& [tenant, sums] : all)
    if (auto written = co_await write_out(tenant, std::move(sums)); !written && !first) first = written.error();
  if (first) co_return fail(*std::move(first));
  co_return Result<void>();
}

void Budgets::Core::forget(TenantId tenant) {
  const std::scoped_lock lock(mutex_);
  kept_.erase(tenant);
  pending_.erase(tenant);
}

Budgets::Budgets(db::Store& store, kv::Store& counters, const Clock& clock, BudgetLimits limits)
    : core_(std::make_shared<Core>(store, counters, clock, limits)) {}
Budgets::~Budgets() = default;

Async<Budgets::Reservation> Budgets::reserve(Spender spender, Micros amount) { return core_->reserve(spender, amount); }
Async<> Budgets::set_limit(TenantId tenant, Payer payer, Uuid id, Period period, Micros limit) {
  return core_->set_limit(tenant, payer, id, period, limit);
}
Async<Micros> Budgets::spent(TenantId tenant, Payer payer, Uuid id, Period period, Timestamp at) {
  return core_->spent(tenant, Account{payer, id, period, span_of(period, at)});
}
Async<> Budgets::flush() { return core_->flush(); }
void Budgets::forget(TenantId tenant) { core_->forget(tenant); }

}  // namespace parley::admission
