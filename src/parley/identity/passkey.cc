#include "parley/identity/passkey.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "parley/crypto/hash.h"
#include "parley/identity/origin.h"
#include "parley/identity/passkey_cbor.h"
#include "parley/text/base64.h"
#include "parley/text/json.h"

namespace parley::identity {
namespace {

namespace json = boost::json;

constexpr std::size_t client_data_bytes_max = 4 * 1024;
constexpr std::size_t attestation_bytes_max = 16 * 1024;
constexpr std::size_t authenticator_data_bytes_max = 8 * 1024;
constexpr std::size_t signature_bytes_max = 1024;  // RSA of 8192 bits
constexpr int options_timeout_ms = 5 * 60 * 1000;  // as long as the challenge holds
constexpr text::JsonLimits response_limits{.bytes_max = passkey_response_bytes_max, .depth_max = 8};

constexpr std::uint8_t flag_user_present = 0x01;
constexpr std::uint8_t flag_user_verified = 0x04;
constexpr std::uint8_t flag_backup_eligible = 0x08;
constexpr std::uint8_t flag_backed_up = 0x10;
constexpr std::uint8_t flag_attested = 0x40;
constexpr std::uint8_t flag_extensions = 0x80;

constexpr std::array algorithms{PasskeyAlgorithm::es256, PasskeyAlgorithm::eddsa, PasskeyAlgorithm::rs256};

std::unexpected<Error> malformed(std::string why) {
  return fail(Code::invalid_argument, "not an answer of a passkey", std::move(why));
}
std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the passkey was not accepted", std::move(why));
}

struct FreeCredential {
  void operator()(fido_cred_t* credential) const { fido_cred_free(&credential); }
};
struct FreeAssertion {
  void operator()(fido_assert_t* assertion) const { fido_assert_free(&assertion); }
};
using Credential = std::unique_ptr<fido_cred_t, FreeCredential>;
using Assertion = std::unique_ptr<fido_assert_t, FreeAssertion>;

// Once: libfido2 would otherwise look for FIDO_DEBUG in the environment at each use.
void ensure_fido() {
  static const bool ready = [] {
    fido_init(0);
    return true;
  }();
  static_cast<void>(ready);
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
std::string text_of(const unsigned char* bytes, std::size_t size) {
  return bytes == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bytes), size);
}

std::string base64url(std::string_view bytes) { return text::to_base64url({bytes_of(bytes), bytes.size()}); }

std::optional<std::string_view> text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string().data(), value->get_string().size());
}

