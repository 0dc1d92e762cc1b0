#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/secret.h"
#include "parley/crypto/random.h"

namespace parley::identity {

/// How the texts of sessions and of links are made: a prefix that says what it is, random base62 characters, and six
/// more of CRC-32 over all before them. Internal to this module: each kind of token has a type and a parser of its own.
inline constexpr std::size_t token_checksum_characters = 6;  // 62^6 > 2^32

/// `prefix` with its version character.
Secret make_token_text(std::string_view prefix, std::size_t random_characters, crypto::Random& random);

/// Whether the text is what `make_token_text` could have written, in its only spelling.
bool is_token_text(std::string_view text, std::string_view prefix, std::size_t random_characters);

}  // namespace parley::identity
