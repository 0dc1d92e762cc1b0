#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/literal.h"
#include "parley/evidence/scopes.h"

namespace parley {

/// What a request costs, as far as limits go; `admission/` decides which counts each one takes from.
enum class Cost : std::uint8_t { read, search, chat, mint_visitor };

/// What somebody may ask Parley to do, apart from how it is spelt in HTTP. Each is one small type with a constant
/// `info` of this type; `Authorized<ThatType>` is the permission to do it.
struct ActionInfo {
  Literal name;     ///< "chat.create": as the trail and the documentation call it
  Literal summary;  ///< one line for the API description
  Scope scope;      ///< what a credential must hold; without meaning for an action on one's own account
  Cost cost;

  /// What it is done to.
  enum class On : std::uint8_t {
    project,       ///< the one the request names
    organisation,  ///< the one the credential belongs to: a request cannot name another
    account,       ///< the caller's own; for members alone
  } on = On::project;

  /// Who may do it without a credential. Only on a public project, and only what is public anyway.
  enum class Anonymous : std::uint8_t {
    may_not,
    own_pages,  ///< our own pages
    reading,    ///< these, listed sites, and programs where the project has `server_reads` on
    chatting,   ///< listed sites, where the project has `biel_compat` on
  } anonymous = Anonymous::may_not;
  /// Whether a key that stands in a page, so is everybody's, may do it itself. What belongs to somebody afterwards
  /// needs the visitor token that the key is traded for, or all of a page's readers would own each other's.
  enum class PublicKey : std::uint8_t { may_not, may, trade_for_visitor } public_key = PublicKey::may_not;
  /// Whether a visitor may do it. Not what makes visitors: a token could renew itself for ever, past the end of the key
  /// that vouched for it.
  enum class Visitors : bool { may_not, may } visitors = Visitors::may_not;
  /// Whether somebody of whom nobody says who they are may do it in a project whose visitors must be verified: what a
  /// page needs before its reader is known, and no more.
  enum class Unverified : bool { may_not, may } unverified = Unverified::may_not;
  /// Whether a member may do it who has yet to set up the second factor that their organisation asks for.
  enum class Enrolling : bool { may_not, may } enrolling = Enrolling::may_not;
  /// Does it change anything? Decides whether its trail record must be durable before the effect.
  enum class Effect : bool { reads, writes } effect = Effect::reads;
};

template <class A>
concept Action = requires {
  { A::info } -> std::convertible_to<const ActionInfo&>;
};

}  // namespace parley
