#include "parley/identity/account_rows.h"

namespace parley::identity {

using namespace db::literals;

Async<std::string> hash_new_password(PasswordHasher& hasher, std::string email, Secret password) {
  auto work = [&email, &password, cost = hasher.cost()]() -> Result<std::string> {
    PARLEY_TRY(check_password_strength(password, email));
    return crypto::hash_password(password, cost);
  };
  co_return co_await hasher.run(std::move(work));
}

namespace account_rows {
namespace {

Account account_from(const db::Row& row) {
  Account account;
  account.id = row.id<AccountId>(0);
  account.email = row.text(1);
  account.created_at = row.time(2);
  if (!row.is_null(3)) account.confirmed_at = row.time(3);
  if (!row.is_null(4)) account.disabled_at = row.time(4);
  return account;
}

}  // namespace

Result<std::optional<Account>> find(AccountId id, db::ControlReader& reader) {
  return reader.find("SELECT id, email, created_at, confirmed_at, disabled_at FROM accounts WHERE id = $1"_sql,
                     account_from, id);
}

Result<std::optional<Account>> find_by_email(std::string_view email, db::ControlReader& reader) {
  return reader.find("SELECT id, email, created_at, confirmed_at, disabled_at FROM accounts WHERE email = $1"_sql,
                     account_from, email);
}

Result<std::vector<Account>> list(db::ControlReader& reader) {
  return reader.all("SELECT id, email, created_at, confirmed_at, disabled_at FROM accounts ORDER BY email"_sql,
                    account_from);
}

Result<std::optional<std::string>> find_password_hash(AccountId id, db::ControlReader& reader) {
  return reader.find(
      "SELECT password_hash FROM accounts WHERE id = $1"_sql,
      [](const db::Row& row) { return std::string(row.text(0)); }, id);
}

Result<void> insert(const Account& account, std::string_view password_hash, db::ControlWriter& writer) {
  const auto made =
      PARLEY_TRY(writer.run("INSERT INTO accounts (id, email, password_hash, created_at, confirmed_at) "
                            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING"_sql,
                            account.id, account.email, password_hash, account.created_at, account.confirmed_at));
  if (made == 0) return fail(Code::conflict, "there is an account with that address");
  return {};
}

Result<void> set_password_hash(AccountId id, std::string_view password_hash, db::ControlWriter& writer) {
  const auto changed =
      PARLEY_TRY(writer.run("UPDATE accounts SET password_hash = $2 WHERE id = $1"_sql, id, password_hash));
  if (changed == 0) return fail(Code::not_found, "there is no such account");
  return {};
}

Result<void> confirm(AccountId id, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("UPDATE accounts SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL"_sql, id, now));
  return {};
}

Result<void> end_links(AccountId id, Timestamp now, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("UPDATE one_time_tokens SET used_at = $2 WHERE account_id = $1 AND used_at IS NULL"_sql, id, now));
  return {};
}

}  // namespace account_rows
}  // namespace parley::identity
