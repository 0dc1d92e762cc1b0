#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/embedded_file.h"
#include "parley/base/result.h"
#include "parley/db/sql.h"

namespace parley::db {

/// One numbered step of a database's schema. Steps only add: what an older program reads stays where it was, so that
/// the previous version starts again after a roll-back, as far back as `oldest`.
struct Migration {
  int number = 0;
  std::string name;    ///< file name without folder and ending, e.g. "0001_projects"
  std::string oldest;  ///< oldest program version that still runs on a database that has this step, e.g. "0.1.0"
  std::string sqlite;  ///< what to run on each engine, placeholders already expanded
  std::string postgres;

  std::string_view text(Engine engine) const { return engine == Engine::sqlite ? sqlite : postgres; }
};

/// Everything a program knows about schemas. Tests bring their own.
struct MigrationSet {
  std::string program_version;
  std::vector<Migration> control;  ///< ascending numbers
  std::vector<Migration> tenant;   ///< likewise
};

/// Reads `migrations/<database>/NNNN_name.sql`:
///   `-- oldest: 0.1.0`                      first line
///   `-- @all`, `-- @sqlite`, `-- @postgres` begin a block for both engines or one; nothing may stand before the first
/// Placeholders: `{tenant}` in every key of a tenant table, as in db::Sql; `{tenant_column}` as the first column of
/// every tenant table; `{blob}` as the type of bytes. Any other `{` is an error. `invalid_argument` says what is wrong.
Result<Migration> parse_migration(std::string_view file_name, std::string_view text);

/// The files under migrations/, ordered by database and name: "control/0001_identity.sql".
std::span<const EmbeddedFile> migration_files();

/// What those files say, as they were when the program was built. Panics (abort with a message) if one does not
/// parse: such a program must not start, and its own test finds it.
const MigrationSet& compiled_migrations();

/// A step that a database says it has.
struct AppliedMigration {
  int number = 0;
  std::string name;
  std::string oldest;
};

/// Which of `known` are still to run, in order. `unsupported` if the database has a step that this program does not
/// know and whose `oldest` is younger than `program_version`, or a step of the same number and another name.
Result<std::vector<const Migration*>> plan_migrations(std::span<const Migration> known,
                                                      std::span<const AppliedMigration> applied,
                                                      std::string_view program_version);

/// "0.10.2" against "0.9.0": by number, not by letter. A missing or malformed part counts as 0.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

}  // namespace parley::db
