#include "parley/evidence/scope.h"

namespace parley {
namespace {

std::optional<Scope> find_scope(std::string_view text) {
  struct Alias {
    std::string_view alias;
    Scope scope;
  };
  // Spellings found in documentation that people copy from.
  static constexpr std::array aliases{Alias{"create_chat", Scope::chat_create},
                                      Alias{"sources_create", Scope::project_sources_create},
                                      Alias{"sources_delete", Scope::project_sources_delete}};
  for (const auto& info : scope_infos)
    if (info.name.view() == text) return info.scope;
  for (const auto& entry : aliases)
    if (entry.alias == text) return entry.scope;
  return std::nullopt;
}

consteval bool registry_is_in_enum_order() {
  for (std::size_t i = 0; i < scope_infos.size(); ++i)
    if (static_cast<std::size_t>(scope_infos[i].scope) != i) return false;
  return true;
}
// name(Scope) indexes by the enumerator.
static_assert(registry_is_in_enum_order());
static_assert(scope_infos.size() <= 32, "ScopeSet keeps 32 bits");

}  // namespace

std::string ScopeSet::to_string() const {
  std::string text;
  for (const auto& info : scope_infos) {
    if (!contains(info.scope)) continue;
    if (!text.empty()) text += ',';
    text += info.name.view();
  }
  return text;
}

std::optional<ScopeSet> ScopeSet::parse(std::string_view text) {
  ScopeSet set;
  for (;;) {
    const auto comma = text.find(',');
    const auto scope = find_scope(text.substr(0, comma));
    if (!scope) return std::nullopt;
    set.insert(*scope);
    if (comma == std::string_view::npos) return set;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace parley
