#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/base/result.h"

namespace parley {

/// What a credential may be used for. The numbers are bits of a `ScopeSet`; tables and wire formats carry the names.
enum class Scope : std::uint8_t {
  project_read,
  project_search,
  project_sources_read,
  project_sources_create,
  project_sources_delete,
  project_sync,
  chat_create,
  chats_read,
  chats_delete,
  project_manage,
  keys_manage,
  members_read,
  members_manage,
  organisation_manage,
  trail_read,
};

/// Who may hold a scope at all. Each may hold what the one before it may.
enum class Holders : std::uint8_t {
  public_keys,  ///< also a key that stands in a web page, readable by every visitor
  secret_keys,  ///< also a server's key
  members,      ///< people who have signed in: what decides about people is for people to do, with a second factor
};

struct ScopeInfo {
  Scope scope;
  Literal name;
  Literal purpose;  ///< one line for people and the API description
  Holders holders;
};

/// Every scope, in the order of the enumeration. The one registry: key creation, the API description, the route table
/// and the documentation read from it.
std::span<const ScopeInfo> all_scopes();
Literal name(Scope scope);

/// A set of scopes. Empty by default: a credential that was given nothing can do nothing.
class ScopeSet {
 public:
  constexpr ScopeSet() = default;
  constexpr ScopeSet(std::initializer_list<Scope> scopes) {
    for (const Scope scope : scopes) add(scope);
  }
  static ScopeSet all();
  /// What a public key may hold at most.
  static ScopeSet public_keys();
  /// What a secret key may hold at most.
  static ScopeSet secret_keys();

  constexpr void add(Scope scope) { bits_ |= bit(scope); }
  constexpr bool contains(Scope scope) const { return (bits_ & bit(scope)) != 0; }
  constexpr bool contains_all(ScopeSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const ScopeSet&) const = default;
  /// What both hold.
  constexpr ScopeSet operator&(ScopeSet other) const { return from_bits(bits_ & other.bits_); }

  /// What either holds.
  constexpr ScopeSet operator|(ScopeSet other) const { return from_bits(bits_ | other.bits_); }

  /// For tokens that this installation signs and reads itself; tables and wire formats carry names.
  constexpr std::uint64_t bits() const { return bits_; }
  static constexpr ScopeSet from_bits(std::uint64_t bits) {
    ScopeSet set;
    set.bits_ = bits;
    return set;
  }

  /// Names joined by commas in the order of the enumeration; `parse_scopes` reads it back.
  std::string to_string() const;

 private:
  static constexpr std::uint64_t bit(Scope scope) { return std::uint64_t{1} << static_cast<unsigned>(scope); }
  std::uint64_t bits_ = 0;
};

/// One scope by its name, or by one of the aliases create_chat, sources_create and sources_delete.
std::optional<Scope> parse_scope(std::string_view text);

/// A comma-separated list; blanks around names are allowed, empty names and unknown ones are `invalid_argument`: a
/// scope that was misspelt must not become a key that silently lacks it. The empty text is the empty set.
Result<ScopeSet> parse_scopes(std::string_view text);

}  // namespace parley
