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

}  // namespace parley::identity
