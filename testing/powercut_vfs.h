#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace parley::testing {

/// A SQLite VFS over the system's that knows what would be left after a power cut: of each file, what was there at its
/// last sync, and of what was written since, nothing or a random part.
///
///   PowercutVfs vfs("power");                    // SqliteOptions{.vfs = vfs.name()}
///   … writes …
///   vfs.cut();                                   // from now on every access fails, as without power
///   store.reset();                               // the program is gone
///   vfs.restore(Unsynced::random_part, seed);    // puts on the disk what the cut left there
///   … open again …
///
/// A file that is first seen while it exists counts as synced. Renames and folders are not modelled: make the files
/// first. Safe from any thread.
class PowercutVfs {
 public:
  explicit PowercutVfs(std::string name);
  ~PowercutVfs();
  PowercutVfs(const PowercutVfs&) = delete;
  PowercutVfs& operator=(const PowercutVfs&) = delete;

  const std::string& name() const;
  /// From now on databases that are opened without naming a VFS are on this one, for as long as it lives.
  void make_default();

  void cut();
  /// Cuts by itself at the n-th write, sync, truncation or deletion from now.
  void cut_after(std::uint64_t operations);
  bool is_cut() const;

  enum class Unsynced {
    lost,         ///< nothing that was not synced is left
    random_part,  ///< any subset of the unsynced writes, each whole or torn at a 512-byte sector; any order
  };
  void restore(Unsynced unsynced, std::uint64_t seed);

  /// While true, writes that would make a file longer fail as on a full disk.
  void set_full(bool full);

  std::uint64_t syncs() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace parley::testing
