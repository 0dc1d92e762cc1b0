#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include <libpq-fe.h>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/db/transaction.h"

namespace parley::db::postgres {

/// One PostgreSQL connection and its prepared statements. For one thread at a time.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Secret& connection);

  /// Runs any number of statements without parameters; the number of rows of the last. For text made of our own words
  /// and of ids: nothing else may be put into it.
  Result<std::int64_t> run_script(const std::string& text);

  /// Runs one statement. `sql` is static and NUL-terminated: prepared statements are kept by its address.
  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values = {},
                               const Statements::OnRow* on_row = nullptr);

  bool usable() const { return PQstatus(handle_.get()) == CONNECTION_OK; }
  /// False after the server refused something: only a roll-back is possible then.
  bool in_good_transaction() const { return PQtransactionStatus(handle_.get()) == PQTRANS_INTRANS; }
  void roll_back();

 private:
  struct Close {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using ResultPtr = std::unique_ptr<PGresult, Clear>;
  struct Prepared {
    std::string name;
    std::uint64_t used = 0;
  };

  explicit Connection(PGconn* handle) : handle_(handle) {}
  Result<std::string_view> prepare(std::string_view sql);
  std::unexpected<Error> failed(const PGresult* result, Literal doing) const;

  std::unique_ptr<PGconn, Close> handle_;
  std::unordered_map<const char*, Prepared> statements_;
  std::uint64_t uses_ = 0;
  bool handing_out_rows_ = false;
};

/// Whether trying the same transaction again can end otherwise (a deadlock, a serialization failure).
bool worth_retrying(const Error& error);

}  // namespace parley::db::postgres
