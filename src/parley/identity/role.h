#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/evidence/scopes.h"

namespace parley::identity {

/// What a member of a tenant is. Each role has all that the one before it has.
enum class Role : std::uint8_t {
  viewer,         ///< their own chats
  editor,         ///< all chats and figures
  maintainer,     ///< settings, sources, keys and members
  administrator,  ///< everything, the other administrators included
};

std::string_view name(Role role);
/// What a role may do, in the same words as keys: so one rule of the gate judges both.
///
/// | role          | adds                                                                                  |
/// |---------------|---------------------------------------------------------------------------------------|
/// | viewer        | project_read, project_search, chat_create                                             |
/// | editor        | chats_read, chats_delete                                                              |
/// | maintainer    | sources, project_manage, keys_manage, members_read, members_manage, trail_read        |
/// | administrator | organisation_manage; and, by role_rules.h, the other administrators                   |
ScopeSet scopes_of(Role role);
std::optional<Role> parse_role(std::string_view text);

}  // namespace parley::identity
