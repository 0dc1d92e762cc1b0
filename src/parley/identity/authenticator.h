#pragma once

#include <optional>
#include <string_view>

#include "parley/evidence/proofs.h"
#include "parley/identity/key_store.h"
#include "parley/identity/visitor_token.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Turns the Authorization header into a caller. The only maker of `Authenticated`.
class Authenticator {
 public:
  Authenticator(KeyStore& keys, const VisitorTokens& visitors) : keys_(keys), visitors_(visitors) {}

  /// No header is an anonymous caller. A header that is there must hold: `Bearer TOKEN` or `Api-Key TOKEN` with a key
  /// or visitor token that exists, is not revoked and has not expired; anything else is `unauthenticated`, with one
  /// reason for all, and never falls back to anonymous. A public key holds only in a request that a browser says comes
  /// from one of the key's sites: `origin` is the Origin header. Both texts live as long as the request they came with.
  Async<Authenticated> authenticate(std::optional<std::string_view> authorization,
                                    std::optional<std::string_view> origin) const;

 private:
  KeyStore& keys_;
  const VisitorTokens& visitors_;
};

}  // namespace parley::identity
