#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "parley/base/uuid.h"
#include "parley/crypto/keyring.h"
#include "parley/crypto/random.h"
#include "parley/db/store.h"
#include "parley/server/config.h"
#include "parley/server/data_lock.h"

namespace parley::server {

/// What to do about a folder that holds no Parley data: a mistyped name must not become an installation.
enum class Absent { refuse, create };

/// A data folder that this process holds: its lock, its configuration, its node id and the key that opens its contents.
/// What needs no more than the store (migrations, restoring) works on this; everything else on an `Installation`.
class DataFolder {
 public:
  /// How long a command waits for another that holds the folder.
  static constexpr std::chrono::seconds patience{5};

  /// Takes the lock (waiting `patience` for it), reads the configuration and the master key. A new folder gets a node
  /// id and, unless PARLEY_MASTER_KEY is set, a master key of its own; an old one never does: a second key would seal
  /// what the first cannot open. `not_found` for a folder without data, if that is not to be made; `conflict` if
  /// another process has it.
  static Result<DataFolder> open(std::filesystem::path path, Absent absent);

  const std::filesystem::path& path() const { return path_; }
  const Config& config() const { return config_; }
  const Uuid& node() const { return node_; }
  const crypto::Keyring& keyring() const { return *keyring_; }

  /// Opens the store this folder is configured for, and refuses (`invalid_argument`) if its contents are sealed under
  /// another master key. With `at_opening`, a store that another version of the program had is copied aside first.
  Result<std::unique_ptr<db::Store>> open_store(db::Migrate migrate) const;

 private:
  DataFolder(std::filesystem::path path, DataLock lock, Config config)
      : path_(std::move(path)), lock_(std::move(lock)), config_(std::move(config)) {}
  Result<std::unique_ptr<db::Store>> open_unchecked(db::Migrate migrate) const;
  Result<void> copy_before_upgrade() const;

  std::filesystem::path path_;
  DataLock lock_;
  Config config_;
  Uuid node_;
  std::unique_ptr<crypto::Keyring> keyring_;
};

/// Eight bytes of a key's name as hexadecimal digits.
std::string to_hex(const crypto::SealKeyId& id);

}  // namespace parley::server
