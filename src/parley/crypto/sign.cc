#include "parley/crypto/sign.h"

#include "parley/crypto/sodium.h"

namespace parley::crypto {
namespace {

constexpr std::size_t seed_bytes = crypto_sign_ed25519_SEEDBYTES;

// libsodium's form of a secret key is seed and public key side by side; made when needed and wiped again.
struct Expanded {
  explicit Expanded(const Secret& seed) {
    crypto_sign_ed25519_seed_keypair(public_key, secret_key, bytes_of(seed.reveal()));
  }
  ~Expanded() { sodium_memzero(secret_key, sizeof secret_key); }
  Expanded(const Expanded&) = delete;
  Expanded& operator=(const Expanded&) = delete;

  unsigned char public_key[crypto_sign_ed25519_PUBLICKEYBYTES];
  unsigned char secret_key[crypto_sign_ed25519_SECRETKEYBYTES];
};

}  // namespace

SigningKey::SigningKey(Secret seed) : seed_(std::move(seed)) {
  ensure_sodium();
  const Expanded keys(seed_);
  std::copy_n(keys.public_key, public_key_.bytes.size(), public_key_.bytes.begin());
}

SigningKey SigningKey::make(Random& random) { return SigningKey(Secret(random_bytes(seed_bytes, random))); }

Result<SigningKey> SigningKey::from_seed(Secret seed) {
  if (seed.reveal().size() != seed_bytes) return fail(Code::invalid_argument, "a signing seed must have 32 bytes");
  return SigningKey(std::move(seed));
}

Signature SigningKey::sign(std::string_view message) const {
  const Expanded keys(seed_);
  Signature signature;
  crypto_sign_ed25519_detached(signature.bytes.data(), nullptr, bytes_of(message), message.size(), keys.secret_key);
  return signature;
}

SignatureVerdict verify_signature(const PublicKey& key, std::string_view message, const Signature& signature) {
  ensure_sodium();
  const bool valid = crypto_sign_ed25519_verify_detached(signature.bytes.data(), bytes_of(message), message.size(),
                                                         key.bytes.data()) == 0;
  return valid ? SignatureVerdict::valid : SignatureVerdict::invalid;
}

}  // namespace parley::crypto
