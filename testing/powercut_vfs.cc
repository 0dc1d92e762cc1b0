#include "testing/powercut_vfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <sstream>
#include <vector>

#include <sqlite3.h>

namespace parley::testing {
namespace {

constexpr std::size_t sector_bytes = 512;

/// One change since the last sync: bytes at an offset, or a cut to a length.
struct Change {
  std::size_t offset = 0;
  std::string bytes;
  bool truncates = false;
};

struct FileHistory {
  std::optional<std::string> durable;  ///< what is certainly on the disk; none: there is no such file
  std::vector<Change> pending;
  std::optional<std::string> ghost;  ///< deleted without a sync of the folder: it may come back
};

std::optional<std::string> load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return std::move(bytes).str();
}

void apply(std::string& content, const Change& change, std::size_t from, std::size_t to) {
  if (change.truncates) {
    content.resize(std::min(content.size(), change.offset));
    return;
  }
  if (content.size() < change.offset + to) content.resize(change.offset + to, '\0');
  std::copy_n(change.bytes.data() + from, to - from, content.data() + change.offset + from);
}

}  // namespace

struct PowercutVfs::State {
  sqlite3_vfs vfs{};
  sqlite3_vfs* below = nullptr;
  std::string name;

  mutable std::mutex mutex;
  std::map<std::string, FileHistory> files;
  bool cut = false;
  bool full = false;
  std::optional<std::uint64_t> cut_after;
  std::uint64_t syncs = 0;

  /// Whether there is still power for one more change. Call with the mutex held.
  bool powered() {
    if (cut) return false;
    if (cut_after && (*cut_after)-- == 0) {
      cut = true;
      return false;
    }
    return true;
  }
};

