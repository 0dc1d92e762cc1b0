#pragma once

// Internal to trail/: how a record is read from its row.
#include "parley/db/transaction.h"
#include "parley/trail/record.h"

namespace parley::trail {

/// Columns in the order of StoredRecord.
inline StoredRecord record_from(const db::Row& row) {
  return {.node = std::string(row.text(0)),
          .seq = row.integer(1),
          .epoch = row.integer(2),
          .at = row.integer(3),
          .kind = std::string(row.text(4)),
          .actor_kind = std::string(row.text(5)),
          .actor_id = std::string(row.text(6)),
          .action = std::string(row.text(7)),
          .object_kind = std::string(row.text(8)),
          .object_id = std::string(row.text(9)),
          .decision = std::string(row.text(10)),
          .rule = std::string(row.text(11)),
          .request_id = std::string(row.text(12)),
          .quantity = row.integer(13),
          .reference = std::string(row.text(14)),
          .prev = std::string(row.blob(15)),
          .hash = std::string(row.blob(16))};
}

}  // namespace parley::trail