std::optional<std::string> bytes_member(const json::object& object, std::string_view name, std::size_t bytes_max) {
  const auto text = text_member(object, name);
  if (!text || text->size() > bytes_max * 4 / 3 + 3) return std::nullopt;
  const auto bytes = text::parse_base64url(*text);
  if (!bytes || bytes->size() > bytes_max) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

json::array descriptors(const std::vector<PasskeyDescriptor>& passkeys) {
  json::array list;
  for (const auto& passkey : passkeys) {
    json::object entry{{"type", "public-key"}, {"id", base64url(passkey.credential_id)}};
    if (!passkey.transports.empty()) {
      json::array transports;
      for (const auto& transport : passkey.transports) transports.emplace_back(transport);
      entry["transports"] = std::move(transports);
    }
    list.push_back(std::move(entry));
  }
  return list;
}

const char* spelled(UserVerification verification) {
  return verification == UserVerification::required ? "required" : "preferred";
}

bool is_page_of(const PasskeySite& site, std::string_view origin) {
  if (std::ranges::find(site.origins, origin) != site.origins.end()) return true;
  if (site.localhost != PasskeySite::Localhost::any_port) return false;
  const auto read = parse_origin(origin);
  if (!read || *read != origin) return false;
  const auto host = origin.substr(origin.find("://") + 3);
  return host.substr(0, host.find(':')) == "localhost";
}

// What the browser says it was asked, by whom. It is signed with the rest, so it is what ties an answer to our page.
Result<void> check_client_data(const PasskeyExpected& expected, std::string_view text, std::string_view type) {
  const auto value = text::parse_json(text, {.bytes_max = client_data_bytes_max, .depth_max = 4});
  if (!value || !value->is_object()) return malformed("clientDataJSON is not an object");
  const auto& data = value->get_object();
  if (text_member(data, "type") != type) return refuse("clientDataJSON has another type");
  const auto challenge = text_member(data, "challenge");
  if (!challenge || expected.challenge.size() != passkey_challenge_bytes ||
      !crypto::equal_constant_time(*challenge, base64url(expected.challenge)))
    return refuse("clientDataJSON has another challenge");
  const auto origin = text_member(data, "origin");
  if (!origin || !is_page_of(expected.site, *origin)) return refuse("clientDataJSON has another origin");
  // Inside a frame of another site the person does not see whom they sign in to.
  if (const auto* cross = data.if_contains("crossOrigin"); cross != nullptr && *cross != json::value(false))
    return refuse("asked from a frame of another site");
  if (data.contains("topOrigin")) return refuse("asked from a frame of another site");
  return {};
}

struct AuthenticatorData {
  std::uint8_t flags = 0;
  std::uint32_t sign_count = 0;
  std::string_view credential_id;  // registrations alone, as all below
  std::string_view public_key;     // COSE
  std::string_view extensions;     // CBOR map, or empty
};

enum class Ceremony : bool { registration, assertion };

Result<AuthenticatorData> parse_authenticator_data(std::string_view bytes, Ceremony ceremony) {
  constexpr std::size_t fixed_bytes = 37;  // hash 32, flags 1, counter 4
  if (bytes.size() < fixed_bytes || bytes.size() > authenticator_data_bytes_max)
    return malformed("authenticator data of a wrong length");
  AuthenticatorData data;
  data.flags = static_cast<std::uint8_t>(bytes[32]);
  for (const char c : bytes.substr(33, 4)) data.sign_count = data.sign_count << 8 | static_cast<unsigned char>(c);
  bytes.remove_prefix(fixed_bytes);

  if (((data.flags & flag_attested) != 0) != (ceremony == Ceremony::registration))
    return malformed("authenticator data with, or without, a credential");
  if (ceremony == Ceremony::registration) {
    constexpr std::size_t before_id = 18;  // model 16, length 2
    if (bytes.size() < before_id) return malformed("authenticator data cut short");
    const std::size_t length =
        static_cast<std::size_t>(static_cast<unsigned char>(bytes[16])) << 8 | static_cast<unsigned char>(bytes[17]);
    bytes.remove_prefix(before_id);
    if (length == 0 || length > credential_id_bytes_max || length > bytes.size())
      return malformed("a credential id of a wrong length");
    data.credential_id = bytes.substr(0, length);
    bytes.remove_prefix(length);
    CborReader reader(bytes);
    const auto key = reader.item();
    if (!key) return malformed("the public key is not CBOR");
    data.public_key = *key;
    bytes = reader.rest();
  }
  if ((data.flags & flag_extensions) != 0) {
    CborReader reader(bytes);
    const auto is_map = CborReader(bytes).map().has_value();
    const auto extensions = reader.item();
    if (!extensions || !is_map) return malformed("the extensions are not a map");
    data.extensions = *extensions;
    bytes = reader.rest();
  }
  if (!bytes.empty()) return malformed("something stands behind the authenticator data");
  return data;
}

Result<void> check_authenticator(const PasskeyExpected& expected, std::string_view bytes,
                                 const AuthenticatorData& data) {
  if (!crypto::equal_constant_time(bytes.substr(0, 32), crypto::sha256(expected.site.id).view()))
    return refuse("made for another site");
  if ((data.flags & flag_user_present) == 0) return refuse("nobody was present");
  if (expected.verification == UserVerification::required && (data.flags & flag_user_verified) == 0)
    return refuse("the person was not verified");
  if ((data.flags & flag_backed_up) != 0 && (data.flags & flag_backup_eligible) == 0)
    return refuse("backed up, though it cannot be");
  return {};
}

// "fmt", "attStmt" and "authData" of an attestation object.
struct Attestation {
  std::string_view format;
  std::string_view statement;
  std::string_view authenticator_data;
};

Result<Attestation> parse_attestation(std::string_view bytes) {
  CborReader reader(bytes);
  if (reader.map() != 3) return malformed("the attestation is not a map of three");
  Attestation attestation;
  for (int i = 0; i < 3; ++i) {
    const auto name = reader.text();
    std::optional<std::string_view> value;
    std::string_view* place = nullptr;
    if (name == "fmt") {
      place = &attestation.format;
      value = reader.text();
    } else if (name == "attStmt") {
      place = &attestation.statement;
      value = reader.item();
    } else if (name == "authData") {
      place = &attestation.authenticator_data;
      value = reader.bytes();
    }
    if (!value || value->empty() || !place->empty()) return malformed("the attestation has other parts");
    *place = *value;
  }
  if (!reader.at_end()) return malformed("something stands behind the attestation");
  return attestation;
}

struct PackedStatement {
  std::int64_t algorithm = 0;
  std::string_view signature;
};

// Self attestation alone: {"alg", "sig"} and no certificate.
std::optional<PackedStatement> parse_packed(std::string_view bytes) {
  CborReader reader(bytes);
  if (reader.map() != 2) return std::nullopt;
  std::optional<std::int64_t> algorithm;
  std::optional<std::string_view> signature;
  for (int i = 0; i < 2; ++i) {
    const auto name = reader.text();
    if (name == "alg") algorithm = reader.integer();
    else if (name == "sig") signature = reader.bytes();
    else return std::nullopt;
  }
  if (!algorithm || !signature || !reader.at_end()) return std::nullopt;
  return PackedStatement{*algorithm, *signature};
}

// libfido2 accepts a statement only with the extensions it was told to expect. Browsers add these two by themselves.
void expect_extensions(fido_cred_t* credential, std::string_view extensions) {
  CborReader reader(extensions);
  const auto pairs = reader.map();
  if (!pairs) return;
  for (std::uint64_t i = 0; i < *pairs; ++i) {
    const auto name = reader.text();
    if (name == "credProtect") {
      const auto level = CborReader(reader.rest()).integer();
      if (level) fido_cred_set_prot(credential, static_cast<int>(std::clamp<std::int64_t>(*level, 0, 3)));
    } else if (name == "hmac-secret") {
      fido_cred_set_extensions(credential, FIDO_EXT_HMAC_SECRET);
    }
    if (!reader.item()) return;
  }
}

std::vector<std::string> known_transports(const json::object& response) {
  constexpr std::array<std::string_view, 6> known{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"};
  std::vector<std::string> found;
  const auto* list = response.if_contains("transports");
  if (list == nullptr || !list->is_array()) return found;
  for (const auto& entry : list->get_array()) {
    if (!entry.is_string()) continue;
    const std::string_view name(entry.get_string().data(), entry.get_string().size());
    if (std::ranges::find(known, name) != known.end() && std::ranges::find(found, name) == found.end())
      found.emplace_back(name);
  }
  return found;
}

struct Response {
  json::object members;
  std::string credential_id;
};

// The parts that both answers share.
Result<Response> parse_response(std::string_view text) {
  const auto value = text::parse_json(text, response_limits);
  if (!value || !value->is_object()) return malformed("not an object");
  const auto& object = value->get_object();
  if (text_member(object, "type") != "public-key") return malformed("of another type");
  auto id = bytes_member(object, "rawId", credential_id_bytes_max);
  if (!id || id->empty()) return malformed("rawId is missing or too long");
  if (text_member(object, "id") != text_member(object, "rawId")) return malformed("id and rawId differ");
  const auto* response = object.if_contains("response");
  if (response == nullptr || !response->is_object()) return malformed("no response in it");
  return Response{response->get_object(), *std::move(id)};
}

}  // namespace

Result<PasskeySite> make_passkey_site(std::string_view public_origin, std::string name) {
  auto origin = PARLEY_TRY(parse_origin(public_origin));
  const std::string_view text(origin);
  auto host = text.substr(text.find("://") + 3);
  const auto wrong = [&] {
    return fail(Code::invalid_argument, "passkeys need an address such as https://chat.example.org", origin);
  };
  if (host.starts_with('[')) return wrong();
  host = host.substr(0, host.find(':'));
  if (!text.starts_with("https://") && host != "localhost") return wrong();
  // An IPv4 address ends in a number; no host name does.
  const auto last = host.substr(host.rfind('.') + 1);
  if (last.find_first_not_of("0123456789") == std::string_view::npos) return wrong();
  std::string id(host);
  return PasskeySite{.id = std::move(id), .name = std::move(name), .origins = {std::move(origin)}};
}

PasskeySite make_local_passkey_site(std::string name) {
  return {.id = "localhost", .name = std::move(name), .origins = {}, .localhost = PasskeySite::Localhost::any_port};
}

std::string passkey_creation_options(const PasskeySite& site, std::string_view challenge, const PasskeyPerson& person,
                                     const std::vector<PasskeyDescriptor>& known, UserVerification verification) {
  json::array parameters;
  for (const auto algorithm : algorithms)
    parameters.push_back(json::object{{"type", "public-key"}, {"alg", static_cast<int>(algorithm)}});
  return json::serialize(json::object{
      {"rp", json::object{{"id", site.id}, {"name", site.name}}},
      {"user", json::object{{"id", base64url(person.handle)}, {"name", person.name}, {"displayName", person.name}}},
      {"challenge", base64url(challenge)},
      {"pubKeyCredParams", std::move(parameters)},
      {"timeout", options_timeout_ms},
      {"excludeCredentials", descriptors(known)},
      {"authenticatorSelection",
       json::object{
           {"residentKey", "preferred"}, {"requireResidentKey", false}, {"userVerification", spelled(verification)}}},
      {"attestation", "none"}});
}

std::string passkey_request_options(const PasskeySite& site, std::string_view challenge,
                                    const std::vector<PasskeyDescriptor>& allowed, UserVerification verification) {
  return json::serialize(json::object{{"challenge", base64url(challenge)},
                                      {"timeout", options_timeout_ms},
                                      {"rpId", site.id},
                                      {"allowCredentials", descriptors(allowed)},
                                      {"userVerification", spelled(verification)}});
}

Result<NewPasskey> verify_passkey_registration(const PasskeyExpected& expected, std::string_view json) {
  ensure_fido();
  const auto [response, raw_id] = PARLEY_TRY(parse_response(json));
  const auto client_data = bytes_member(response, "clientDataJSON", client_data_bytes_max);
  const auto object = bytes_member(response, "attestationObject", attestation_bytes_max);
  if (!client_data || !object) return malformed("clientDataJSON or attestationObject is missing or too long");
  PARLEY_TRY(check_client_data(expected, *client_data, "webauthn.create"));

  const auto attestation = PARLEY_TRY(parse_attestation(*object));
  const auto data = PARLEY_TRY(parse_authenticator_data(attestation.authenticator_data, Ceremony::registration));
  PARLEY_TRY(check_authenticator(expected, attestation.authenticator_data, data));
  if (data.credential_id != raw_id) return refuse("another credential than the one that was named");

  // Which algorithm the key is for is in the key itself; libfido2 wants to be told, and refuses another.
  Credential credential;
  std::optional<PasskeyAlgorithm> algorithm;
  for (const auto candidate : algorithms) {
    Credential attempt(fido_cred_new());
    if (!attempt) return fail(Code::internal, "memory ran out");
    if (fido_cred_set_type(attempt.get(), static_cast<int>(candidate)) != FIDO_OK ||
        fido_cred_set_rp(attempt.get(), expected.site.id.c_str(), nullptr) != FIDO_OK ||
        fido_cred_set_authdata_raw(attempt.get(), bytes_of(attestation.authenticator_data),
                                   attestation.authenticator_data.size()) != FIDO_OK)
      continue;
    credential = std::move(attempt);
    algorithm = candidate;
    break;
  }
  if (!credential) return refuse("not a key of an algorithm that was offered");
  if (text_of(fido_cred_id_ptr(credential.get()), fido_cred_id_len(credential.get())) != raw_id)
    return refuse("read differently by two readers");

  if (attestation.format == "none") {
    if (CborReader(attestation.statement).map() != 0) return malformed("an attestation of none that says something");
  } else if (attestation.format == "packed") {
    const auto packed = parse_packed(attestation.statement);
    if (!packed) return fail(Code::unsupported, "the passkey's attestation is not accepted", "packed, with more");
    if (packed->algorithm != static_cast<std::int64_t>(*algorithm)) return refuse("attested with another algorithm");
    const auto hash = crypto::sha256(*client_data);
    expect_extensions(credential.get(), data.extensions);
    if (fido_cred_set_clientdata_hash(credential.get(), bytes_of(hash.view()), hash.bytes.size()) != FIDO_OK ||
        fido_cred_set_fmt(credential.get(), "packed") != FIDO_OK ||
        fido_cred_set_sig(credential.get(), bytes_of(packed->signature), packed->signature.size()) != FIDO_OK ||
        fido_cred_verify_self(credential.get()) != FIDO_OK)
      return refuse("the attestation's signature does not hold");
  } else {
    return fail(Code::unsupported, "the passkey's attestation is not accepted", std::string(attestation.format));
  }

  return NewPasskey{
      .credential_id = raw_id,
      .algorithm = *algorithm,
      .public_key = text_of(fido_cred_pubkey_ptr(credential.get()), fido_cred_pubkey_len(credential.get())),
      .sign_count = data.sign_count,
      .user_verified = (data.flags & flag_user_verified) != 0,
      .backed_up = (data.flags & flag_backed_up) != 0,
      .transports = known_transports(response)};
}

Result<PresentedPasskey> parse_passkey_assertion(std::string_view json) {
  auto [response, raw_id] = PARLEY_TRY(parse_response(json));
  auto client_data = bytes_member(response, "clientDataJSON", client_data_bytes_max);
  auto data = bytes_member(response, "authenticatorData", authenticator_data_bytes_max);
  auto signature = bytes_member(response, "signature", signature_bytes_max);
  if (!client_data || !data || !signature) return malformed("a part is missing or too long");
  std::string handle;
  if (const auto* value = response.if_contains("userHandle"); value != nullptr && !value->is_null()) {
    auto bytes = bytes_member(response, "userHandle", 64);
    if (!bytes) return malformed("a user handle that is none");
    handle = *std::move(bytes);
  }
  return PresentedPasskey{.credential_id = std::move(raw_id),
                          .client_data = *std::move(client_data),
                          .authenticator_data = *std::move(data),
                          .signature = *std::move(signature),
                          .user_handle = std::move(handle)};
}

Result<PasskeyUse> verify_passkey_assertion(const PasskeyExpected& expected, const PresentedPasskey& presented,
                                            const KnownPasskey& known) {
  ensure_fido();
  PARLEY_TRY(check_client_data(expected, presented.client_data, "webauthn.get"));
  const auto data = PARLEY_TRY(parse_authenticator_data(presented.authenticator_data, Ceremony::assertion));
  PARLEY_TRY(check_authenticator(expected, presented.authenticator_data, data));
  if (!presented.user_handle.empty() && !crypto::equal_constant_time(presented.user_handle, known.user_handle))
    return refuse("another person's");
  // We ask for no extension, so an authenticator has none to answer.
  if (!data.extensions.empty()) return refuse("extensions nobody asked for");

  const Assertion assertion(fido_assert_new());
  if (!assertion) return fail(Code::internal, "memory ran out");
  const auto hash = crypto::sha256(presented.client_data);
  if (fido_assert_set_clientdata_hash(assertion.get(), bytes_of(hash.view()), hash.bytes.size()) != FIDO_OK ||
      fido_assert_set_rp(assertion.get(), expected.site.id.c_str()) != FIDO_OK ||
      fido_assert_set_count(assertion.get(), 1) != FIDO_OK ||
      fido_assert_set_up(assertion.get(), FIDO_OPT_TRUE) != FIDO_OK ||
      fido_assert_set_uv(assertion.get(),
                         expected.verification == UserVerification::required ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) !=
          FIDO_OK ||
      fido_assert_set_authdata_raw(assertion.get(), 0, bytes_of(presented.authenticator_data),
                                   presented.authenticator_data.size()) != FIDO_OK ||
      fido_assert_set_sig(assertion.get(), 0, bytes_of(presented.signature), presented.signature.size()) != FIDO_OK)
    return refuse("libfido2 does not take it");

  const auto verified = [&]() -> bool {
    const int algorithm = static_cast<int>(known.algorithm);
    const auto verify = [&](auto* key, auto from_bytes) {
      return key != nullptr && from_bytes(key, known.public_key.data(), known.public_key.size()) == FIDO_OK &&
             fido_assert_verify(assertion.get(), 0, algorithm, key) == FIDO_OK;
    };
    bool holds = false;
    switch (known.algorithm) {
      case PasskeyAlgorithm::es256: {
        auto* key = es256_pk_new();
        holds = verify(key, es256_pk_from_ptr);
        es256_pk_free(&key);
        break;
      }
      case PasskeyAlgorithm::eddsa: {
        auto* key = eddsa_pk_new();
        holds = verify(key, eddsa_pk_from_ptr);
        eddsa_pk_free(&key);
        break;
      }
      case PasskeyAlgorithm::rs256: {
        auto* key = rs256_pk_new();
        holds = verify(key, rs256_pk_from_ptr);
        rs256_pk_free(&key);
        break;
      }
    }
    return holds;
  };
  if (!verified()) return refuse("the signature does not hold");
  return PasskeyUse{.sign_count = data.sign_count,
                    .user_verified = (data.flags & flag_user_verified) != 0,
                    .copied = (data.sign_count != 0 || known.sign_count != 0) && data.sign_count <= known.sign_count};
}

}  // namespace parley::identity
