#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace parley::identity {

/// What a member of a tenant is. Each role has all that the one before it has.
enum class Role : std::uint8_t {
  viewer,         ///< their own chats
  editor,         ///< all chats and figures
  maintainer,     ///< settings, sources, keys and members
  administrator,  ///< everything, the other administrators included
};

std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);

}  // namespace parley::identity
