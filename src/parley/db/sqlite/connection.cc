#include "parley/db/sqlite/connection.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>

#include <fmt/format.h>

namespace parley::db::sqlite {
namespace {

// Only another program on the same file (a shell, a file-level backup) can hold a lock; it gets this long to let go.
constexpr std::chrono::milliseconds busy_timeout{5000};
// The write-ahead log is cut back to this after a checkpoint, so that one large import does not stay on disk for good.
constexpr int journal_bytes_max = 1 << 20;
// SQLite's default keeps 120 KB of small blocks a connection whether used or not: 120 MB at 512 open tenants.
constexpr int lookaside_block_bytes = 256;
constexpr int lookaside_blocks = 32;

class StatementRow final : public Row {
 public:
  explicit StatementRow(sqlite3_stmt* statement) : statement_(statement) {}

  bool is_null(int column) const override { return type(column) == SQLITE_NULL; }
  std::int64_t integer(int column) const override {
    return type(column) == SQLITE_INTEGER || type(column) == SQLITE_FLOAT ? sqlite3_column_int64(statement_, column)
                                                                          : 0;
  }
  double real(int column) const override {
    return type(column) == SQLITE_INTEGER || type(column) == SQLITE_FLOAT ? sqlite3_column_double(statement_, column)
                                                                          : 0;
  }
  std::string_view text(int column) const override {
    if (type(column) != SQLITE_TEXT) return {};
    const auto* bytes = sqlite3_column_text(statement_, column);
    return {reinterpret_cast<const char*>(bytes), size(column)};
  }
  std::string_view blob(int column) const override {
    if (type(column) != SQLITE_BLOB) return {};
    const auto* bytes = sqlite3_column_blob(statement_, column);
    return {static_cast<const char*>(bytes), size(column)};
  }

 private:
  int type(int column) const { return sqlite3_column_type(statement_, column); }
  std::size_t size(int column) const { return static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)); }

  sqlite3_stmt* statement_;
};

/// What stands after the `$` of a parameter: 1 and up, or 0.
std::size_t parameter_number(const char* name) {
  std::size_t number = 0;
  if (name == nullptr || name[0] != '$') return 0;
  const std::string_view digits(name + 1);
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return read.ptr == digits.data() + digits.size() ? number : 0;
}

Code code_of(int extended, int system_error) {
  // A full disk met while growing a file other than by a page write arrives as an I/O error.
  if (system_error == ENOSPC || system_error == EDQUOT) {
    if ((extended & 0xff) == SQLITE_IOERR || (extended & 0xff) == SQLITE_CANTOPEN) return Code::storage_full;
  }
  switch (extended) {
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA: return Code::data_corrupt;
    default: break;
  }
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT: return Code::conflict;
    case SQLITE_FULL: return Code::storage_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::data_corrupt;
    case SQLITE_TOOBIG: return Code::too_large;
    case SQLITE_INTERRUPT: return Code::cancelled;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_IOERR: return Code::unavailable;
    default: return Code::internal;
  }
}

Literal reason_of(Code code) {
  switch (code) {
    case Code::conflict: return "it exists already, or something refers to it";
    case Code::storage_full: return "the disk is full";
    case Code::data_corrupt: return "stored data is damaged";
    case Code::too_large: return "a stored value would be too large";
    case Code::cancelled: return "the statement was interrupted";
    case Code::unavailable: return "the database cannot be used now";
    default: return "a statement failed";
  }
}

}  // namespace

std::unexpected<Error> Connection::failed(int code, Literal doing) const {
  const int extended = handle_ != nullptr ? sqlite3_extended_errcode(handle_) : code;
  const Code ours = code_of(extended, handle_ != nullptr ? sqlite3_system_errno(handle_) : 0);
  return fail(ours, reason_of(ours),
              fmt::format("{}: {} (sqlite {})", doing.view(),
                          handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code), extended));
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file,
                                                     const ConnectionOptions& options) {
  // SQLite locks its handles by itself unless told not to; each of ours is used by one thread at a time.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.create == ConnectionOptions::Create::yes ? SQLITE_OPEN_CREATE : 0);
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &handle, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  std::unique_ptr<Connection> connection(new Connection(handle, options.statements_max));
  if (opened != SQLITE_OK) {
    std::error_code ignored;
    if ((opened & 0xff) == SQLITE_CANTOPEN && !std::filesystem::exists(file, ignored)) {
      return fail(Code::not_found, "no such database", file.string());
    }
    return connection->failed(opened, "opening the file");
  }
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  sqlite3_db_config(handle, SQLITE_DBCONFIG_LOOKASIDE, nullptr, lookaside_block_bytes, lookaside_blocks);
  // A damaged or planted schema must not run code of its own.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);

  std::string settings =
      fmt::format("PRAGMA cache_size=-{};PRAGMA temp_store=MEMORY;PRAGMA foreign_keys=ON;", options.cache_kib);
  if (options.access == Access::write) {
    // A file system without shared memory leaves the mode as it was and says so only here; without the log, readers and
    // the writer would wait for each other.
    bool wal = false;
    const Statements::OnRow read = [&](const Row& row) { return wal = row.text(0) == "wal"; };
    PARLEY_TRY(connection->execute("PRAGMA journal_mode=WAL", {}, &read));
    if (!wal) {
      return fail(Code::unavailable, "the database cannot be used now", "no write-ahead log on this file system");
    }
    // Without FULL a commit in WAL mode returns before its sync, and what was acknowledged could be gone after a power
    // cut. What is deleted is also overwritten: a person's message must not stay readable in a free page.
    settings += fmt::format("PRAGMA synchronous={};PRAGMA journal_size_limit={};PRAGMA secure_delete=ON;",
                            options.durability == Durability::each_commit ? "FULL" : "OFF", journal_bytes_max);
  } else {
    settings += "PRAGMA query_only=ON;";
  }
  PARLEY_TRY(connection->run_script(settings));
  return connection;
}

