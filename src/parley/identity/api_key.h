#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/random.h"

namespace parley::identity {

/// A secret key acts for a server and must stay on it; a public key stands in a web page and is held to its origins.
enum class KeyKind : std::uint8_t { secret, public_key };

/// "secret" or "public", as in tables and on the command line.
std::string_view name(KeyKind kind);
std::optional<KeyKind> parse_key_kind(std::string_view text);

/// The text of a key: `sk_` or `pk_`, a version character `1`, 32 random base62 characters (190 bits), and six base62
/// characters of CRC-32 over all before them; 42 characters in all.
///
/// The prefix lets secret scanners find a leaked key; the checksum lets them, and us, tell a key from a typing mistake
/// without asking the database, so that garbage costs a microsecond and no lookup.
inline constexpr std::size_t api_key_characters = 42;

/// A well-formed key somebody presented. Says nothing about whether it exists.
class PresentedKey {
 public:
  KeyKind kind() const { return kind_; }

  /// What tables hold in place of the key: SHA-256 with a label of its own.
  ///
  /// Not a keyed hash: 190 random bits cannot be searched for, so a key would add nothing against a thief of the table,
  /// while every API key would die with a rotation of the master key. (Who can write the table could plant a digest,
  /// but could as well make themselves an administrator.)
  const crypto::Digest& digest() const { return digest_; }

  /// The last four characters, for showing which key a row is. Checksum characters: they leave over 166 bits unknown.
  const std::string& last4() const { return last4_; }

 private:
  friend Result<PresentedKey> parse_api_key(std::string_view text);
  PresentedKey(KeyKind kind, const crypto::Digest& digest, std::string last4)
      : kind_(kind), digest_(digest), last4_(std::move(last4)) {}

  KeyKind kind_;
  crypto::Digest digest_;
  std::string last4_;
};

/// Untrusted text to a key, or `unauthenticated` for anything else: another length, prefix, version, alphabet or
/// checksum. Exactly one text parses to each key: no blanks, no other spelling. The text itself is not kept.
Result<PresentedKey> parse_api_key(std::string_view text);

/// A new key's text. Shown to its owner once, and stored nowhere.
Secret make_api_key(KeyKind kind, crypto::Random& random = crypto::system_random());

}  // namespace parley::identity
