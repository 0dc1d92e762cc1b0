#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/evidence/principal.h"
#include "parley/identity/names.h"

namespace parley::identity {

/// Every visitor token begins so; nothing else does.
inline constexpr std::string_view visitor_token_prefix = "vt_";

/// Long enough for a working day on a page, short enough that a token copied from one is soon worth nothing.
inline constexpr std::chrono::hours visitor_token_life{12};

/// What a visitor's token says: who, on which project, from which site, by whose word, until when.
struct VisitorPass {
  Uuid visitor;
  TenantId tenant;
  ProjectId project;
  ScopeSet scopes;
  std::string origin;  ///< the site it was made for and is good on; empty: our own pages
  struct Voucher {
    KeyId key;
    crypto::Digest digest;
  };
  std::optional<Voucher> vouched_by;              ///< the key it was traded for: the token ends with it
  std::vector<std::string> groups;                ///< of a visitor whose identity the customer's server has vouched for
  Timestamp expires_at;                           ///< set by `mint`
  std::optional<VerifiedIdentity> identity = {};  ///< who that is; the token ends with its issuer
};

/// Tokens for people on a page; sealed, so that none is stored and none can be read or changed. Unless a customer's
/// server says who they are, a visitor is nobody in particular: the id exists so that a chat can belong to whoever
/// holds the token.
class VisitorTokens {
 public:
  /// `key`: the installation's, derived for this purpose alone.
  VisitorTokens(crypto::SealKey key, const Clock& clock, crypto::Random& random)
      : key_(std::move(key)), clock_(&clock), random_(&random) {}

  struct Minted {
    std::string token;
    std::chrono::seconds expires_in;
  };
  /// The visitor gets of `pass.scopes` what a public key may hold, never more than whoever vouched for it; of
  /// `pass.groups` the first `groups_held_max`, not counting those whose names are too long: the visitor is in none
  /// of these. Ends after `visitor_token_life`, or at `not_after` if that is sooner.
  Minted mint(VisitorPass pass, std::optional<Timestamp> not_after = {}) const;

  /// `unauthenticated` for anything that is not one of ours, was changed, or has expired; one answer for all three.
  /// Whether its key still holds and whether it is used where it was made for is the caller's to check.
  Result<VisitorPass> read(std::string_view token) const;

 private:
  crypto::SealKey key_;
  const Clock* clock_;
  crypto::Random* random_;
};

}  // namespace parley::identity
