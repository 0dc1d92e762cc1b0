#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/evidence/principal.h"

namespace parley::identity {

/// Every visitor token begins so; nothing else does.
inline constexpr std::string_view visitor_token_prefix = "vt_";

/// Long enough for a working day on a page, short enough that a token copied from one is soon worth nothing.
inline constexpr std::chrono::hours visitor_token_life{12};

/// Tokens for people on a page: who they are, which project they may ask, until when; signed, so that none is stored.
/// A visitor is nobody in particular: the id exists so that a chat can belong to whoever holds the token.
class VisitorTokens {
 public:
  /// `key`: the installation's, derived for this purpose alone.
  VisitorTokens(crypto::SealKey key, const Clock& clock, crypto::Random& random)
      : key_(std::move(key)), clock_(&clock), random_(&random) {}

  struct Minted {
    std::string token;
    Uuid visitor;
    std::chrono::seconds expires_in;
  };
  /// `scopes`: what the minter holds; the visitor gets of them what a public key may hold, never more than whoever
  /// vouched for it.
  Minted mint(const ProjectRef& project, ScopeSet scopes) const;

  /// `unauthenticated` for anything that is not one of ours, was changed, or has expired; one answer for all three.
  Result<Principal> verify(std::string_view token) const;

 private:
  crypto::SealKey key_;
  const Clock* clock_;
  crypto::Random* random_;
};

}  // namespace parley::identity
