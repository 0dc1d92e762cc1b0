#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

#include "parley/base/result.h"
#include "parley/db/transaction.h"

namespace parley::db::sqlite {

enum class Access { write, read };
enum class Durability {
  each_commit,  ///< a commit returns after its sync
  none,         ///< for a file that is not yet anybody's, synced as a whole by its maker
};

struct ConnectionOptions {
  Access access = Access::write;
  Durability durability = Durability::each_commit;
  enum class Create { no, yes } create = Create::no;
  int cache_kib = 64;               ///< page cache
  std::size_t statements_max = 24;  ///< prepared statements kept
  std::string vfs;
};

/// One SQLite connection and its prepared statements. For one thread at a time.
class Connection {
 public:
  /// `not_found` if there is no such file and none is to be made.
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file, const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs any number of statements, without parameters or rows: for schemas and settings.
  Result<void> run_script(const std::string& text);

  /// Runs one statement. `sql` is static and NUL-terminated: prepared statements are kept by its address.
  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values = {},
                               const Statements::OnRow* on_row = nullptr);

  /// False as well after an error for which SQLite undid the transaction by itself (full disk, out of memory).
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// Leaves no transaction open.
  void roll_back();
  /// Gives back the memory of pages that are not in use.
  void shrink() { sqlite3_db_release_memory(handle_); }

 private:
  struct Prepared {
    const char* key = nullptr;
    sqlite3_stmt* statement = nullptr;
    std::uint64_t used = 0;
    std::vector<std::uint16_t> parameters;  ///< which value each of SQLite's parameters takes: `$2` may stand first
    std::size_t values = 0;
  };

  Connection(sqlite3* handle, std::size_t statements_max) : handle_(handle), statements_max_(statements_max) {}
  Result<Prepared*> prepare(std::string_view sql);
  Result<std::int64_t> step_through(Prepared& prepared, const Statements::OnRow* on_row);
  std::unexpected<Error> failed(int code, Literal doing) const;

  sqlite3* handle_;
  std::size_t statements_max_;
  std::vector<Prepared> statements_;
  std::uint64_t uses_ = 0;
  bool handing_out_rows_ = false;
};

}  // namespace parley::db::sqlite
