#include "parley/evidence/scopes.h"

#include <array>
#include <utility>

namespace parley {
namespace {

using enum Holders;

constexpr std::array scopes{
    ScopeInfo{Scope::project_read, "project_read", "See a project's name and settings", public_keys},
    ScopeInfo{Scope::project_search, "project_search", "Search a project's documents", public_keys},
    ScopeInfo{Scope::project_sources_read, "project_sources_read", "List a project's sources", secret_keys},
    ScopeInfo{Scope::project_sources_create, "project_sources_create", "Add sources to a project", secret_keys},
    ScopeInfo{Scope::project_sources_delete, "project_sources_delete", "Remove sources from a project", secret_keys},
    ScopeInfo{Scope::project_sync, "project_sync", "Read a project's sources again", secret_keys},
    ScopeInfo{Scope::chat_create, "chat_create", "Start chats and send messages", public_keys},
    ScopeInfo{Scope::chats_read, "chats_read", "Read everybody's chats", secret_keys},
    ScopeInfo{Scope::chats_delete, "chats_delete", "Delete chats", secret_keys},
    ScopeInfo{Scope::project_manage, "project_manage", "Make projects, change who may reach them", secret_keys},
    ScopeInfo{Scope::keys_manage, "keys_manage", "Make, rotate and revoke API keys", secret_keys},
    ScopeInfo{Scope::members_read, "members_read", "See who belongs to the organisation", members},
    ScopeInfo{Scope::members_manage, "members_manage", "Invite and remove people, change their roles", members},
    ScopeInfo{Scope::organisation_manage, "organisation_manage", "Change what holds for the whole organisation",
              members},
    ScopeInfo{Scope::trail_read, "trail_read", "Read the record of who did what", secret_keys},
};

consteval bool stand_in_order() {
  for (std::size_t i = 0; i < scopes.size(); ++i)
    if (static_cast<std::size_t>(scopes[i].scope) != i) return false;
  return true;
}
static_assert(stand_in_order(), "name() looks a scope up by its number");
static_assert(scopes.size() <= 64, "a ScopeSet is one word");

// Spellings found in documentation that people copy from.
constexpr std::array<std::pair<std::string_view, Scope>, 3> aliases{{
    {"create_chat", Scope::chat_create},
    {"sources_create", Scope::project_sources_create},
    {"sources_delete", Scope::project_sources_delete},
}};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

std::span<const ScopeInfo> all_scopes() { return scopes; }

Literal name(Scope scope) { return scopes[static_cast<std::size_t>(scope)].name; }

ScopeSet ScopeSet::all() {
  ScopeSet set;
  for (const auto& info : scopes) set.add(info.scope);
  return set;
}

ScopeSet ScopeSet::public_keys() {
  ScopeSet set;
  for (const auto& info : scopes)
    if (info.holders == Holders::public_keys) set.add(info.scope);
  return set;
}

ScopeSet ScopeSet::secret_keys() {
  ScopeSet set;
  for (const auto& info : scopes)
    if (info.holders != Holders::members) set.add(info.scope);
  return set;
}

std::string ScopeSet::to_string() const {
  std::string text;
  for (const auto& info : scopes) {
    if (!contains(info.scope)) continue;
    if (!text.empty()) text += ',';
    text += info.name.view();
  }
  return text;
}

std::optional<Scope> parse_scope(std::string_view text) {
  for (const auto& info : scopes)
    if (info.name.view() == text) return info.scope;
  for (const auto& [alias, scope] : aliases)
    if (alias == text) return scope;
  return std::nullopt;
}

Result<ScopeSet> parse_scopes(std::string_view text) {
  ScopeSet set;
  if (trim(text).empty()) return set;
  for (;;) {
    const auto comma = text.find(',');
    const auto scope = parse_scope(trim(text.substr(0, comma)));
    if (!scope) return fail(Code::invalid_argument, "there is no scope of that name");
    set.add(*scope);
    if (comma == std::string_view::npos) return set;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace parley
