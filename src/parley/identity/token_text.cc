#include "parley/identity/token_text.h"

#include "parley/crypto/hash.h"

namespace parley::identity {
namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string checksum(std::string_view covered) {
  std::string text(token_checksum_characters, '0');
  auto rest = crypto::crc32(covered);
  for (std::size_t i = token_checksum_characters; i-- > 0; rest /= 62) text[i] = base62[rest % 62];
  return text;
}

}  // namespace

Secret make_token_text(std::string_view prefix, std::size_t random_characters, crypto::Random& random) {
  std::string text(prefix);
  // Growing would leave pieces of the token in freed memory.
  text.reserve(prefix.size() + random_characters + token_checksum_characters);
  const Secret body(crypto::random_text(random_characters, base62, random));
  text += body.reveal();
  text += checksum(text);
  return Secret(std::move(text));
}

bool is_token_text(std::string_view text, std::string_view prefix, std::size_t random_characters) {
  const auto covered = prefix.size() + random_characters;
  return text.size() == covered + token_checksum_characters && text.starts_with(prefix) &&
         text.find_first_not_of(base62, prefix.size()) == std::string_view::npos &&
         text.substr(covered) == checksum(text.substr(0, covered));
}

}  // namespace parley::identity
