#pragma once

#include <cstdint>
#include <filesystem>

#include "parley/cli/command_line.h"
#include "parley/server/admin_socket.h"
#include "parley/server/installation.h"

namespace parley::cli {

struct BackupReport {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
};

/// Copies the store and the configuration into `folder` while everything goes on, and writes a manifest of what is
/// there: each file's size and SHA-256, the id of the master key that opens it, and a digest of the manifest itself.
/// The master key is not in it: whoever finds a backup has no content. Nor are the indexes, which are derived.
Result<BackupReport> back_up(server::Installation& at, const std::filesystem::path& folder);

/// The same, into the data folder's own `backups/`; gives where.
Result<std::filesystem::path> back_up_before_migration(server::Installation& at);

/// Checks that every file of a backup is byte for byte what was written. `data_corrupt` names the first that is not.
Result<BackupReport> verify_backup(const std::filesystem::path& folder);

/// `parley restore`: verifies a backup and, unless only that was asked for, makes the (absent or empty) data folder
/// from it, and begins a new epoch of every trail. Prints; gives the exit status.
int restore(const CommandLine& line, const Restore& command, server::Output& output);

}  // namespace parley::cli
