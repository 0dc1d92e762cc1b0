#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/base/result.h"

namespace parley::identity {

/// What a credential may be allowed to do. The numbers are bits of a `ScopeSet` and never leave the program: tables and
/// wire formats carry the names.
enum class Scope : std::uint8_t {
  project_read,
  project_search,
  project_sources_read,
  project_sources_create,
  project_sources_delete,
  project_sync,
  chat_create,
  // Parley's own.
  chat_read,
  chat_delete,
  project_create,
  project_update,
  project_delete,
  key_read,
  key_manage,
  member_read,
  member_manage,
  trail_read,
  approval_decide,
};

/// Whether a key that stands in a web page, readable by every visitor, may hold the scope.
enum class PublicKeys { may_hold, may_not_hold };

struct ScopeInfo {
  Scope scope;
  Literal name;
  Literal purpose;  ///< one line for the dashboard and the API description
  PublicKeys public_keys;
};

/// Every scope, in the order of the enumeration.
std::span<const ScopeInfo> all_scopes();
std::string_view name(Scope scope);

/// A set of scopes, as one word.
class ScopeSet {
 public:
  constexpr ScopeSet() = default;
  constexpr ScopeSet(std::initializer_list<Scope> scopes) {
    for (const auto scope : scopes) add(scope);
  }
  static ScopeSet all();
  /// What a public key may hold: project_read, project_search, chat_create.
  static ScopeSet public_keys();

  constexpr void add(Scope scope) { bits_ |= bit(scope); }
  constexpr bool contains(Scope scope) const { return (bits_ & bit(scope)) != 0; }
  constexpr bool contains_all(ScopeSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr ScopeSet operator&(ScopeSet other) const { return ScopeSet(bits_ & other.bits_); }
  constexpr bool operator==(const ScopeSet&) const = default;

  /// Names joined by commas in the order of the enumeration; `parse_scopes` reads it back.
  std::string to_string() const;

 private:
  constexpr explicit ScopeSet(std::uint64_t bits) : bits_(bits) {}
  static constexpr std::uint64_t bit(Scope scope) { return std::uint64_t{1} << static_cast<unsigned>(scope); }
  std::uint64_t bits_ = 0;
};

/// One scope by its name, or by one of the aliases create_chat, sources_create and sources_delete.
std::optional<Scope> parse_scope(std::string_view text);

/// A comma-separated list; blanks around names are allowed, empty names and unknown ones are `invalid_argument`: a
/// scope that was misspelt must not become a key that silently lacks it. The empty text is the empty set.
Result<ScopeSet> parse_scopes(std::string_view text);

/// What a member of a tenant is. Each role has all that the one before it has.
enum class Role : std::uint8_t { viewer, editor, administrator, owner };

std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);
/// What a member of that role may do.
ScopeSet scopes_of(Role role);

}  // namespace parley::identity
