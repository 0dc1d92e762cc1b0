#pragma once

#include <optional>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/transaction.h"
#include "parley/identity/session_store.h"
#include "parley/identity/sign_in.h"

namespace parley::identity {

// Which kinds of second factor an account has. Each kind keeps what belongs to it in tables of its own; the store of a
// kind calls these in the transaction that adds the account's first of that kind or removes its last.

/// Confirmed ones only; a recovery code is none of these, since it stands in for one.
Result<std::vector<FactorKind>> list_factors(AccountId account, db::ControlReader& reader);
/// What asks for a second factor at sign-in. More than `list_factors` knows: a newer version's kind counts as well.
Result<bool> has_factor(AccountId account, db::ControlReader& reader);

/// The first factor of all also ends the account's other sessions: a password alone began them.
Result<void> add_factor(AccountId account, FactorKind kind, std::optional<SessionId> keep, Timestamp now,
                        db::ControlWriter& writer);

/// With the last one go the recovery codes. `conflict` if it is the last and one of the account's organisations
/// requires a second factor.
Result<void> drop_factor(AccountId account, FactorKind kind, db::ControlWriter& writer);

}  // namespace parley::identity
