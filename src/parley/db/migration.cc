#include "parley/db/migration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

namespace parley::db {
namespace {

struct Placeholder {
  std::string_view name;
  std::string_view sqlite;
  std::string_view postgres;
};

// The default reads the setting as section "tenancy" of the README explains: after a SET LOCAL it is empty, not null.
constexpr std::array placeholders{
    Placeholder{"{tenant}", "", SqlText<FixedText("")>::tenant_column},
    Placeholder{"{tenant_column}", "",
                "tenant_id TEXT NOT NULL DEFAULT NULLIF(current_setting('parley.tenant', true), '') "
                "CHECK (tenant_id <> ''),"},
    Placeholder{"{blob}", "BLOB", "BYTEA"},
};

Result<void> append_expanded(Migration& migration, std::string_view line, bool sqlite, bool postgres) {
  auto append = [&](std::string_view for_sqlite, std::string_view for_postgres) {
    if (sqlite) migration.sqlite += for_sqlite;
    if (postgres) migration.postgres += for_postgres;
  };
  while (!line.empty()) {
    const auto brace = std::min(line.find('{'), line.size());
    append(line.substr(0, brace), line.substr(0, brace));
    line.remove_prefix(brace);
    if (line.empty()) break;
    const auto* placeholder =
        std::ranges::find_if(placeholders, [&](const Placeholder& p) { return line.starts_with(p.name); });
    if (placeholder == placeholders.end()) {
      return fail(Code::invalid_argument, "unknown placeholder in a migration", std::string(line.substr(0, 40)));
    }
    append(placeholder->sqlite, placeholder->postgres);
    line.remove_prefix(placeholder->name.size());
  }
  append("\n", "\n");
  return {};
}

bool is_version(std::string_view text) {
  int dots = 0;
  bool digit_before = false;
  for (const char c : text) {
    if (c == '.' && digit_before) {
      ++dots;
      digit_before = false;
    } else if (c >= '0' && c <= '9') {
      digit_before = true;
    } else {
      return false;
    }
  }
  return dots == 2 && digit_before;
}

std::string_view trim_end(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<Migration> parse_migration(std::string_view file_name, std::string_view text) {
  Migration migration;
  auto wrong = [&](Literal what) { return fail(Code::invalid_argument, what, std::string(file_name)); };

  constexpr std::string_view ending = ".sql";
  if (!file_name.ends_with(ending)) return wrong("a migration's file name ends in .sql");
  migration.name = file_name.substr(0, file_name.size() - ending.size());
  const auto digits = std::from_chars(migration.name.data(), migration.name.data() + 4, migration.number);
  if (migration.name.size() < 6 || digits.ptr != migration.name.data() + 4 || migration.name[4] != '_' ||
      migration.number < 1) {
    return wrong("a migration's file name begins with four digits and a _");
  }

  auto next_line = [&] {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trim_end(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
  };

  constexpr std::string_view oldest = "-- oldest: ";
  const auto first = next_line();
  if (!first.starts_with(oldest) || !is_version(first.substr(oldest.size()))) {
    return wrong("a migration's first line is `-- oldest: X.Y.Z`");
  }
  migration.oldest = first.substr(oldest.size());

  bool sqlite = false;
  bool postgres = false;
  while (!text.empty()) {
    const auto line = next_line();
    if (line.starts_with("-- @")) {
      const auto block = line.substr(4);
      sqlite = block == "all" || block == "sqlite";
      postgres = block == "all" || block == "postgres";
      if (!sqlite && !postgres) return wrong("a migration's blocks are @all, @sqlite and @postgres");
      continue;
    }
    // Comments stay behind: they may contain braces, and the stored schema needs none of them.
    if (line.empty() || line.substr(std::min(line.find_first_not_of(' '), line.size())).starts_with("--")) continue;
    if (!sqlite && !postgres) return wrong("a migration's statements stand in a block");
    auto appended = append_expanded(migration, line, sqlite, postgres);
    if (!appended) return fail(std::move(appended).error().with_detail(std::string(file_name)));
  }
  return migration;
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  auto part = [](std::string_view& text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(std::min(text.find('.') == text.npos ? text.size() : text.find('.') + 1, text.size()));
    return value;
  };
  for (int i = 0; i < 3; ++i) {
    const int left = part(a);
    const int right = part(b);
    if (left != right) return left <=> right;
  }
  return std::strong_ordering::equal;
}

Result<std::vector<const Migration*>> plan_migrations(std::span<const Migration> known,
                                                      std::span<const AppliedMigration> applied,
                                                      std::string_view program_version) {
  for (const auto& step : applied) {
    const auto ours = std::ranges::find(known, step.number, &Migration::number);
    if (ours == known.end()) {
      if (compare_versions(step.oldest, program_version) <= 0) continue;
      return fail(Code::unsupported, "the database was changed by a newer version of this program",
                  fmt::format("migration {} needs at least version {}, this is {}: start that version, or restore the "
                              "backup taken before the upgrade",
                              step.name, step.oldest, program_version));
    }
    if (ours->name != step.name) {
      return fail(Code::unsupported, "the database has another history than this program",
                  fmt::format("migration {} there, {} here", step.name, ours->name));
    }
  }
  std::vector<const Migration*> missing;
  for (const auto& migration : known) {
    if (std::ranges::find(applied, migration.number, &AppliedMigration::number) == applied.end()) {
      missing.push_back(&migration);
    }
  }
  return missing;
}

const MigrationSet& compiled_migrations() {
  static const MigrationSet set = [] {
    MigrationSet made{.program_version = PARLEY_VERSION};
    for (const auto& file : migration_files()) {
      const auto slash = file.name.find('/');
      auto& list = file.name.substr(0, slash) == "control" ? made.control : made.tenant;
      auto migration = parse_migration(file.name.substr(slash + 1), file.bytes);
      if (!migration || (!list.empty() && list.back().number >= migration->number)) {
        fmt::print(stderr, "migrations/{}: {}\n", file.name,
                   migration ? "its number is not above the one before" : describe_for_operator(migration.error()));
        std::abort();
      }
      list.push_back(*std::move(migration));
    }
    return made;
  }();
  return set;
}

}  // namespace parley::db
