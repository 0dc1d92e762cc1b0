#pragma once

// For tests alone: keys made at run time that sign what the product verifies. Kept here, since OpenSSL stays in this
// folder.
#include <openssl/rsa.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "parley/base/secret.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/openssl.h"
#include "parley/crypto/random.h"
#include "parley/crypto/sign.h"
#include "parley/text/base64.h"

namespace parley::crypto::testing {

inline std::string base64url(std::string_view bytes) {
  return text::to_base64url({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// A key pair, or a shared secret. Signs with SHA-256 in the form of a token or, for EC, in DER as authenticators do.
class TestSigner {
 public:
  static TestSigner ec() { return TestSigner(EVP_EC_gen("P-256"), "ES256"); }
  static TestSigner rsa(unsigned bits = 2048) { return TestSigner(EVP_RSA_gen(bits), "RS256"); }
  static TestSigner hmac(std::string secret = random_bytes(32)) {
    TestSigner signer(nullptr, "HS256");
    signer.secret_ = std::move(secret);
    return signer;
  }

  const std::string& algorithm() const { return algorithm_; }
  const std::string& secret() const { return secret_; }

  /// As a token carries it.
  std::string sign(std::string_view message) const {
    if (!key_) return std::string(hmac_sha256(Secret(secret_), message).view());
    auto block = sign_der(message);
    if (algorithm_ == "RS256") return block;
    const auto* at = openssl::bytes_of(block);
    const openssl::EcdsaSignature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(block.size())));
    std::string raw(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    must(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, 32) == 32);
    must(BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + 32, 32) == 32);
    return raw;
  }
  /// As OpenSSL and authenticators write it.
  std::string sign_der(std::string_view message) const {
    const openssl::DigestContext context(EVP_MD_CTX_new());
    must(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
    std::size_t size = 0;
    must(EVP_DigestSign(context.get(), nullptr, &size, openssl::bytes_of(message), message.size()) == 1);
    std::string block(size, '\0');
    must(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(block.data()), &size,
                        openssl::bytes_of(message), message.size()) == 1);
    block.resize(size);
    return block;
  }

  std::string modulus() const { return number(OSSL_PKEY_PARAM_RSA_N); }
  std::string exponent() const { return number(OSSL_PKEY_PARAM_RSA_E); }
  std::string x() const { return number(OSSL_PKEY_PARAM_EC_PUB_X, 32); }
  std::string y() const { return number(OSSL_PKEY_PARAM_EC_PUB_Y, 32); }

  /// The public half (or the secret) as a JWK.
  std::string jwk(std::string_view kid = "") const {
    const std::string named = kid.empty() ? std::string() : fmt::format(R"(,"kid":"{}")", kid);
    if (algorithm_ == "HS256") return fmt::format(R"({{"kty":"oct","k":"{}"{}}})", base64url(secret_), named);
    if (algorithm_ == "RS256")
      return fmt::format(R"({{"kty":"RSA","n":"{}","e":"{}"{}}})", base64url(modulus()), base64url(exponent()), named);
    return fmt::format(R"({{"kty":"EC","crv":"P-256","x":"{}","y":"{}"{}}})", base64url(x()), base64url(y()), named);
  }

  /// A token of this header and payload, signed.
  std::string token_of(std::string_view header, std::string_view payload) const {
    const auto signed_bytes = base64url(header) + "." + base64url(payload);
    return signed_bytes + "." + base64url(sign(signed_bytes));
  }
  std::string token(std::string_view payload, std::string_view kid = "") const {
    const std::string named = kid.empty() ? std::string() : fmt::format(R"(,"kid":"{}")", kid);
    return token_of(fmt::format(R"({{"alg":"{}","typ":"JWT"{}}})", algorithm_, named), payload);
  }

 private:
  TestSigner(EVP_PKEY* key, std::string algorithm) : key_(key), algorithm_(std::move(algorithm)) {
    must(key != nullptr || algorithm_ == "HS256");
  }
  static void must(bool holds) {
    if (!holds) std::abort();
  }
  std::string number(const char* name, int width = 0) const {
    BIGNUM* found = nullptr;
    must(EVP_PKEY_get_bn_param(key_.get(), name, &found) == 1);
    const openssl::Number owned(found);
    const int bytes = width == 0 ? BN_num_bytes(found) : width;
    std::string out(static_cast<std::size_t>(bytes), '\0');
    must(BN_bn2binpad(found, reinterpret_cast<unsigned char*>(out.data()), bytes) == bytes);
    return out;
  }

  openssl::Key key_;
  std::string algorithm_;
  std::string secret_;
};

}  // namespace parley::crypto::testing
