#pragma once

#include <cstdint>
#include <filesystem>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/db/store.h"

namespace parley::server {

class DataFolder;

struct BackupReport {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
};

/// Copies the store, the node id and the configuration into `to` while everything goes on, and writes a manifest of
/// what is there: each file's size and SHA-256, the id of the master key that opens it, and a digest of the manifest
/// itself. The master key is not in it: whoever finds a backup has no content. Nor are the indexes, which are derived.
/// `conflict` unless `to` is absent or empty; `unsupported` on PostgreSQL.
Result<BackupReport> back_up(db::Store& store, const DataFolder& from, const std::filesystem::path& to);

/// Checks that every file of a backup is byte for byte what was written, and that there is no other. `data_corrupt`
/// names the first that is not. Answers for whatever stands at that path, so a hostile backup is refused, not followed.
Result<BackupReport> verify_backup(const std::filesystem::path& folder);

struct RestoreReport {
  BackupReport backup;
  std::int64_t tenants = 0;
};

/// Verifies a backup and makes `data` from it, whole or not at all: `data` must be absent, or hold nothing but
/// master.key. The master key that the backup was made under has to be there or in the environment. Every trail goes on
/// in a new epoch, recorded as the deed of the user `uid`.
Result<RestoreReport> restore_backup(const std::filesystem::path& from, const std::filesystem::path& data,
                                     std::uint32_t uid);

}  // namespace parley::server
