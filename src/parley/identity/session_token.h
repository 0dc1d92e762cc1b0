#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/random.h"

namespace parley::identity {

/// The text of a session: `ps_`, a version character `1`, 43 random base62 characters (256 bits) and six of CRC-32 over
/// all before them. Letters, digits and `_` alone, so it stands in a cookie without quoting.
///
/// As with API keys, the prefix lets secret scanners find one that leaked into a log or a paste, and the checksum lets
/// garbage be refused without a look-up.
inline constexpr std::string_view session_token_prefix = "ps_";
inline constexpr std::size_t session_token_characters = 53;

/// A well-formed session token that somebody presented. Says nothing about whether the session exists.
class PresentedSession {
 public:
  /// What the table holds in place of the token: SHA-256 with a label of its own. Not keyed, for the reason given in
  /// api_key.h.
  const crypto::Digest& digest() const { return digest_; }

  /// What a page must send back in a header with every request that changes something: 43 characters that only a
  /// holder of the token can compute, and from which the token cannot be. Needs no storage; ends when the token does.
  std::string csrf_token() const;
  /// Compares in constant time. The empty text never matches.
  bool matches_csrf(std::string_view presented) const;

 private:
  friend Result<PresentedSession> parse_session_token(std::string_view text);
  PresentedSession(const crypto::Digest& digest, const crypto::Digest& csrf) : digest_(digest), csrf_(csrf) {}

  crypto::Digest digest_;
  crypto::Digest csrf_;
};

/// Untrusted text to a session token, or `unauthenticated` for anything else. Exactly one text parses to each token: no
/// blanks, no quotes, no other spelling. The text itself is not kept.
Result<PresentedSession> parse_session_token(std::string_view text);

/// A new session's text, for its cookie. Stored nowhere.
Secret make_session_token(crypto::Random& random = crypto::system_random());

}  // namespace parley::identity
