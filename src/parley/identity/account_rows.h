#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/transaction.h"
#include "parley/identity/account_store.h"
#include "parley/identity/password_hasher.h"

namespace parley::identity {

/// Judges the password and hashes it, both off the event loop. `invalid_argument` for a weak one, `unavailable` if the
/// queue is full.
Async<std::string> hash_new_password(PasswordHasher& hasher, std::string email, Secret password);

/// The table of accounts, for the stores of this module.
namespace account_rows {

Result<std::optional<Account>> find(AccountId id, db::ControlReader& reader);
/// By an address in the spelling of `parse_email`.
Result<std::optional<Account>> find_by_email(std::string_view email, db::ControlReader& reader);
/// By address.
Result<std::vector<Account>> list(db::ControlReader& reader);
/// None if there is no such account.
Result<std::optional<std::string>> find_password_hash(AccountId id, db::ControlReader& reader);

/// `conflict` if the address has an account.
Result<void> insert(const Account& account, std::string_view password_hash, db::ControlWriter& writer);
Result<void> set_password_hash(AccountId id, std::string_view password_hash, db::ControlWriter& writer);
/// Somebody read a letter at the address. The first time counts.
Result<void> confirm(AccountId id, Timestamp now, db::ControlWriter& writer);

/// Links that were sent to the account and not used are good for nothing any more.
Result<void> end_links(AccountId id, Timestamp now, db::ControlWriter& writer);

}  // namespace account_rows
}  // namespace parley::identity
