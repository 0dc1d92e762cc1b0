#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/literal.h"

namespace parley {

/// What a credential may be used for. The one registry: key creation, the OpenAPI file, the route table and the
/// documentation read names and meanings from `scope_infos`.
enum class Scope : std::uint8_t {
  project_read,
  project_search,
  project_sources_read,
  project_sources_create,
  project_sources_delete,
  project_sync,
  chat_create,
  chat_read,
};

struct ScopeInfo {
  Scope scope;
  Literal name;
  Literal meaning;
  /// May a key that is published in a page hold it? Everything a public key can do, every visitor of that page can do.
  enum class PublicKey : bool { no, yes } public_key;
};

inline constexpr std::array scope_infos{
    ScopeInfo{Scope::project_read, "project_read", "read a project's public settings", ScopeInfo::PublicKey::yes},
    ScopeInfo{Scope::project_search, "project_search", "search a project's documents", ScopeInfo::PublicKey::yes},
    ScopeInfo{Scope::project_sources_read, "project_sources_read", "list sources", ScopeInfo::PublicKey::no},
    ScopeInfo{Scope::project_sources_create, "project_sources_create", "add sources", ScopeInfo::PublicKey::no},
    ScopeInfo{Scope::project_sources_delete, "project_sources_delete", "delete sources", ScopeInfo::PublicKey::no},
    ScopeInfo{Scope::project_sync, "project_sync", "read a project's sources again", ScopeInfo::PublicKey::no},
    ScopeInfo{Scope::chat_create, "chat_create", "start chats and send messages", ScopeInfo::PublicKey::yes},
    ScopeInfo{Scope::chat_read, "chat_read", "read every chat of a project", ScopeInfo::PublicKey::no},
};

constexpr Literal name(Scope scope) { return scope_infos[static_cast<std::size_t>(scope)].name; }

/// A set of scopes. Empty by default: a credential that was given nothing can do nothing.
class ScopeSet {
 public:
  constexpr ScopeSet() = default;
  constexpr ScopeSet(std::initializer_list<Scope> scopes) {
    for (const Scope scope : scopes) insert(scope);
  }

  constexpr void insert(Scope scope) { bits_ |= bit(scope); }
  constexpr bool contains(Scope scope) const { return (bits_ & bit(scope)) != 0; }
  constexpr bool contains_all(ScopeSet other) const { return (bits_ & other.bits_) == other.bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const ScopeSet&) const = default;

  /// Names parted by commas, in the registry's order: the form in which a set is stored and shown.
  std::string to_string() const;
  /// The inverse, also accepting the aliases create_chat, sources_create and sources_delete. None for an empty text or
  /// any name that is not known: an unknown scope must not be dropped silently.
  static std::optional<ScopeSet> parse(std::string_view text);

  /// What a public key may hold at most.
  static constexpr ScopeSet public_key_max() {
    ScopeSet set;
    for (const auto& info : scope_infos)
      if (info.public_key == ScopeInfo::PublicKey::yes) set.insert(info.scope);
    return set;
  }

 private:
  static constexpr std::uint32_t bit(Scope scope) { return 1U << static_cast<unsigned>(scope); }
  std::uint32_t bits_ = 0;
};

}  // namespace parley
