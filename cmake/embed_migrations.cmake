# Writes OUTPUT, a source file that holds every file of FOLDER/{control,tenant}/*.sql. Run with cmake -P when one of them
# changes. Plain text rather than #embed: ccache 4.7 does not see a change behind an #embed.
set(rows "")
foreach(database control tenant)
  file(GLOB names RELATIVE ${FOLDER}/${database} ${FOLDER}/${database}/*.sql)
  list(SORT names)
  foreach(name ${names})
    file(READ ${FOLDER}/${database}/${name} text)
    string(APPEND rows "    {\"${database}\", \"${name}\", R\"~~(${text})~~\"},\n")
  endforeach()
endforeach()
file(WRITE ${OUTPUT} "#include \"parley/db/compiled_migrations.h\"

#include <vector>

namespace parley::db {

std::span<const CompiledMigrationFile> compiled_migration_files() {
  static const std::vector<CompiledMigrationFile> files{
${rows}  };
  return files;
}

}  // namespace parley::db
")
