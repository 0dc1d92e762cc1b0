#include "parley/identity/factor_rows.h"

#include "parley/identity/control_by_tenant.h"

namespace parley::identity {

using namespace db::literals;

Result<std::vector<FactorKind>> list_factors(AccountId account, db::ControlReader& reader) {
  std::vector<FactorKind> kinds;
  PARLEY_TRY(reader.each(
      "SELECT kind FROM second_factors WHERE account_id = $1 ORDER BY since, kind"_sql,
      [&](const db::Row& row) {
        if (const auto kind = parse_factor_kind(row.text(0))) kinds.push_back(*kind);
      },
      account));
  return kinds;
}

Result<bool> has_factor(AccountId account, db::ControlReader& reader) {
  const auto found = PARLEY_TRY(reader.find(
      "SELECT 1 FROM second_factors WHERE account_id = $1 LIMIT 1"_sql, [](const db::Row&) { return true; }, account));
  return found.has_value();
}

Result<void> add_factor(AccountId account, FactorKind kind, std::optional<SessionId> keep, Timestamp now,
                        db::ControlWriter& writer) {
  if (!PARLEY_TRY(has_factor(account, writer))) PARLEY_TRY(end_sessions(writer, account, now, keep));
  PARLEY_TRY(
      writer.run("INSERT INTO second_factors (account_id, kind, since) VALUES ($1, $2, $3) "
                 "ON CONFLICT (account_id, kind) DO NOTHING"_sql,
                 account, name(kind), now));
  return {};
}

Result<void> drop_factor(AccountId account, FactorKind kind, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM second_factors WHERE account_id = $1 AND kind = $2"_sql, account, name(kind)));
  if (PARLEY_TRY(has_factor(account, writer))) return {};
  for (const auto& membership : PARLEY_TRY(by_tenant::list_memberships(account, writer)))
    if (PARLEY_TRY(by_tenant::requires_second_factor(membership.tenant, writer)))
      return fail(Code::conflict, "an organisation of yours requires a second factor; set up another one first");
  PARLEY_TRY(writer.run("DELETE FROM recovery_codes WHERE account_id = $1"_sql, account));
  return {};
}

}  // namespace parley::identity
