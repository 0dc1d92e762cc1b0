#include "parley/crypto/seal.h"

#include <bitset>

#include "parley/crypto/hash.h"
#include "parley/crypto/sodium.h"

namespace parley::crypto {
namespace {

constexpr char version = 1;
constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t key_id_bytes = sizeof(SealKeyId::bytes);
constexpr std::size_t header_bytes = 1 + key_id_bytes;
static_assert(header_bytes + nonce_bytes + tag_bytes == seal_overhead_bytes);
static_assert(SealKey::size == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

constexpr std::size_t different_bytes_min = 16;

// The header is authenticated along with the context: its version or key id cannot be exchanged either.
std::string associated_data(std::string_view header, const SealContext& context) {
  std::string data(header);
  data += context.bytes();
  return data;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

SealKey::SealKey(Secret bytes) : bytes_(std::move(bytes)) {
  const auto name = hmac_sha256(bytes_, "parley seal key id");
  std::copy_n(name.bytes.begin(), id_.bytes.size(), id_.bytes.begin());
}

SealKey SealKey::make(Random& random) { return SealKey(Secret(random_bytes(size, random))); }

Result<SealKey> SealKey::from_bytes(Secret bytes) {
  if (bytes.reveal().size() != size) return fail(Code::invalid_argument, "a key must have exactly 32 bytes");
  std::bitset<256> seen;
  for (const char c : bytes.reveal()) seen.set(static_cast<std::uint8_t>(c));
  if (seen.count() < different_bytes_min)
    return fail(Code::invalid_argument, "the key is not random: it has too few different bytes");
  return SealKey(std::move(bytes));
}

Result<SealKey> SealKey::parse(const Secret& text) {
  ensure_sodium();
  const auto trimmed = trim(text.reveal());
  std::string bytes(size, '\0');
  const auto read = [&](auto decode) {
    std::size_t written = 0;
    const char* end = nullptr;
    return decode(&written, &end) == 0 && written == size && end == trimmed.data() + trimmed.size();
  };
  bool understood = false;
  if (trimmed.size() == size * 2) {
    understood = read([&](std::size_t* written, const char** end) {
      return sodium_hex2bin(bytes_of(bytes), size, trimmed.data(), trimmed.size(), nullptr, written, end);
    });
  } else if (trimmed.size() == 43 || trimmed.size() == 44) {
    for (const int variant : {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_URLSAFE,
                              sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE_NO_PADDING}) {
      understood = understood || read([&](std::size_t* written, const char** end) {
                     return sodium_base642bin(bytes_of(bytes), size, trimmed.data(), trimmed.size(), nullptr, written,
                                              end, variant);
                   });
    }
  }
  Secret decoded(std::move(bytes));
  if (!understood)
    return fail(Code::invalid_argument, "a key must be 32 bytes, written as 64 hexadecimal digits or as base64");
  return from_bytes(std::move(decoded));
}

SealKey SealKey::derive(Literal purpose) const {
  std::string label = "parley derive ";
  label += purpose.view();
  const auto derived = hmac_sha256(bytes_, label);
  return SealKey(Secret(std::string(derived.view())));
}

Secret SealKey::to_hex() const {
  std::string text(size * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(bytes_.reveal()), size);
  text.resize(size * 2);
  return Secret(std::move(text));
}

void SealContext::append(std::string_view part) {
  const auto length = static_cast<std::uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) encoded_.push_back(static_cast<char>(length >> shift & 0xffU));
  encoded_ += part;
}

std::string seal(const SealKey& key, std::string_view plain, const SealContext& context, Random& random) {
  ensure_sodium();
  std::string sealed(1, version);
  sealed.append(reinterpret_cast<const char*>(key.id().bytes.data()), key_id_bytes);
  const auto data = associated_data(sealed, context);
  sealed += random_bytes(nonce_bytes, random);
  sealed.resize(header_bytes + nonce_bytes + plain.size() + tag_bytes);
  unsigned char* nonce = bytes_of(sealed) + header_bytes;
  unsigned long long written = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + nonce_bytes, &written, bytes_of(plain), plain.size(),
                                             bytes_of(std::string_view(data)), data.size(), nullptr, nonce,
                                             bytes_of(key.secret().reveal()));
  return sealed;
}

Result<SealKeyId> sealed_by(std::string_view sealed) {
  if (sealed.size() < seal_overhead_bytes) return fail(Code::data_corrupt, "a sealed value is too short");
  if (sealed.front() != version) return fail(Code::data_corrupt, "a sealed value has an unknown version");
  SealKeyId id;
  std::copy_n(sealed.begin() + 1, key_id_bytes, id.bytes.begin());
  return id;
}

Result<Secret> open(const SealKey& key, std::string_view sealed, const SealContext& context) {
  ensure_sodium();
  if (PARLEY_TRY(sealed_by(sealed)) != key.id())
    return fail(Code::unavailable, "a value was sealed by another key than the one at hand");
  const auto data = associated_data(sealed.substr(0, header_bytes), context);
  const auto nonce = sealed.substr(header_bytes, nonce_bytes);
  const auto body = sealed.substr(header_bytes + nonce_bytes);
  std::string plain(body.size() - tag_bytes, '\0');
  unsigned long long written = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(plain), &written, nullptr, bytes_of(body), body.size(),
                                                 bytes_of(std::string_view(data)), data.size(), bytes_of(nonce),
                                                 bytes_of(key.secret().reveal())) != 0)
    return fail(Code::data_corrupt, "a sealed value was changed or belongs elsewhere");
  return Secret(std::move(plain));
}

}  // namespace parley::crypto
