#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/literal.h"
#include "parley/evidence/scopes.h"

namespace parley {

/// What a request costs, as far as limits go; `admission/` decides which counts each one takes from.
enum class Cost : std::uint8_t { read, chat, mint_visitor };

/// What somebody may ask Parley to do, apart from how it is spelt in HTTP. Each is one small type with a constant
/// `info` of this type; `Authorized<ThatType>` is the permission to do it.
struct ActionInfo {
  Literal name;     ///< "chat.create": as the trail and the documentation call it
  Literal summary;  ///< one line for the API description
  Scope scope;      ///< what a credential must hold
  Cost cost;

  /// Whether a public project's own pages may do it without a credential. Only for reading what is public anyway.
  enum class OwnPages : bool { need_credential, may } own_pages = OwnPages::need_credential;
  /// Whether a key that stands in a page, so is everybody's, may do it itself. What belongs to somebody afterwards
  /// needs the visitor token that the key is traded for, or all of a page's readers would own each other's.
  enum class PublicKey : bool { trade_for_visitor, may } public_key = PublicKey::trade_for_visitor;
  /// Whether a visitor may do it. Not what makes visitors: a token could renew itself for ever, past the end of the key
  /// that vouched for it.
  enum class Visitors : bool { may_not, may } visitors = Visitors::may;
  /// Does it change anything? Decides whether its trail record must be durable before the effect.
  enum class Effect : bool { reads, writes } effect = Effect::reads;
};

template <class A>
concept Action = requires {
  { A::info } -> std::convertible_to<const ActionInfo&>;
};

}  // namespace parley
