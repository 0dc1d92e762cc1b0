#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "parley/base/uuid.h"

namespace parley::testing {

/// Every table by name, its rows as text in an order of their own. Two are equal exactly if the tables hold the same.
using Tables = std::map<std::string, std::string>;

/// Reads whole databases past the program, on connections of its own: what is compared to tell that nothing has
/// changed. The tables come from the database's own catalogue, so that a new one is never left out.
class TableReader {
 public:
  /// Reads what an installation on this folder keeps: files below it, or (`Where::postgres`) the database that
  /// PARLEY_TEST_POSTGRES names. Aborts if it cannot be read.
  enum class Where { sqlite, postgres };
  TableReader(Where where, std::filesystem::path data);
  ~TableReader();

  /// The tenant's own rows. Of its trail only the heads: each is a hash over all that stands before it.
  Tables tenant(TenantId tenant);
  /// The shared tables, without what comes and goes by itself: when keys and sessions were last used, counts of
  /// refusals to nobody known, open batches of reads, what is to be done when.
  Tables control();

  class Database;

 private:
  Database& database(const std::string& name, const std::filesystem::path& file, std::optional<TenantId> tenant);

  const Where where_;
  const std::filesystem::path data_;
  std::map<std::string, std::unique_ptr<Database>> databases_;
};

/// The names of those that differ.
std::string differences(const Tables& before, const Tables& after);

}  // namespace parley::testing
