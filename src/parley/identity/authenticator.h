#pragma once

#include <optional>
#include <string_view>

#include "parley/evidence/proofs.h"
#include "parley/evidence/sender.h"
#include "parley/identity/key_store.h"
#include "parley/identity/visitor_token.h"
#include "parley/net/async.h"

namespace parley::identity {

/// What a request brings along to say who asks. The views live as long as the request they came with.
struct Credentials {
  std::optional<std::string_view> authorization;  ///< the header's value
  Sender sender;
};

/// Turns a request's credentials into a caller. The only maker of `Authenticated`.
class Authenticator {
 public:
  Authenticator(KeyStore& keys, const VisitorTokens& visitors) : keys_(keys), visitors_(visitors) {}

  /// No credential is an anonymous caller. One that is there must hold: `Bearer TOKEN` or `Api-Key TOKEN` with a key
  /// or visitor token that exists, is not revoked and has not expired; anything else is `unauthenticated`, with one
  /// reason for all, and never falls back to anonymous.
  ///
  /// A public key holds only in a request that a browser says comes from one of the key's sites, a visitor token only
  /// on the site it was made for and as long as its key. May be asked again with the same credentials while something
  /// goes on for long, as a stream does.
  Async<Authenticated> authenticate(Credentials credentials) const;

 private:
  Async<Principal> find_visitor(std::string_view token, Sender sender) const;
  Async<Principal> find_key(PresentedKey presented, Sender sender) const;

  KeyStore& keys_;
  const VisitorTokens& visitors_;
};

}  // namespace parley::identity
