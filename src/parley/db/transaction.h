#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/sql.h"

namespace parley::db {

/// Bytes, as opposed to text. A view: what it points at must live until the statement has run.
struct Blob {
  std::string_view bytes;
};

/// A parameter. Views are not copied: what they point at must live until the statement has run.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, Blob, std::string>;

inline Value bind(std::nullptr_t) { return nullptr; }
inline Value bind(std::integral auto value) { return static_cast<std::int64_t>(value); }
inline Value bind(double value) { return value; }
inline Value bind(std::string_view value) { return value; }
inline Value bind(const std::string& value) { return std::string_view(value); }
inline Value bind(const char* value) { return std::string_view(value); }
inline Value bind(Blob value) { return value; }
inline Value bind(Timestamp value) { return value.micros; }
template <class Tag>
Value bind(const Id<Tag>& id) {
  return id.to_string();
}
template <class T>
Value bind(const std::optional<T>& value) {
  return value ? bind(*value) : Value(nullptr);
}

/// One result row; valid only inside the function it is handed to. Columns count from 0. Reading a null or a column of
/// another type gives the type's empty value, so ask `is_null` where the difference matters.
class Row {
 public:
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual std::string_view blob(int column) const = 0;

  bool boolean(int column) const { return integer(column) != 0; }
  Timestamp time(int column) const { return {integer(column)}; }
  /// A stored id. Nil if the column does not hold one, which no live row has.
  template <class SomeId>
  SomeId id(int column) const {
    return SomeId::parse(text(column)).value_or(SomeId());
  }

 protected:
  ~Row() = default;
};

/// What a driver implements: running one statement inside an open transaction.
class Statements {
 public:
  /// Called for each row; false stops early.
  using OnRow = std::function<bool(const Row&)>;
  /// Number of rows a write changed; for a read, the number of rows handed out.
  virtual Result<std::int64_t> execute(const Sql& sql, std::span<const Value> values, const OnRow* on_row) = 0;
  virtual Engine engine() const = 0;

 protected:
  ~Statements() = default;
};

/// Which database a transaction is on: one tenant's own tables, or the shared ones that must be readable before the
/// tenant is known. Repositories say in their signatures which they need.
struct TenantScope;
struct ControlScope;

/// An open transaction that may read. Made by a session for the length of one call; not to be kept.
///
/// A statement that fails ends the transaction, as it must on PostgreSQL: later statements give the same error, what
/// was written is undone, and the caller of the session gets that error whatever the function returns. So an expected
/// conflict is written as `ON CONFLICT DO NOTHING`, not as an error to be handled. Text with a NUL byte in it, which
/// PostgreSQL cannot store, is `invalid_argument` on both engines.
template <class Scope>
class Reader {
 public:
  explicit Reader(Statements& statements) : statements_(&statements) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Calls `on_row(const Row&)` for every row as it arrives; if it returns bool, false stops. `on_row` must not run
  /// statements of its own (`internal`): on PostgreSQL the connection is busy with the rows that are still to come.
  template <class OnRow, class... Args>
  Result<void> each(const Sql& sql, OnRow on_row, const Args&... args) {
    const Statements::OnRow call = [&](const Row& row) {
      if constexpr (std::is_same_v<std::invoke_result_t<OnRow&, const Row&>, bool>) return on_row(row);
      else return on_row(row), true;
    };
    PARLEY_TRY(run_with(sql, &call, args...));
    return {};
  }

  /// All rows, each turned into a value by `from_row(const Row&)`.
  template <class FromRow, class... Args>
  auto all(const Sql& sql, FromRow from_row, const Args&... args)
      -> Result<std::vector<std::invoke_result_t<FromRow&, const Row&>>> {
    std::vector<std::invoke_result_t<FromRow&, const Row&>> values;
    PARLEY_TRY(each(sql, [&](const Row& row) { values.push_back(from_row(row)); }, args...));
    return values;
  }

  /// The first row, if there is one.
  template <class FromRow, class... Args>
  auto find(const Sql& sql, FromRow from_row, const Args&... args)
      -> Result<std::optional<std::invoke_result_t<FromRow&, const Row&>>> {
    std::optional<std::invoke_result_t<FromRow&, const Row&>> value;
    PARLEY_TRY(each(
        sql,
        [&](const Row& row) {
          value.emplace(from_row(row));
          return false;
        },
        args...));
    return value;
  }

  Engine engine() const { return statements_->engine(); }

 protected:
  template <class... Args>
  Result<std::int64_t> run_with(const Sql& sql, const Statements::OnRow* on_row, const Args&... args) {
    const std::array<Value, sizeof...(Args)> values{bind(args)...};
    return statements_->execute(sql, values, on_row);
  }

 private:
  Statements* statements_;
};

/// An open transaction that may write as well. What it wrote is durable once the session's `write` has returned.
template <class Scope>
class Writer : public Reader<Scope> {
 public:
  using Reader<Scope>::Reader;

  /// Runs an INSERT, UPDATE or DELETE; returns how many rows changed. `conflict` for a violated unique or foreign key.
  template <class... Args>
  Result<std::int64_t> run(const Sql& sql, const Args&... args) {
    return this->run_with(sql, nullptr, args...);
  }
};

using TenantReader = Reader<TenantScope>;
using TenantWriter = Writer<TenantScope>;
using ControlReader = Reader<ControlScope>;
using ControlWriter = Writer<ControlScope>;

}  // namespace parley::db
