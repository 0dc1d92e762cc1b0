#include "parley/identity/role.h"

#include <utility>

namespace parley::identity {

std::string_view name(Role role) {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::editor: return "editor";
    case Role::maintainer: return "maintainer";
    case Role::administrator: return "administrator";
  }
  std::unreachable();
}

std::optional<Role> parse_role(std::string_view text) {
  for (const auto role : {Role::viewer, Role::editor, Role::maintainer, Role::administrator})
    if (name(role) == text) return role;
  return std::nullopt;
}

ScopeSet scopes_of(Role role) {
  ScopeSet scopes{Scope::project_read, Scope::project_search, Scope::chat_create};
  if (role >= Role::editor) scopes = scopes | ScopeSet{Scope::chats_read, Scope::chats_delete};
  if (role >= Role::maintainer)
    scopes =
        scopes | ScopeSet{Scope::project_sources_read, Scope::project_sources_create, Scope::project_sources_delete,
                          Scope::project_sync,         Scope::project_manage,         Scope::keys_manage,
                          Scope::members_read,         Scope::members_manage,         Scope::trail_read};
  if (role >= Role::administrator) scopes = scopes | ScopeSet{Scope::organisation_manage};
  return scopes;
}

}  // namespace parley::identity
