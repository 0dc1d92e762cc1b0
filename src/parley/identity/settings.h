#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/transaction.h"

namespace parley::identity {

/// Small facts of the whole installation, by name.
Result<std::optional<std::string>> find_setting(db::ControlReader& reader, Literal name);
Result<void> put_setting(db::ControlWriter& writer, Literal name, std::string_view value);

/// The id of this node, made at first use. For an installation of one node, whose control database is its own; where
/// several share one, each keeps its id in its data folder.
Result<Uuid> load_or_create_node_id(db::ControlWriter& writer, crypto::Random& random = crypto::system_random());

/// Something to do in a tenant's file at some time. Kept in the control database, so that a sweep opens only the files
/// of tenants that have something due.
struct Due {
  TenantId tenant;
  std::string kind;
  Timestamp at;
};

/// One entry per tenant and kind; the earlier time wins.
Result<void> put_due(db::ControlWriter& writer, TenantId tenant, Literal kind, Timestamp at);
/// What is due, oldest first.
Result<std::vector<Due>> list_due(db::ControlReader& reader, Timestamp now, std::int64_t count_max);
/// Done; unless it was put again for a later time meanwhile (`at` is the time that was listed).
Result<void> remove_due(db::ControlWriter& writer, TenantId tenant, std::string_view kind, Timestamp at);

}  // namespace parley::identity