namespace {

struct File {
  sqlite3_file base;  // must be first: SQLite sees only this
  PowercutVfs::State* state;
  std::string* path;  // null for a temporary file, which no crash needs
  // tidy: allow reinterpret_cast, SQLite hands out raw memory
  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

// tidy: allow reinterpret_cast, SQLite hands out raw memory
File& mine(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
PowercutVfs::State& state_of(sqlite3_vfs* vfs) { return *static_cast<PowercutVfs::State*>(vfs->pAppData); }

int close_file(sqlite3_file* file) {
  delete mine(file).path;  // tidy: allow delete, as `new` below
  return mine(file).below()->pMethods->xClose(mine(file).below());
}
int read_file(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  {
    const std::lock_guard lock(mine(file).state->mutex);
    if (mine(file).state->cut) return SQLITE_IOERR_READ;
  }
  return mine(file).below()->pMethods->xRead(mine(file).below(), bytes, count, offset);
}
int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  auto& state = *mine(file).state;
  const std::lock_guard lock(state.mutex);
  if (!state.powered()) return SQLITE_IOERR_WRITE;
  if (state.full) {
    sqlite3_int64 size = 0;
    mine(file).below()->pMethods->xFileSize(mine(file).below(), &size);
    if (offset + count > size) return SQLITE_FULL;
  }
  const int code = mine(file).below()->pMethods->xWrite(mine(file).below(), bytes, count, offset);
  if (code == SQLITE_OK && mine(file).path != nullptr) {
    state.files[*mine(file).path].pending.push_back(
        {static_cast<std::size_t>(offset),
         std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(count)), false});
  }
  return code;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  auto& state = *mine(file).state;
  const std::lock_guard lock(state.mutex);
  if (!state.powered()) return SQLITE_IOERR_TRUNCATE;
  const int code = mine(file).below()->pMethods->xTruncate(mine(file).below(), size);
  if (code == SQLITE_OK && mine(file).path != nullptr) {
    state.files[*mine(file).path].pending.push_back({static_cast<std::size_t>(size), {}, true});
  }
  return code;
}
int sync_file(sqlite3_file* file, int) {
  auto& state = *mine(file).state;
  const std::lock_guard lock(state.mutex);
  if (!state.powered()) return SQLITE_IOERR_FSYNC;
  ++state.syncs;
  if (mine(file).path == nullptr) return SQLITE_OK;
  auto& history = state.files[*mine(file).path];
  if (!history.durable) history.durable.emplace();
  for (const auto& change : history.pending) apply(*history.durable, change, 0, change.bytes.size());
  history.pending.clear();
  history.ghost.reset();
  return SQLITE_OK;  // the model remembers it; the real disk need not
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return mine(file).below()->pMethods->xFileSize(mine(file).below(), size);
}
int lock_file(sqlite3_file* file, int level) { return mine(file).below()->pMethods->xLock(mine(file).below(), level); }
int unlock_file(sqlite3_file* file, int level) {
  return mine(file).below()->pMethods->xUnlock(mine(file).below(), level);
}
int check_reserved_lock(sqlite3_file* file, int* reserved) {
  return mine(file).below()->pMethods->xCheckReservedLock(mine(file).below(), reserved);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  // The system's would change the file's length past us.
  if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
  return mine(file).below()->pMethods->xFileControl(mine(file).below(), operation, argument);
}
int sector_size(sqlite3_file*) { return static_cast<int>(sector_bytes); }
// Nothing is promised, no atomic writes either: SQLite must make do with the weakest disk.
int device_characteristics(sqlite3_file*) { return 0; }
int map_shared(sqlite3_file* file, int region, int size, int extend, void volatile** at) {
  return mine(file).below()->pMethods->xShmMap(mine(file).below(), region, size, extend, at);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return mine(file).below()->pMethods->xShmLock(mine(file).below(), offset, count, flags);
}
void barrier(sqlite3_file* file) { mine(file).below()->pMethods->xShmBarrier(mine(file).below()); }
int unmap_shared(sqlite3_file* file, int remove) {
  return mine(file).below()->pMethods->xShmUnmap(mine(file).below(), remove);
}

// Version 2: shared memory for the write-ahead log, no memory-mapped reads.
const sqlite3_io_methods methods{2,
                                 close_file,
                                 read_file,
                                 write_file,
                                 truncate_file,
                                 sync_file,
                                 file_size,
                                 lock_file,
                                 unlock_file,
                                 check_reserved_lock,
                                 file_control,
                                 sector_size,
                                 device_characteristics,
                                 map_shared,
                                 lock_shared,
                                 barrier,
                                 unmap_shared,
                                 nullptr,
                                 nullptr};

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& state = state_of(vfs);
  file->pMethods = nullptr;
  mine(file).state = &state;
  mine(file).path = nullptr;
  const std::lock_guard lock(state.mutex);
  if (state.cut) return SQLITE_CANTOPEN;
  if (path != nullptr && !state.files.contains(path)) state.files[path].durable = load(path);
  const int code = state.below->xOpen(state.below, path, mine(file).below(), flags, out_flags);
  if (code != SQLITE_OK) return code;
  if (path != nullptr) mine(file).path = new std::string(path);  // tidy: allow new, SQLite owns the memory around it
  file->pMethods = &methods;
  return SQLITE_OK;
}
int delete_file(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  auto& state = state_of(vfs);
  const std::lock_guard lock(state.mutex);
  if (!state.powered()) return SQLITE_IOERR_DELETE;
  const int code = state.below->xDelete(state.below, path, 0);
  auto& history = state.files[path];
  auto ghost = history.durable ? std::move(history.durable) : std::move(history.ghost);
  history = {};
  if (sync_folder == 0) history.ghost = std::move(ghost);
  return code;
}
int access_file(sqlite3_vfs* vfs, const char* path, int flags, int* result) {
  auto& state = state_of(vfs);
  return state.below->xAccess(state.below, path, flags, result);
}
int full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  auto& state = state_of(vfs);
  return state.below->xFullPathname(state.below, path, size, out);
}
int randomness(sqlite3_vfs* vfs, int size, char* out) {
  auto& state = state_of(vfs);
  return state.below->xRandomness(state.below, size, out);
}
int sleep_for(sqlite3_vfs* vfs, int micros) {  // tidy: allow sleep_for, a function of the VFS interface
  auto& state = state_of(vfs);
  return state.below->xSleep(state.below, micros);
}
int current_time(sqlite3_vfs* vfs, double* now) {
  auto& state = state_of(vfs);
  return state.below->xCurrentTime(state.below, now);
}
int last_error(sqlite3_vfs* vfs, int size, char* out) {
  auto& state = state_of(vfs);
  return state.below->xGetLastError(state.below, size, out);
}
int current_time_64(sqlite3_vfs* vfs, sqlite3_int64* now) {
  auto& state = state_of(vfs);
  return state.below->xCurrentTimeInt64(state.below, now);
}

}  // namespace