Connection::~Connection() {
  for (auto& prepared : statements_) sqlite3_finalize(prepared.statement);
  sqlite3_close(handle_);
}

Result<void> Connection::run_script(const std::string& text) {
  const int code = sqlite3_exec(handle_, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code, "running a script");
  return {};
}

void Connection::roll_back() {
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<Connection::Prepared*> Connection::prepare(std::string_view sql) {
  for (auto& prepared : statements_) {
    if (prepared.key == sql.data()) {
      prepared.used = ++uses_;
      return &prepared;
    }
  }
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                                      &statement, &rest);
  if (code != SQLITE_OK) return failed(code, "preparing a statement");
  Prepared made{.key = sql.data(), .statement = statement, .used = ++uses_};
  const std::string_view tail(rest);
  if (statement == nullptr || tail.find_first_not_of(" \n\t;") != tail.npos) {
    sqlite3_finalize(statement);
    return fail(Code::internal, "a statement failed", "not exactly one statement: " + std::string(sql));
  }
  // `$2` is a name to SQLite and gets its place by first appearance; to PostgreSQL it is the second value.
  for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
    const auto number = parameter_number(sqlite3_bind_parameter_name(statement, i));
    if (number == 0) {
      sqlite3_finalize(statement);
      return fail(Code::internal, "a statement failed", "a parameter that is not $1, $2, …: " + std::string(sql));
    }
    made.parameters.push_back(static_cast<std::uint16_t>(number));
    made.values = std::max(made.values, number);
  }
  if (statements_.size() >= statements_max_) {
    auto oldest = std::ranges::min_element(statements_, {}, &Prepared::used);
    sqlite3_finalize(oldest->statement);
    *oldest = std::move(made);
    return &*oldest;
  }
  return &statements_.emplace_back(std::move(made));
}

Result<std::int64_t> Connection::execute(std::string_view sql, std::span<const Value> values,
                                         const Statements::OnRow* on_row) {
  if (handing_out_rows_) return fail(Code::internal, "a statement failed", "run inside another one's rows");
  Prepared& prepared = *PARLEY_TRY(prepare(sql));
  if (prepared.values != values.size()) {
    return fail(Code::internal, "a statement failed",
                fmt::format("{} values for {} parameters: {}", values.size(), prepared.values, sql));
  }
  sqlite3_stmt* const statement = prepared.statement;
  for (std::size_t i = 0; i < prepared.parameters.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    auto bind_text = [&](std::string_view text) {
      // An empty view may have no address, and SQLite takes a null address for NULL.
      return sqlite3_bind_text64(statement, at, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    };
    const Value& value = values[prepared.parameters[i] - 1U];
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, at, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      code = sqlite3_bind_double(statement, at, *real);
    } else if (const auto* blob = std::get_if<Blob>(&value)) {
      const auto bytes = blob->bytes;
      code =
          sqlite3_bind_blob64(statement, at, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
    } else if (std::holds_alternative<std::nullptr_t>(value)) {
      code = sqlite3_bind_null(statement, at);
    } else {
      const auto* owned = std::get_if<std::string>(&value);
      const std::string_view text = owned != nullptr ? std::string_view(*owned) : std::get<std::string_view>(value);
      if (text.find('\0') != text.npos) {
        sqlite3_clear_bindings(statement);
        return fail(Code::invalid_argument, "text contains a NUL character");
      }
      code = bind_text(text);
    }
    if (code != SQLITE_OK) {
      auto error = failed(code, "binding a value");
      sqlite3_clear_bindings(statement);
      return error;
    }
  }
  auto changed = step_through(prepared, on_row);
  sqlite3_reset(statement);
  // The values are the caller's memory, which may be gone by the next use.
  sqlite3_clear_bindings(statement);
  return changed;
}

Result<std::int64_t> Connection::step_through(Prepared& prepared, const Statements::OnRow* on_row) {
  sqlite3_stmt* const statement = prepared.statement;
  const bool reads = sqlite3_stmt_readonly(statement) != 0;
  const StatementRow row(statement);
  std::int64_t rows = 0;
  bool wanted = on_row != nullptr;
  for (;;) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) return failed(code, "running a statement");
    if (!wanted) continue;
    ++rows;
    handing_out_rows_ = true;
    struct Over {
      bool& flag;
      ~Over() { flag = false; }
    } over{handing_out_rows_};
    wanted = (*on_row)(row);
    // A write with RETURNING is stepped to its end all the same: its constraints are checked there.
    if (!wanted && reads) break;
  }
  return reads ? rows : sqlite3_changes64(handle_);
}

}  // namespace parley::db::sqlite
