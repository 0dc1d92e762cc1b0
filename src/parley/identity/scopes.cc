#include "parley/identity/scopes.h"

#include <algorithm>
#include <array>
#include <utility>

namespace parley::identity {
namespace {

constexpr auto may = PublicKeys::may_hold;
constexpr auto may_not = PublicKeys::may_not_hold;

constexpr std::array scopes{
    ScopeInfo{Scope::project_read, "project_read", "See a project's name and settings", may},
    ScopeInfo{Scope::project_search, "project_search", "Search a project's pages", may},
    ScopeInfo{Scope::project_sources_read, "project_sources_read", "List a project's sources", may_not},
    ScopeInfo{Scope::project_sources_create, "project_sources_create", "Add sources to a project", may_not},
    ScopeInfo{Scope::project_sources_delete, "project_sources_delete", "Remove sources from a project", may_not},
    ScopeInfo{Scope::project_sync, "project_sync", "Fetch a project's sources again", may_not},
    ScopeInfo{Scope::chat_create, "chat_create", "Ask questions", may},
    ScopeInfo{Scope::chat_read, "chat_read", "Read chats of others", may_not},
    ScopeInfo{Scope::chat_delete, "chat_delete", "Delete chats", may_not},
    ScopeInfo{Scope::project_create, "project_create", "Create projects", may_not},
    ScopeInfo{Scope::project_update, "project_update", "Change a project's name and settings", may_not},
    ScopeInfo{Scope::project_delete, "project_delete", "Remove projects with all they hold", may_not},
    ScopeInfo{Scope::key_read, "key_read", "List API keys, never their text", may_not},
    ScopeInfo{Scope::key_manage, "key_manage", "Create, rotate and revoke API keys", may_not},
    ScopeInfo{Scope::member_read, "member_read", "List members and their roles", may_not},
    ScopeInfo{Scope::member_manage, "member_manage", "Add and remove members, change roles", may_not},
    ScopeInfo{Scope::trail_read, "trail_read", "Read and verify the trail", may_not},
    ScopeInfo{Scope::approval_decide, "approval_decide", "Approve or deny what a tool wants to do", may_not},
};

constexpr bool stand_in_order() {
  for (std::size_t i = 0; i < scopes.size(); ++i)
    if (static_cast<std::size_t>(scopes[i].scope) != i) return false;
  return true;
}
static_assert(stand_in_order(), "name() looks a scope up by its number");
static_assert(static_cast<std::size_t>(Scope::approval_decide) + 1 == scopes.size());
static_assert(scopes.size() <= 64, "a ScopeSet is one word");

// Names that existing integrations use for the same things.
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

std::string_view name(Scope scope) { return scopes[static_cast<std::size_t>(scope)].name; }

ScopeSet ScopeSet::all() {
  ScopeSet set;
  for (const auto& info : scopes) set.add(info.scope);
  return set;
}

ScopeSet ScopeSet::public_keys() {
  ScopeSet set;
  for (const auto& info : scopes)
    if (info.public_keys == PublicKeys::may_hold) set.add(info.scope);
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

std::string_view name(Role role) {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::editor: return "editor";
    case Role::administrator: return "administrator";
    case Role::owner: return "owner";
  }
  std::unreachable();
}

std::optional<Role> parse_role(std::string_view text) {
  for (const auto role : {Role::viewer, Role::editor, Role::administrator, Role::owner})
    if (name(role) == text) return role;
  return std::nullopt;
}

ScopeSet scopes_of(Role role) {
  ScopeSet set{Scope::project_read, Scope::project_search, Scope::project_sources_read, Scope::chat_create};
  if (role >= Role::editor) {
    for (const auto scope : {Scope::project_sources_create, Scope::project_sources_delete, Scope::project_sync,
                             Scope::project_update, Scope::chat_read, Scope::approval_decide})
      set.add(scope);
  }
  if (role >= Role::administrator) {
    for (const auto scope : {Scope::project_create, Scope::chat_delete, Scope::key_read, Scope::key_manage,
                             Scope::member_read, Scope::trail_read})
      set.add(scope);
  }
  // Who may decide who decides, and what cannot be undone, is the owner's.
  if (role >= Role::owner) return ScopeSet::all();
  return set;
}

}  // namespace parley::identity
