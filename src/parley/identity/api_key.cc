#include "parley/identity/api_key.h"

#include <utility>

namespace parley::identity {
namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t prefix_characters = 3;
constexpr char version = '1';
constexpr std::size_t random_characters = 32;
constexpr std::size_t checksum_characters = 6;  // 62^6 > 2^32
constexpr std::size_t covered_characters = prefix_characters + 1 + random_characters;
static_assert(covered_characters + checksum_characters == api_key_characters);

std::string_view prefix_of(KeyKind kind) { return kind == KeyKind::secret ? "sk_" : "pk_"; }

std::string checksum(std::string_view covered) {
  std::string text(checksum_characters, '0');
  auto rest = crypto::crc32(covered);
  for (std::size_t i = checksum_characters; i-- > 0; rest /= 62) text[i] = base62[rest % 62];
  return text;
}

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the API key is not valid", std::move(why));
}

}  // namespace

std::string_view name(KeyKind kind) {
  switch (kind) {
    case KeyKind::secret: return "secret";
    case KeyKind::public_key: return "public";
  }
  std::unreachable();
}

std::optional<KeyKind> parse_key_kind(std::string_view text) {
  if (text == "secret") return KeyKind::secret;
  if (text == "public") return KeyKind::public_key;
  return std::nullopt;
}

Result<PresentedKey> parse_api_key(std::string_view text) {
  if (text.size() != api_key_characters) return refuse("key of another length");
  KeyKind kind = KeyKind::secret;
  if (text.starts_with(prefix_of(KeyKind::public_key))) kind = KeyKind::public_key;
  else if (!text.starts_with(prefix_of(KeyKind::secret))) return refuse("key with an unknown prefix");
  if (text[prefix_characters] != version) return refuse("key of an unknown version");
  if (text.find_first_not_of(base62, prefix_characters) != std::string_view::npos)
    return refuse("key with a character that is not base62");
  if (text.substr(covered_characters) != checksum(text.substr(0, covered_characters)))
    return refuse("key with a wrong checksum");
  const auto digest = crypto::Sha256().update("parley api key 1\n").update(text).finish();
  return PresentedKey(kind, digest, std::string(text.substr(text.size() - 4)));
}

Secret make_api_key(KeyKind kind, crypto::Random& random) {
  std::string text(prefix_of(kind));
  text.reserve(api_key_characters);  // growing would leave pieces of the key in freed memory
  text += version;
  const Secret body(crypto::random_text(random_characters, base62, random));
  text += body.reveal();
  text += checksum(text);
  return Secret(std::move(text));
}

}  // namespace parley::identity