PowercutVfs::PowercutVfs(std::string name) : state_(std::make_unique<State>()) {
  auto& state = *state_;
  state.name = std::move(name);
  state.below = sqlite3_vfs_find(nullptr);
  state.vfs.iVersion = 2;
  state.vfs.szOsFile = static_cast<int>(sizeof(File)) + state.below->szOsFile;
  state.vfs.mxPathname = state.below->mxPathname;
  state.vfs.zName = state.name.c_str();
  state.vfs.pAppData = &state;
  state.vfs.xOpen = open_file;
  state.vfs.xDelete = delete_file;
  state.vfs.xAccess = access_file;
  state.vfs.xFullPathname = full_path;
  state.vfs.xRandomness = randomness;
  state.vfs.xSleep = sleep_for;  // tidy: allow sleep_for, a function of the VFS interface
  state.vfs.xCurrentTime = current_time;
  state.vfs.xGetLastError = last_error;
  state.vfs.xCurrentTimeInt64 = current_time_64;
  sqlite3_vfs_register(&state.vfs, 0);
}

PowercutVfs::~PowercutVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& PowercutVfs::name() const { return state_->name; }

void PowercutVfs::make_default() { sqlite3_vfs_register(&state_->vfs, 1); }

void PowercutVfs::cut() {
  const std::lock_guard lock(state_->mutex);
  state_->cut = true;
}

void PowercutVfs::cut_after(std::uint64_t operations) {
  const std::lock_guard lock(state_->mutex);
  state_->cut_after = operations;
}

bool PowercutVfs::is_cut() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cut;
}

void PowercutVfs::set_full(bool full) {
  const std::lock_guard lock(state_->mutex);
  state_->full = full;
}

std::uint64_t PowercutVfs::syncs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->syncs;
}

void PowercutVfs::restore(Unsynced unsynced, std::uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  std::mt19937_64 random(seed);
  for (auto& [path, history] : state_->files) {
    const bool on_disk = ::access(path.c_str(), F_OK) == 0;
    // Renamed away by its maker, after a sync of its own.
    if (!on_disk && !history.ghost && history.pending.empty()) continue;
    auto content = history.durable;
    if (history.ghost && (unsynced == Unsynced::lost || random() % 2 == 0)) {
      content = history.ghost;
    } else if (unsynced == Unsynced::random_part) {
      std::shuffle(history.pending.begin(), history.pending.end(), random);
      for (const auto& change : history.pending) {
        if (random() % 2 == 0) continue;
        if (!content) content.emplace();  // a name may reach the disk before any content
        std::size_t from = 0;
        std::size_t to = change.bytes.size();
        if (random() % 4 == 0) from = std::min(to, random() % (to + 1) / sector_bytes * sector_bytes);
        if (random() % 4 == 0) to = std::max(from, random() % (to + 1) / sector_bytes * sector_bytes);
        apply(*content, change, from, to);
      }
    }
    if (content) std::ofstream(path, std::ios::binary | std::ios::trunc) << *content;
    else ::unlink(path.c_str());
  }
  state_->files.clear();  // what is on the disk now is where the next life begins
  state_->cut = false;
  state_->cut_after.reset();
}

}  // namespace parley::testing
