#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "parley/evidence/proofs.h"
#include "parley/evidence/sender.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/key_store.h"
#include "parley/identity/members.h"
#include "parley/identity/session_store.h"
#include "parley/identity/visitor_token.h"
#include "parley/net/async.h"

namespace parley::identity {

/// What a request brings along to say who asks. The views live as long as the request they came with.
struct Credentials {
  std::optional<std::string_view> authorization;  ///< the header's value
  std::optional<std::string_view> session;        ///< the session cookie's; counts only without the header
  SessionUse use;                                 ///< what the session would be used for
  Sender sender;
  boost::asio::ip::address client;  ///< as admission has settled it: not the proxy's
};

/// Why there is no caller.
struct NotAuthenticated {
  Error error;
  Literal rule = "credential_invalid";
  /// Set if the credential is a server's and would hold but for how or when it is used: whose trail the refusal belongs
  /// on. Not of one that anybody may have, nor of one that has ended.
  std::optional<Principal> known = {};

  // So that failures of what it asks pass through as they are.
  NotAuthenticated(Error why) : error(std::move(why)) {}  // NOLINT(google-explicit-constructor)
  NotAuthenticated(Error why, Literal by, std::optional<Principal> whose)
      : error(std::move(why)), rule(by), known(std::move(whose)) {}
};

/// Turns a request's credentials into a caller. The only maker of `Authenticated`.
class Authenticator {
 public:
  /// All references must outlive this object.
  Authenticator(KeyStore& keys, const VisitorTokens& visitors, IdentityIssuers& issuers, SessionStore& sessions,
                Members& members)
      : keys_(keys), visitors_(visitors), issuers_(issuers), sessions_(sessions), members_(members) {}

  /// No credential is an anonymous caller. One that is there must hold: `Bearer TOKEN` or `Api-Key TOKEN` with a key
  /// or visitor token that exists, is not revoked and has not expired; anything else is `unauthenticated`, with one
  /// reason for all, and never falls back to anonymous.
  ///
  /// A key holds only from the addresses it is for, if it names any. A public key holds only in a request that a
  /// browser says comes from one of the key's sites, a visitor token only on the site it was made for and as long as
  /// its key, and as its identity issuer if it has one. A session holds on our own pages; for what changes something
  /// with its CSRF token, too. One that owes a factor is nobody's yet; one that owes an enrolment is a member who may
  /// do that. May be asked again with the same credentials while something goes on for long, as a stream does.
  asio::awaitable<std::expected<Authenticated, NotAuthenticated>> authenticate(Credentials credentials) const;

 private:
  using Found = std::expected<Principal, NotAuthenticated>;
  asio::awaitable<Found> find_visitor(std::string_view token, Credentials credentials) const;
  asio::awaitable<Found> find_key(PresentedKey presented, Credentials credentials) const;
  asio::awaitable<Found> find_member(Credentials credentials) const;

  KeyStore& keys_;
  const VisitorTokens& visitors_;
  IdentityIssuers& issuers_;
  SessionStore& sessions_;
  Members& members_;
};

}  // namespace parley::identity
