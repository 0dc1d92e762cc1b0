#include "parley/crypto/jwk.h"

#include <algorithm>
#include <bitset>
#include <optional>

#include <boost/json/object.hpp>

#include "parley/crypto/hash.h"
#include "parley/crypto/openssl.h"
#include "parley/text/base64.h"
#include "parley/text/json.h"

namespace parley::crypto {
namespace {

constexpr std::size_t coordinate_bytes = 32;
constexpr std::size_t different_bytes_min = 8;
// A key's object holds strings and lists of strings; whoever nests deeper means something else.
constexpr text::JsonLimits key_limits{.bytes_max = jwks_bytes_max, .depth_max = 6};

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::invalid_argument, "not a key that signatures can be checked with", std::move(why));
}

std::optional<std::string_view> text_of(const boost::json::object& key, std::string_view name) {
  const auto* value = key.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string().data(), value->get_string().size());
}

std::optional<std::string> bytes_of_member(const boost::json::object& key, std::string_view name) {
  const auto text = text_of(key, name);
  if (!text) return std::nullopt;
  const auto bytes = text::parse_base64url(*text);
  if (!bytes) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

// Why a key of a set is left out, or why the set is refused.
enum class Verdict : std::uint8_t { usable, not_understood, refused };

struct Judged {
  Verdict verdict = Verdict::refused;
  std::optional<NamedJwsKey> key;
  Error error;
};

Judged refused(std::string why) { return {Verdict::refused, std::nullopt, refuse(std::move(why)).error()}; }
Judged not_understood(std::string why) {
  return {Verdict::not_understood, std::nullopt, refuse(std::move(why)).error()};
}

Judged judge(const boost::json::object& object, KeySource source) {
  const auto type = text_of(object, "kty");
  if (!type) return refused("a key without kty");
  // A private key that stands in a document to be handed around has leaked; its owner should hear of it.
  for (const char* secret : {"d", "p", "q", "dp", "dq", "qi", "oth"})
    if (object.contains(secret)) return refused("the private half of a key pair");

  std::string kid;
  if (object.contains("kid")) {
    const auto text = text_of(object, "kid");
    if (!text || text->size() > kid_bytes_max || text->find('\0') != std::string_view::npos)
      return refused("a kid that is no text, or too long");
    kid = *text;
  }
  if (object.contains("use") && text_of(object, "use") != "sig") return not_understood("its use is not sig");
  if (const auto* operations = object.if_contains("key_ops")) {
    const bool verifies =
        operations->is_array() && std::ranges::any_of(operations->get_array(), [](const boost::json::value& operation) {
          return operation.is_string() && operation.get_string() == "verify";
        });
    if (!verifies) return not_understood("its key_ops do not hold verify");
  }

  const auto make = [&]() -> Result<std::optional<JwsKey>> {
    if (*type == "RSA") {
      const auto modulus = bytes_of_member(object, "n");
      const auto exponent = bytes_of_member(object, "e");
      if (!modulus || !exponent) return refuse("an RSA key needs n and e in base64url");
      return PARLEY_TRY(JwsKey::rsa(*modulus, *exponent));
    }
    if (*type == "EC") {
      if (text_of(object, "crv") != "P-256") return std::optional<JwsKey>();
      const auto x = bytes_of_member(object, "x");
      const auto y = bytes_of_member(object, "y");
      if (!x || !y) return refuse("an EC key needs x and y in base64url");
      return PARLEY_TRY(JwsKey::p256(*x, *y));
    }
    if (*type == "oct" && source == KeySource::kept_secret) {
      auto secret = bytes_of_member(object, "k");
      if (!secret) return refuse("an oct key needs k in base64url");
      return PARLEY_TRY(JwsKey::hmac(Secret(std::move(*secret))));
    }
    return std::optional<JwsKey>();
  };
  auto made = make();
  if (!made) return {Verdict::refused, std::nullopt, std::move(made).error()};
  if (!*made) return not_understood("a type or curve that is not understood here");
  if (object.contains("alg") && text_of(object, "alg") != name((*made)->algorithm()).view())
    return not_understood("its alg is not the one of its type");
  return {Verdict::usable, NamedJwsKey{std::move(kid), **std::move(made)}, refuse({}).error()};
}

}  // namespace

