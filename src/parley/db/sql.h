#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace parley::db {

enum class Engine { sqlite, postgres };

/// One statement, fixed when the program was compiled. Only the literal operator below makes one, so text that arrived
/// at run time cannot become SQL. `$1` parameters, `ON CONFLICT` and `RETURNING` run unchanged on both engines.
///
/// A statement names no tenant: on SQLite the connection is to one tenant's own file, on PostgreSQL row-level security
/// adds the filter and a column default adds the value. The one place where the engines differ is a key: on PostgreSQL
/// every key begins with tenant_id (neither unique nor foreign keys are covered by row-level security). So a conflict
/// target is written `ON CONFLICT ({tenant}project_id, path)`, as it is in the migration that made the key; `{tenant}`
/// becomes `tenant_id, ` on PostgreSQL and nothing on SQLite.
class Sql {
 public:
  constexpr std::string_view text(Engine engine) const { return engine == Engine::sqlite ? sqlite_ : postgres_; }

 private:
  template <auto Text>
  friend struct SqlText;
  constexpr Sql(std::string_view sqlite, std::string_view postgres) : sqlite_(sqlite), postgres_(postgres) {}

  std::string_view sqlite_;    // NUL-terminated, static
  std::string_view postgres_;  // likewise
};

/// A string literal as a template argument.
template <std::size_t N>
struct FixedText {
  consteval FixedText(const char (&text)[N]) { std::copy_n(text, N, chars); }  // NOLINT(google-explicit-constructor)
  char chars[N]{};
};

/// Holds both engines' spelling of one statement in static storage.
template <auto Text>
struct SqlText {
  static constexpr std::string_view placeholder = "{tenant}";
  static constexpr std::string_view tenant_column = "tenant_id, ";

  // Each placeholder shrinks or grows the text; twice the length plus a dozen is always enough.
  using Buffer = std::array<char, sizeof(Text.chars) * 2 + 12>;

  static consteval auto expand(std::string_view replacement) {
    std::pair<Buffer, std::size_t> out{};
    std::string_view rest(Text.chars, sizeof(Text.chars) - 1);
    auto put = [&](std::string_view piece) {
      for (const char c : piece) out.first[out.second++] = c;
    };
    for (;;) {
      const auto at = rest.find(placeholder);
      if (at == std::string_view::npos) break;
      put(rest.substr(0, at));
      put(replacement);
      rest.remove_prefix(at + placeholder.size());
    }
    put(rest);
    return out;
  }

  static constexpr auto sqlite = expand("");
  static constexpr auto postgres = expand(tenant_column);
  static constexpr Sql value{std::string_view(sqlite.first.data(), sqlite.second),
                             std::string_view(postgres.first.data(), postgres.second)};
};

inline namespace literals {
template <FixedText Text>
consteval const Sql& operator""_sql() {
  return SqlText<Text>::value;
}
}  // namespace literals

}  // namespace parley::db
