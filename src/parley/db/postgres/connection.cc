#include "parley/db/postgres/connection.h"

#include <algorithm>
#include <charconv>
#include <deque>

#include <fmt/format.h>

namespace parley::db::postgres {
namespace {

// A server session keeps a plan for each; beyond this the one that was not used for longest goes.
constexpr std::size_t statements_max = 256;
constexpr std::string_view retry_marker = "worth retrying: ";

// Numbers of built-in types, which never change (pg_type.dat).
enum : Oid { oid_bool = 16, oid_bytea = 17, oid_int8 = 20, oid_int2 = 21, oid_int4 = 23, oid_oid = 26 };
enum : Oid { oid_float4 = 700, oid_float8 = 701, oid_numeric = 1700 };

int hex_digit(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

class ResultRow final : public Row {
 public:
  explicit ResultRow(const PGresult* result) : result_(result) {}

  bool is_null(int column) const override { return PQgetisnull(result_, 0, column) != 0; }
  std::int64_t integer(int column) const override {
    std::int64_t value = 0;
    const auto text = bytes(column);
    switch (PQftype(result_, column)) {
      case oid_bool: return text == "t" ? 1 : 0;
      case oid_int2:
      case oid_int4:
      case oid_int8:
      case oid_oid:
      case oid_numeric: std::from_chars(text.data(), text.data() + text.size(), value); return value;
      case oid_float4:
      case oid_float8: return static_cast<std::int64_t>(real(column));
      default: return 0;
    }
  }
  double real(int column) const override {
    double value = 0;
    const auto text = bytes(column);
    switch (PQftype(result_, column)) {
      case oid_int2:
      case oid_int4:
      case oid_int8:
      case oid_numeric:
      case oid_float4:
      case oid_float8: std::from_chars(text.data(), text.data() + text.size(), value); return value;
      default: return 0;
    }
  }
  std::string_view text(int column) const override {
    switch (PQftype(result_, column)) {
      case oid_bool:
      case oid_bytea:
      case oid_int2:
      case oid_int4:
      case oid_int8:
      case oid_oid:
      case oid_numeric:
      case oid_float4:
      case oid_float8: return {};
      default: return bytes(column);
    }
  }
  std::string_view blob(int column) const override {
    auto hex = bytes(column);
    if (PQftype(result_, column) != oid_bytea || !hex.starts_with("\\x")) return {};
    hex.remove_prefix(2);
    auto& out = decoded_.emplace_back();
    out.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      out.push_back(static_cast<char>(hex_digit(hex[i]) << 4 | hex_digit(hex[i + 1])));
    }
    return out;
  }

 private:
  std::string_view bytes(int column) const {
    return {PQgetvalue(result_, 0, column), static_cast<std::size_t>(PQgetlength(result_, 0, column))};
  }

  const PGresult* result_;
  mutable std::deque<std::string> decoded_;  // a deque, so that views of earlier ones stay
};

/// By SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
Code code_of(std::string_view state) {
  const auto family = state.substr(0, 2);
  if (family == "23") return Code::conflict;
  if (state == "22021" || state == "22P05") return Code::invalid_argument;  // bytes that are not UTF-8
  if (state == "53100") return Code::storage_full;
  if (state == "57014") return Code::timeout;
  if (state == "XX001" || state == "XX002") return Code::data_corrupt;
  if (state == "08P01") return Code::internal;  // as many values as parameters, which is ours to get right
  if (family == "54") return Code::too_large;
  if (family == "08" || family == "40" || family == "53" || family == "55" || family == "57" || state.empty()) {
    return Code::unavailable;
  }
  return Code::internal;
}

Literal reason_of(Code code) {
  switch (code) {
    case Code::conflict: return "it exists already, or something refers to it";
    case Code::invalid_argument: return "text is not UTF-8";
    case Code::storage_full: return "the disk is full";
    case Code::data_corrupt: return "stored data is damaged";
    case Code::too_large: return "a stored value would be too large";
    case Code::timeout: return "the statement took too long";
    case Code::unavailable: return "the database cannot be used now";
    default: return "a statement failed";
  }
}

}  // namespace

bool worth_retrying(const Error& error) { return error.operator_detail().starts_with(retry_marker); }

std::unexpected<Error> Connection::failed(const PGresult* result, Literal doing) const {
  const char* field = result != nullptr ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const std::string_view state = field != nullptr ? field : "";
  std::string_view message = result != nullptr ? PQresultErrorMessage(result) : PQerrorMessage(handle_.get());
  if (message.empty()) message = PQerrorMessage(handle_.get());
  const Code code = code_of(state);
  return fail(code, reason_of(code),
              fmt::format("{}{}: {} (postgres {})", state == "40001" || state == "40P01" ? retry_marker : "",
                          doing.view(), message.substr(0, message.find_last_not_of('\n') + 1), state));
}

Result<std::unique_ptr<Connection>> Connection::open(const Secret& connection) {
  std::unique_ptr<Connection> made(new Connection(PQconnectdb(std::string(connection.reveal()).c_str())));
  if (!made->usable()) return made->failed(nullptr, "connecting");
  PQsetNoticeProcessor(made->handle_.get(), [](void*, const char*) {}, nullptr);
  // A commit that is acknowledged before it is on the disk is what nobody here expects, whatever the server's default;
  // and no statement or transaction of ours may hold its locks for ever.
  PARLEY_TRY(made->run_script(
      "SET client_encoding = 'UTF8'; SET synchronous_commit = on; SET statement_timeout = '300s';"
      "SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '60s'; SET bytea_output = 'hex'"));
  return made;
}

Result<std::int64_t> Connection::run_script(const std::string& text) {
  const ResultPtr result(PQexec(handle_.get(), text.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    return failed(result.get(), "running a script");
  }
  return PQntuples(result.get());
}

void Connection::roll_back() {
  if (usable() && PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) {
    const ResultPtr result(PQexec(handle_.get(), "ROLLBACK"));
  }
}

Result<std::string_view> Connection::prepare(std::string_view sql) {
  auto& prepared = statements_[sql.data()];
  prepared.used = ++uses_;
  if (!prepared.name.empty()) return std::string_view(prepared.name);
  auto name = fmt::format("p{}", uses_);
  const ResultPtr result(PQprepare(handle_.get(), name.c_str(), sql.data(), 0, nullptr));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    statements_.erase(sql.data());
    return failed(result.get(), "preparing a statement");
  }
  prepared.name = std::move(name);
  if (statements_.size() > statements_max) {
    const auto oldest = std::ranges::min_element(statements_, {}, [](const auto& entry) { return entry.second.used; });
    PARLEY_TRY(run_script("DEALLOCATE " + oldest->second.name));
    statements_.erase(oldest);
  }
  return std::string_view(prepared.name);
}

Result<std::int64_t> Connection::execute(std::string_view sql, std::span<const Value> values,
                                         const Statements::OnRow* on_row) {
  if (handing_out_rows_) return fail(Code::internal, "a statement failed", "run inside another one's rows");
  // libpq wants an address, a length and a format each; texts go as C strings, bytes as they are.
  std::vector<const char*> addresses(values.size());
  std::vector<int> lengths(values.size());
  std::vector<int> formats(values.size());
  std::deque<std::string> copies;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Value& value = values[i];
    auto put_text = [&](std::string text) { addresses[i] = copies.emplace_back(std::move(text)).c_str(); };
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      put_text(fmt::format("{}", *number));
    } else if (const auto* real = std::get_if<double>(&value)) {
      put_text(fmt::format("{}", *real));
    } else if (const auto* blob = std::get_if<Blob>(&value)) {
      addresses[i] = blob->bytes.data() == nullptr ? "" : blob->bytes.data();
      lengths[i] = static_cast<int>(blob->bytes.size());
      formats[i] = 1;
    } else if (!std::holds_alternative<std::nullptr_t>(value)) {
      const auto* owned = std::get_if<std::string>(&value);
      const std::string_view text = owned != nullptr ? std::string_view(*owned) : std::get<std::string_view>(value);
      if (text.find('\0') != text.npos) return fail(Code::invalid_argument, "text contains a NUL character");
      put_text(std::string(text));
    }
  }
  const auto name = PARLEY_TRY(prepare(sql));
  const int count = static_cast<int>(values.size());
  if (PQsendQueryPrepared(handle_.get(), name.data(), count, addresses.data(), lengths.data(), formats.data(), 0) ==
      0) {
    return failed(nullptr, "sending a statement");
  }
  // Rows as they arrive: a rebuild of an index reads more than should be in memory at once.
  if (on_row != nullptr) PQsetSingleRowMode(handle_.get());

  std::int64_t rows = 0;
  std::int64_t changed = -1;
  std::optional<Error> error;
  bool wanted = on_row != nullptr;
  handing_out_rows_ = true;
  struct Over {
    Connection& connection;
    ~Over() {
      // Also after an exception of the caller's function: the next statement needs the connection for itself.
      while (const ResultPtr rest{PQgetResult(connection.handle_.get())}) {
      }
      connection.handing_out_rows_ = false;
    }
  } over{*this};
  while (const ResultPtr result{PQgetResult(handle_.get())}) {
    switch (PQresultStatus(result.get())) {
      case PGRES_SINGLE_TUPLE:
        if (!wanted) break;
        ++rows;
        wanted = (*on_row)(ResultRow(result.get()));
        break;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: {
        const std::string_view tag = PQcmdStatus(result.get());
        const std::string_view count_text = PQcmdTuples(result.get());
        if (!tag.starts_with("SELECT")) {
          changed = 0;
          std::from_chars(count_text.data(), count_text.data() + count_text.size(), changed);
        }
        break;
      }
      default: error = failed(result.get(), "running a statement").error();
    }
  }
  if (error) return fail(*std::move(error));
  return changed >= 0 ? changed : rows;
}

}  // namespace parley::db::postgres