Literal name(JwsAlgorithm algorithm) {
  switch (algorithm) {
    case JwsAlgorithm::hs256: return "HS256";
    case JwsAlgorithm::rs256: return "RS256";
    case JwsAlgorithm::es256: return "ES256";
  }
  std::unreachable();
}

struct JwsKey::Material {
  Secret secret;                // hs256
  openssl::Key key;             // the others
  std::size_t block_bytes = 0;  // of an RSA signature
};

JwsKey::JwsKey(JwsAlgorithm algorithm, std::shared_ptr<const Material> material)
    : algorithm_(algorithm), material_(std::move(material)) {}

Result<JwsKey> JwsKey::hmac(Secret secret) {
  const auto bytes = secret.reveal();
  if (bytes.size() < jws_secret_bytes_min || bytes.size() > jws_secret_bytes_max)
    return refuse("a shared secret must have 32 to 1024 bytes");
  std::bitset<256> seen;
  for (const char c : bytes) seen.set(static_cast<std::uint8_t>(c));
  if (seen.count() < different_bytes_min) return refuse("the shared secret is not random");
  auto material = std::make_shared<Material>();
  material->secret = std::move(secret);
  return JwsKey(JwsAlgorithm::hs256, std::move(material));
}

Result<JwsKey> JwsKey::rsa(std::string_view modulus, std::string_view exponent) {
  // The shortest form alone, so that one key has one spelling (RFC 7518, 2).
  if (modulus.empty() || modulus.front() == '\0' || exponent.empty() || exponent.front() == '\0')
    return refuse("an RSA number that is empty or begins with a zero");
  if (modulus.size() > rsa_bits_max / 8) return refuse("an RSA key of too many bits");
  if (exponent.size() > 4) return refuse("an RSA exponent of more than 32 bits");
  std::uint32_t power = 0;
  for (const char c : exponent) power = power << 8 | static_cast<std::uint8_t>(c);
  if (power < 65537 || power % 2 == 0) return refuse("an RSA exponent that is even or below 65537");

  const openssl::QuietErrors quiet;
  const openssl::Number n(BN_bin2bn(openssl::bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const openssl::Number e(BN_bin2bn(openssl::bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  if (!n || !e) return fail(Code::internal, "a key could not be made");
  if (static_cast<std::size_t>(BN_num_bits(n.get())) < rsa_bits_min)
    return refuse("an RSA key of fewer than 2048 bits");
  if (BN_is_odd(n.get()) == 0) return refuse("an even RSA modulus");

  const openssl::ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return fail(Code::internal, "a key could not be made");
  const openssl::Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  auto material = std::make_shared<Material>();
  material->key = openssl::public_key("RSA", parameters.get());
  if (!material->key) return refuse("OpenSSL does not take it for an RSA key");
  material->block_bytes = modulus.size();
  return JwsKey(JwsAlgorithm::rs256, std::move(material));
}

Result<JwsKey> JwsKey::p256(std::string_view x, std::string_view y) {
  if (x.size() != coordinate_bytes || y.size() != coordinate_bytes) return refuse("a coordinate has not 32 bytes");
  std::string point(1, '\x04');  // both coordinates follow
  point += x;
  point += y;
  const openssl::QuietErrors quiet;
  const openssl::ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return fail(Code::internal, "a key could not be made");
  const openssl::Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  auto material = std::make_shared<Material>();
  material->key = openssl::public_key("EC", parameters.get());
  if (!material->key) return refuse("a point that is not on the curve");
  const openssl::KeyContext check(EVP_PKEY_CTX_new(material->key.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return refuse("a point that is no public key");
  return JwsKey(JwsAlgorithm::es256, std::move(material));
}

bool JwsKey::verifies(std::string_view message, std::string_view signature) const {
  if (algorithm_ == JwsAlgorithm::hs256)
    return equal_constant_time(hmac_sha256(material_->secret, message).view(), signature);

  const openssl::QuietErrors quiet;
  std::string block(signature);
  if (algorithm_ == JwsAlgorithm::rs256) {
    // OpenSSL pads a shorter block itself, and then one signature would have several spellings.
    if (signature.size() != material_->block_bytes) return false;
  } else {
    if (signature.size() != 2 * coordinate_bytes) return false;
    openssl::Number r(BN_bin2bn(openssl::bytes_of(signature), coordinate_bytes, nullptr));
    openssl::Number s(BN_bin2bn(openssl::bytes_of(signature.substr(coordinate_bytes)), coordinate_bytes, nullptr));
    const openssl::EcdsaSignature pair(ECDSA_SIG_new());
    if (!r || !s || !pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return false;
    // The pair owns them now.
    static_cast<void>(r.release());
    static_cast<void>(s.release());
    const int length = i2d_ECDSA_SIG(pair.get(), nullptr);
    if (length <= 0) return false;
    block.resize(static_cast<std::size_t>(length));
    auto* out = reinterpret_cast<unsigned char*>(block.data());
    if (i2d_ECDSA_SIG(pair.get(), &out) != length) return false;
  }
  // One context a call: a context is not safe from several threads, the key is.
  const openssl::DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, material_->key.get()) != 1)
    return false;
  return EVP_DigestVerify(context.get(), openssl::bytes_of(block), block.size(), openssl::bytes_of(message),
                          message.size()) == 1;
}

const JwsKey* JwsKeys::find(std::string_view kid, JwsAlgorithm algorithm) const {
  const JwsKey* only = nullptr;
  std::size_t candidates = 0;
  for (const auto& named : keys_) {
    if (named.key.algorithm() != algorithm) continue;
    if (!kid.empty() && named.kid == kid) return &named.key;
    only = &named.key;
    ++candidates;
  }
  return kid.empty() && candidates == 1 ? only : nullptr;
}

Result<NamedJwsKey> parse_jwk(std::string_view json, KeySource source) {
  const auto value = PARLEY_TRY(text::parse_json(json, key_limits));
  if (!value.is_object()) return refuse("not an object");
  auto judged = judge(value.get_object(), source);
  if (judged.verdict != Verdict::usable) return fail(std::move(judged.error));
  return *std::move(judged.key);
}

Result<JwsKeys> parse_jwks(std::string_view json, KeySource source) {
  const auto value = PARLEY_TRY(text::parse_json(json, key_limits));
  const auto* list = value.is_object() ? value.get_object().if_contains("keys") : nullptr;
  if (list == nullptr || !list->is_array()) return refuse("not an object with a list called keys");
  if (list->get_array().size() > jwks_keys_max) return fail(Code::too_large, "too many keys in the set");
  std::vector<NamedJwsKey> keys;
  for (const auto& entry : list->get_array()) {
    if (!entry.is_object()) return refuse("a key that is not an object");
    auto judged = judge(entry.get_object(), source);
    if (judged.verdict == Verdict::not_understood) continue;
    if (judged.verdict == Verdict::refused) return fail(std::move(judged.error));
    const bool taken = std::ranges::any_of(keys, [&](const NamedJwsKey& other) {
      return !other.kid.empty() && other.kid == judged.key->kid && other.key.algorithm() == judged.key->key.algorithm();
    });
    if (taken) return refuse("two keys of one name");
    keys.push_back(*std::move(judged.key));
  }
  if (keys.empty()) return refuse("no key of the set can be used");
  return JwsKeys(std::move(keys));
}

}  // namespace parley::crypto
