#pragma once

#include <span>
#include <string_view>

namespace parley::db {

/// A file of migrations/ as it was when the program was built; cmake/embed_migrations.cmake writes the list.
struct CompiledMigrationFile {
  std::string_view database;  ///< "control" or "tenant"
  std::string_view name;      ///< with its ending
  std::string_view text;
};

/// Ordered by database, then name.
std::span<const CompiledMigrationFile> compiled_migration_files();

}  // namespace parley::db
