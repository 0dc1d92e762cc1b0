#pragma once

// For tests alone: an authenticator and a browser in software, whose every part can be made wrong.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "parley/crypto/jws_testing.h"
#include "parley/crypto/sign.h"

namespace parley::identity::soft {

using crypto::testing::base64url;

inline std::string cbor_head(unsigned kind, std::uint64_t value) {
  std::string out;
  const auto first = [&](unsigned low) { out += static_cast<char>(kind << 5 | low); };
  int bytes = 0;
  if (value < 24) first(static_cast<unsigned>(value));
  else if (value <= 0xff) first(24), bytes = 1;
  else if (value <= 0xffff) first(25), bytes = 2;
  else first(26), bytes = 4;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}
inline std::string cbor_int(std::int64_t value) {
  return value >= 0 ? cbor_head(0, static_cast<std::uint64_t>(value))
                    : cbor_head(1, static_cast<std::uint64_t>(-1 - value));
}
inline std::string cbor_bytes(std::string_view bytes) { return cbor_head(2, bytes.size()) + std::string(bytes); }
inline std::string cbor_text(std::string_view text) { return cbor_head(3, text.size()) + std::string(text); }
inline std::string cbor_map(std::size_t pairs) { return cbor_head(5, pairs); }

/// One credential on one authenticator.
class SoftPasskey {
 public:
  enum class Kind { es256, rs256, eddsa };
  explicit SoftPasskey(Kind kind = Kind::es256)
      : kind_(kind),
        id(crypto::random_bytes(32)),
        signer_(kind == Kind::rs256 ? crypto::testing::TestSigner::rsa() : crypto::testing::TestSigner::ec()) {}

  std::int64_t algorithm() const { return kind_ == Kind::es256 ? -7 : kind_ == Kind::eddsa ? -8 : -257; }

  std::string cose_key() const {
    switch (kind_) {
      case Kind::es256:
        return cbor_map(5) + cbor_int(1) + cbor_int(2) + cbor_int(3) + cbor_int(-7) + cbor_int(-1) + cbor_int(1) +
               cbor_int(-2) + cbor_bytes(signer_.x()) + cbor_int(-3) + cbor_bytes(signer_.y());
      case Kind::rs256:
        return cbor_map(4) + cbor_int(1) + cbor_int(3) + cbor_int(3) + cbor_int(-257) + cbor_int(-1) +
               cbor_bytes(signer_.modulus()) + cbor_int(-2) + cbor_bytes(signer_.exponent());
      case Kind::eddsa:
        return cbor_map(4) + cbor_int(1) + cbor_int(1) + cbor_int(3) + cbor_int(-8) + cbor_int(-1) + cbor_int(6) +
               cbor_int(-2) +
               cbor_bytes(
                   {reinterpret_cast<const char*>(ed_.public_key().bytes.data()), ed_.public_key().bytes.size()});
    }
    std::unreachable();
  }

  std::string sign(std::string_view bytes) const {
    if (kind_ != Kind::eddsa) return signer_.sign_der(bytes);
    const auto signature = ed_.sign(bytes);
    return {reinterpret_cast<const char*>(signature.bytes.data()), signature.bytes.size()};
  }

 private:
  Kind kind_;

 public:
  std::string id;
  std::string user_handle;
  std::uint32_t count = 0;

 private:
  crypto::testing::TestSigner signer_;
  crypto::SigningKey ed_ = crypto::SigningKey::make();
};

/// What a browser and an authenticator put into an answer. As it should be, until a test changes it.
struct SoftAnswer {
  std::string type = "webauthn.create";
  std::string challenge;  ///< base64url, out of the options
  std::string origin = "https://chat.example.org";
  std::string more_client_data;  ///< further members, beginning with a comma
  std::string site_id = "chat.example.org";
  std::uint8_t flags = 0x45;  ///< present, verified, credential
  std::optional<std::uint32_t> count;
  std::string format = "none";
  std::string statement = cbor_map(0);
  std::string extensions;  ///< CBOR; the flag is the test's to set
  std::string tail;        ///< behind the authenticator data
  bool attest_self = false;

  static SoftAnswer to(std::string_view options) {
    const auto parsed = boost::json::parse(std::string(options));
    SoftAnswer answer;
    answer.challenge = std::string(parsed.at("challenge").as_string());
    if (!parsed.as_object().contains("rp")) {
      answer.type = "webauthn.get";
      answer.flags = 0x05;
    }
    return answer;
  }

  std::string client_data() const {
    return fmt::format(R"({{"type":"{}","challenge":"{}","origin":"{}","crossOrigin":false{}}})", type, challenge,
                       origin, more_client_data);
  }
  std::string authenticator_data(const SoftPasskey& passkey) const {
    std::string data(crypto::sha256(site_id).view());
    data += static_cast<char>(flags);
    const auto counted = count.value_or(passkey.count);
    for (int shift = 24; shift >= 0; shift -= 8) data += static_cast<char>(counted >> shift & 0xff);
    if ((flags & 0x40) != 0) {
      data += std::string(16, '\0');
      data += static_cast<char>(passkey.id.size() >> 8);
      data += static_cast<char>(passkey.id.size() & 0xff);
      data += passkey.id;
      data += passkey.cose_key();
    }
    return data + extensions + tail;
  }
  std::string attestation(const SoftPasskey& passkey) const {
    const auto data = authenticator_data(passkey);
    auto form = format;
    auto says = statement;
    if (attest_self) {
      form = "packed";
      says = cbor_map(2) + cbor_text("alg") + cbor_int(passkey.algorithm()) + cbor_text("sig") +
             cbor_bytes(passkey.sign(data + std::string(crypto::sha256(client_data()).view())));
    }
    return cbor_map(3) + cbor_text("fmt") + cbor_text(form) + cbor_text("attStmt") + says + cbor_text("authData") +
           cbor_bytes(data);
  }

  std::string registration(const SoftPasskey& passkey) const {
    return fmt::format(R"({{"id":"{0}","rawId":"{0}","type":"public-key","authenticatorAttachment":"platform",)"
                       R"("clientExtensionResults":{{}},"response":{{"clientDataJSON":"{1}","attestationObject":"{2}",)"
                       R"("transports":["internal","hybrid","carrier-pigeon"]}}}})",
                       base64url(passkey.id), base64url(client_data()), base64url(attestation(passkey)));
  }
  std::string assertion(const SoftPasskey& passkey) const {
    const auto data = authenticator_data(passkey);
    const auto signature = passkey.sign(data + std::string(crypto::sha256(client_data()).view()));
    const auto handle =
        passkey.user_handle.empty() ? std::string("null") : fmt::format(R"("{}")", base64url(passkey.user_handle));
    return fmt::format(R"({{"id":"{0}","rawId":"{0}","type":"public-key","clientExtensionResults":{{}},"response":)"
                       R"({{"clientDataJSON":"{1}","authenticatorData":"{2}","signature":"{3}","userHandle":{4}}}}})",
                       base64url(passkey.id), base64url(client_data()), base64url(data), base64url(signature), handle);
  }
};

}  // namespace parley::identity::soft
