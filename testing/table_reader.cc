#include "testing/table_reader.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "parley/db/postgres/connection.h"
#include "parley/db/sqlite/connection.h"

namespace parley::testing {
namespace {

const std::set<std::string, std::less<>> comes_and_goes{"trail", "trail_open_batches", "anonymous_refusals", "due"};
const std::set<std::string, std::less<>> written_by_itself{"last_used_at", "last_seen_at"};

template <class T>
T must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) return;
    else return *std::move(result);
  }
  fmt::print(stderr, "the tables cannot be read: {}\n", describe_for_operator(result.error()));
  std::abort();
}

}  // namespace

/// One connection, and the one statement that reads every table there is.
class TableReader::Database {
 public:
  virtual ~Database() = default;

  Tables read() {
    // Most often nothing has been written since, and the database says so. Asked before what is read, so that what is
    // written in between is read again.
    const auto now_at = ask(ask_for_version()).at(0);
    if (!tables_.empty() && now_at == read_at_) return tables_;
    begin();
    // Statements are kept by the address of their text, so each text lives as long as the connection.
    if (everything_.empty()) everything_ = text_of_everything();
    Tables tables;
    for (const auto& name : names_) tables[name];
    const db::Statements::OnRow add = [&](const db::Row& row) {
      (tables[std::string(row.text(0))] += row.text(1)) += '\n';
      return true;
    };
    must(execute(everything_, &add));
    end();
    read_at_ = now_at;
    tables_ = tables;
    return tables;
  }

 protected:
  virtual void begin() = 0;
  virtual void end() = 0;
  virtual Result<std::int64_t> execute(std::string_view sql, const db::Statements::OnRow* on_row) = 0;
  /// Asks for a value that every commit of anybody else changes.
  virtual std::string_view ask_for_version() const = 0;
  virtual std::string list_tables() const = 0;
  virtual std::string list_columns(std::string_view table) const = 0;
  /// Text of any column.
  virtual std::string as_text(std::string_view column) const = 0;

 private:
  std::vector<std::string> ask(std::string_view sql) {
    std::vector<std::string> found;
    const db::Statements::OnRow read = [&](const db::Row& row) {
      found.emplace_back(row.text(0));
      return true;
    };
    must(execute(sql, &read));
    return found;
  }
  std::vector<std::string> ask(std::string sql) { return ask(std::string_view(asked_.emplace_back(std::move(sql)))); }
  std::string text_of_everything() {
    std::vector<std::string> parts;
    for (const auto& table : ask(list_tables())) {
      if (comes_and_goes.contains(table)) continue;
      names_.push_back(table);
      std::vector<std::string> columns;
      for (const auto& column : ask(list_columns(table)))
        if (!written_by_itself.contains(column)) columns.push_back(as_text(column));
      parts.push_back(
          fmt::format("SELECT '{0}' AS name, {1} AS line FROM {0}", table, fmt::join(columns, " || '|' || ")));
    }
    return fmt::format("{} ORDER BY 1, 2", fmt::join(parts, " UNION ALL "));
  }

  std::deque<std::string> asked_;
  std::string everything_, read_at_;
  Tables tables_;
  std::vector<std::string> names_;
};

namespace {

class SqliteDatabase final : public TableReader::Database {
 public:
  explicit SqliteDatabase(const std::filesystem::path& file)
      : connection_(must(db::sqlite::Connection::open(file, {.access = db::sqlite::Access::read}))) {}

 private:
  void begin() override {}
  void end() override {}
  Result<std::int64_t> execute(std::string_view sql, const db::Statements::OnRow* on_row) override {
    return connection_->execute(sql, {}, on_row);
  }
  std::string_view ask_for_version() const override {
    return "SELECT CAST(data_version AS TEXT) FROM pragma_data_version";
  }
  std::string list_tables() const override {
    return "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
  }
  std::string list_columns(std::string_view table) const override {
    return fmt::format("SELECT name FROM pragma_table_info('{}')", table);
  }
  std::string as_text(std::string_view column) const override { return fmt::format("quote({})", column); }

  std::unique_ptr<db::sqlite::Connection> connection_;
};

class PostgresDatabase final : public TableReader::Database {
 public:
  PostgresDatabase(std::string schema, std::optional<TenantId> tenant)
      : schema_(std::move(schema)),
        tenant_(tenant ? tenant->to_string() : ""),
        connection_(must(db::postgres::Connection::open(Secret(std::getenv("PARLEY_TEST_POSTGRES"))))) {}

 private:
  void begin() override {
    must(connection_->run_script(fmt::format(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = {}; SET LOCAL parley.tenant = '{}'",
        schema_, tenant_)));
  }
  void end() override { connection_->roll_back(); }
  Result<std::int64_t> execute(std::string_view sql, const db::Statements::OnRow* on_row) override {
    return connection_->execute(sql, {}, on_row);
  }
  // Where the log of all databases ends: before a commit is seen, it has moved on.
  std::string_view ask_for_version() const override { return "SELECT pg_current_wal_insert_lsn()::text"; }
  std::string list_tables() const override {
    return fmt::format(
        "SELECT relname::text FROM pg_class WHERE relnamespace = '{}'::regnamespace AND relkind = 'r' ORDER BY 1",
        schema_);
  }
  std::string list_columns(std::string_view table) const override {
    return fmt::format(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = '{}.{}'::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        schema_, table);
  }
  std::string as_text(std::string_view column) const override {
    return fmt::format("quote_nullable({}::text)", column);
  }

  const std::string schema_, tenant_;
  std::unique_ptr<db::postgres::Connection> connection_;
};

}  // namespace

TableReader::TableReader(Where where, std::filesystem::path data) : where_(where), data_(std::move(data)) {}
TableReader::~TableReader() = default;

TableReader::Database& TableReader::database(const std::string& name, const std::filesystem::path& file,
                                             std::optional<TenantId> tenant) {
  auto& kept = databases_[name];
  if (!kept) {
    if (where_ == Where::sqlite) kept = std::make_unique<SqliteDatabase>(file);
    else kept = std::make_unique<PostgresDatabase>(tenant ? "tenant" : "control", tenant);
  }
  return *kept;
}

Tables TableReader::tenant(TenantId tenant) {
  const auto id = tenant.to_string();
  return database(id, data_ / "tenants" / id / "tenant.db", tenant).read();
}

Tables TableReader::control() { return database("control", data_ / "control.db", std::nullopt).read(); }

std::string differences(const Tables& before, const Tables& after) {
  std::string names;
  for (const auto& [name, rows] : after)
    if (const auto it = before.find(name); it == before.end() || it->second != rows) names += name + " ";
  for (const auto& [name, rows] : before)
    if (!after.contains(name)) names += name + " ";
  return names;
}

}  // namespace parley::testing
