#include "parley/identity/passkey.h"

#include <functional>

#include <gtest/gtest.h>

#include "parley/identity/passkey_cbor.h"
#include "parley/identity/passkey_testing.h"

namespace parley::identity {
namespace {

using soft::base64url;
using soft::cbor_bytes;
using soft::cbor_int;
using soft::cbor_map;
using soft::cbor_text;
using soft::SoftAnswer;
using soft::SoftPasskey;

class Passkeys : public ::testing::Test {
 protected:
  PasskeySite site = make_passkey_site("https://chat.example.org", "Chat").value();
  std::string challenge = crypto::random_bytes(passkey_challenge_bytes);
  std::string handle = crypto::random_bytes(passkey_handle_bytes);
  SoftPasskey passkey;

  SoftAnswer creation(UserVerification verification = UserVerification::preferred) const {
    return SoftAnswer::to(passkey_creation_options(site, challenge, {handle, "ada@example.org"}, {}, verification));
  }
  SoftAnswer request() const {
    return SoftAnswer::to(passkey_request_options(site, challenge, {}, UserVerification::required));
  }
  Result<NewPasskey> make(std::string_view json, UserVerification verification = UserVerification::preferred) const {
    return verify_passkey_registration({site, challenge, verification}, json);
  }
  Result<PasskeyUse> use(std::string_view json, const KnownPasskey& known,
                         UserVerification verification = UserVerification::required) const {
    const auto presented = parse_passkey_assertion(json);
    if (!presented) return std::unexpected(presented.error());
    return verify_passkey_assertion({site, challenge, verification}, *presented, known);
  }
  KnownPasskey known(const SoftPasskey& which) const {
    const auto made = make(creation().registration(which));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return {.algorithm = made->algorithm,
            .public_key = made->public_key,
            .sign_count = made->sign_count,
            .user_handle = handle};
  }
};

template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::internal : result.error().code();
}

TEST_F(Passkeys, of_each_algorithm_can_be_made_and_used) {
  for (const auto kind : {SoftPasskey::Kind::es256, SoftPasskey::Kind::rs256, SoftPasskey::Kind::eddsa}) {
    SoftPasskey one(kind);
    one.user_handle = handle;
    for (const bool attested : {false, true}) {
      auto answer = creation();
      answer.attest_self = attested;
      const auto made = make(answer.registration(one));
      ASSERT_TRUE(made) << describe_for_operator(made.error()) << one.algorithm();
      EXPECT_EQ(made->credential_id, one.id);
      EXPECT_EQ(static_cast<std::int64_t>(made->algorithm), one.algorithm());
      EXPECT_TRUE(made->user_verified);
      EXPECT_EQ(made->transports, (std::vector<std::string>{"internal", "hybrid"})) << "known names alone";
    }
    const auto used = use(request().assertion(one), known(one));
    ASSERT_TRUE(used) << describe_for_operator(used.error()) << one.algorithm();
    EXPECT_TRUE(used->user_verified);
  }
}

TEST_F(Passkeys, options_have_the_shape_that_browsers_parse) {
  const auto creation_options = boost::json::parse(passkey_creation_options(
      site, challenge, {handle, "ada@example.org"}, {{passkey.id, {"usb"}}}, UserVerification::preferred));
  EXPECT_EQ(creation_options.at("rp").at("id").as_string(), "chat.example.org");
  EXPECT_EQ(creation_options.at("user").at("id").as_string(), base64url(handle));
  EXPECT_EQ(creation_options.at("challenge").as_string(), base64url(challenge));
  EXPECT_EQ(creation_options.at("attestation").as_string(), "none");
  EXPECT_EQ(creation_options.at("authenticatorSelection").at("residentKey").as_string(), "preferred");
  EXPECT_EQ(creation_options.at("excludeCredentials").at(0).at("id").as_string(), base64url(passkey.id));
  EXPECT_EQ(creation_options.at("excludeCredentials").at(0).at("transports").at(0).as_string(), "usb");
  std::vector<std::int64_t> algorithms;
  for (const auto& entry : creation_options.at("pubKeyCredParams").as_array())
    algorithms.push_back(entry.at("alg").as_int64());
  EXPECT_EQ(algorithms, (std::vector<std::int64_t>{-7, -8, -257}));
  const auto request_options =
      boost::json::parse(passkey_request_options(site, challenge, {}, UserVerification::required));
  EXPECT_EQ(request_options.at("rpId").as_string(), "chat.example.org");
  EXPECT_EQ(request_options.at("userVerification").as_string(), "required");
}

TEST_F(Passkeys, a_site_is_a_secure_address_with_a_name) {
  EXPECT_EQ(make_passkey_site("http://localhost:8080", "x")->id, "localhost");
  EXPECT_EQ(make_passkey_site("https://Chat.example.org:8443", "x")->origins[0], "https://chat.example.org:8443");
  for (const char* wrong : {"http://chat.example.org", "https://192.0.2.1", "https://[2001:db8::1]", "http://127.0.0.1",
                            "https://", "chat.example.org"})
    EXPECT_FALSE(make_passkey_site(wrong, "x")) << wrong;
}

// Every way to make a registration wrong, and what becomes of it.
TEST_F(Passkeys, a_registration_that_was_tampered_with_is_refused) {
  const std::vector<std::pair<const char*, std::function<void(SoftAnswer&)>>> changes{
      {"an assertion's type", [](auto& a) { a.type = "webauthn.get"; }},
      {"another type", [](auto& a) { a.type = "webauthn.Create"; }},
      {"another challenge", [](auto& a) { a.challenge = base64url(crypto::random_bytes(32)); }},
      {"a padded challenge", [](auto& a) { a.challenge += "="; }},
      {"no challenge", [](auto& a) { a.challenge.clear(); }},
      {"another origin", [](auto& a) { a.origin = "https://evil.example"; }},
      {"a subdomain", [](auto& a) { a.origin = "https://x.chat.example.org"; }},
      {"a parent", [](auto& a) { a.origin = "https://example.org"; }},
      {"another port", [](auto& a) { a.origin = "https://chat.example.org:444"; }},
      {"http", [](auto& a) { a.origin = "http://chat.example.org"; }},
      {"a slash", [](auto& a) { a.origin = "https://chat.example.org/"; }},
      {"a top origin", [](auto& a) { a.more_client_data = R"(,"topOrigin":"https://evil.example")"; }},
      {"a name twice", [](auto& a) { a.more_client_data = R"(,"origin":"https://chat.example.org")"; }},
      {"another site", [](auto& a) { a.site_id = "evil.example"; }},
      {"nobody present", [](auto& a) { a.flags = 0x44; }},
      {"no credential", [](auto& a) { a.flags = 0x05; }},
      {"backed up though it cannot be", [](auto& a) { a.flags = 0x55; }},
      {"extensions that are not there", [](auto& a) { a.flags = 0xc5; }},
      {"extensions that are not said", [](auto& a) { a.extensions = cbor_map(0); }},
      {"extensions that are no map", [](auto& a) { a.flags = 0xc5, a.extensions = cbor_int(1); }},
      {"a tail", [](auto& a) { a.tail = "x"; }},
      {"an attestation of none with something in it",
       [](auto& a) { a.statement = cbor_map(1) + cbor_text("sig") + cbor_bytes("x"); }},
      {"a statement that is no map", [](auto& a) { a.statement = cbor_text(""); }},
      {"packed without a signature", [](auto& a) { a.format = "packed"; }},
      {"packed with a wrong signature",
       [](auto& a) {
         a.format = "packed";
         a.statement = cbor_map(2) + cbor_text("alg") + cbor_int(-7) + cbor_text("sig") + cbor_bytes("nonsense");
       }},
      {"packed with a certificate",
       [](auto& a) {
         a.format = "packed";
         a.statement = cbor_map(3) + cbor_text("alg") + cbor_int(-7) + cbor_text("sig") + cbor_bytes("x") +
                       cbor_text("x5c") + soft::cbor_head(4, 1) + cbor_bytes("x");
       }},
      {"fido-u2f", [](auto& a) { a.format = "fido-u2f"; }},
      {"tpm", [](auto& a) { a.format = "tpm"; }},
      {"no format", [](auto& a) { a.format = ""; }},
  };
  ASSERT_TRUE(make(creation().registration(passkey)));
  for (const auto& [what, change] : changes) {
    auto answer = creation();
    change(answer);
    EXPECT_FALSE(make(answer.registration(passkey))) << what;
  }
  auto framed = creation().registration(passkey);
  auto client_data = creation().client_data();
  const auto cross = base64url(client_data.replace(client_data.find("false"), 5, "true"));
  framed.replace(framed.find(base64url(creation().client_data())), base64url(creation().client_data()).size(), cross);
  EXPECT_EQ(code_of(make(framed)), Code::unauthenticated) << "in a frame of another site";
}

TEST_F(Passkeys, verification_of_the_person_is_checked_where_it_is_asked_for) {
  auto answer = creation();
  answer.flags = 0x41;
  EXPECT_TRUE(make(answer.registration(passkey)));
  EXPECT_FALSE(make(answer.registration(passkey))->user_verified);
  EXPECT_EQ(code_of(make(answer.registration(passkey), UserVerification::required)), Code::unauthenticated);
}

TEST_F(Passkeys, the_credential_id_has_its_limits_and_is_named_once) {
  passkey.id = std::string(credential_id_bytes_max, 'i');
  EXPECT_TRUE(make(creation().registration(passkey)));
  passkey.id += 'i';
  EXPECT_FALSE(make(creation().registration(passkey)));
  passkey.id.clear();
  EXPECT_FALSE(make(creation().registration(passkey)));
  passkey.id = "short";
  auto json = creation().registration(passkey);
  const auto other = base64url("other");
  json.replace(json.find(R"("rawId":")") + 9, base64url("short").size(), other);
  EXPECT_FALSE(make(json)) << "id and rawId differ";
  json.replace(json.find(R"("id":")") + 6, base64url("short").size(), other);
  EXPECT_EQ(code_of(make(json)), Code::unauthenticated) << "another credential than the authenticator's";
}

TEST_F(Passkeys, extensions_that_browsers_add_do_no_harm) {
  for (const bool attested : {false, true}) {
    auto answer = creation();
    answer.attest_self = attested;
    answer.flags = 0xc5;
    answer.extensions = cbor_map(1) + cbor_text("credProtect") + cbor_int(2);
    const auto made = make(answer.registration(passkey));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
  }
}

TEST_F(Passkeys, a_self_attestation_covers_every_byte) {
  auto answer = creation();
  answer.attest_self = true;
  const auto json = answer.registration(passkey);
  ASSERT_TRUE(make(json));
  const auto encoded = std::string(boost::json::parse(json).at("response").at("attestationObject").as_string().c_str());
  const auto bytes = text::parse_base64url(encoded).value();
  const std::string object(bytes.begin(), bytes.end());
  for (std::size_t i = 0; i < object.size(); ++i) {
    auto changed = object;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    auto altered = json;
    altered.replace(altered.find(encoded), encoded.size(), base64url(changed));
    ASSERT_FALSE(make(altered)) << i;
    altered = json;
    altered.replace(altered.find(encoded), encoded.size(), base64url(object.substr(0, i)));
    ASSERT_FALSE(make(altered)) << "cut at " << i;
  }
}

TEST_F(Passkeys, keys_that_were_not_offered_are_refused) {
  // A key of P-256 that calls itself ES384, and one whose point is not on the curve.
  auto answer = creation();
  auto object = answer.attestation(passkey);
  const auto encoded = base64url(object);
  auto json = answer.registration(passkey);
  const auto key = passkey.cose_key();
  const auto at = object.find(key);
  object.replace(at + 3, 2, cbor_int(3) + cbor_int(-35).substr(0, 1));  // breaks the map
  json.replace(json.find(encoded), encoded.size(), base64url(object));
  EXPECT_FALSE(make(json));
  object = answer.attestation(passkey);
  object[at + key.size() - 1] = static_cast<char>(object[at + key.size() - 1] ^ 1);
  json = answer.registration(passkey);
  json.replace(json.find(encoded), encoded.size(), base64url(object));
  const auto made = make(json);
  if (made) {
    // Whatever is taken in: nothing verifies with it.
    EXPECT_FALSE(use(request().assertion(passkey),
                     {.algorithm = made->algorithm, .public_key = made->public_key, .user_handle = handle}));
  }
}

TEST_F(Passkeys, an_assertion_that_was_tampered_with_is_refused) {
  passkey.user_handle = handle;
  const auto stored = known(passkey);
  const std::vector<std::pair<const char*, std::function<void(SoftAnswer&)>>> changes{
      {"a registration's type", [](auto& a) { a.type = "webauthn.create"; }},
      {"another challenge", [](auto& a) { a.challenge = base64url(crypto::random_bytes(32)); }},
      {"another origin", [](auto& a) { a.origin = "https://evil.example"; }},
      {"a top origin", [](auto& a) { a.more_client_data = R"(,"topOrigin":"https://evil.example")"; }},
      {"another site", [](auto& a) { a.site_id = "evil.example"; }},
      {"nobody present", [](auto& a) { a.flags = 0x04; }},
      {"nobody verified", [](auto& a) { a.flags = 0x01; }},
      {"a credential in it", [](auto& a) { a.flags = 0x45; }},
      {"backed up though it cannot be", [](auto& a) { a.flags = 0x15; }},
      {"extensions nobody asked for",
       [](auto& a) { a.flags = 0x85, a.extensions = cbor_map(1) + cbor_text("x") + cbor_int(1); }},
      {"a tail", [](auto& a) { a.tail = "x"; }},
  };
  ASSERT_TRUE(use(request().assertion(passkey), stored));
  for (const auto& [what, change] : changes) {
    auto answer = request();
    change(answer);
    EXPECT_FALSE(use(answer.assertion(passkey), stored)) << what;
  }
  // Signed honestly, by another authenticator.
  SoftPasskey stranger;
  stranger.id = passkey.id;
  stranger.user_handle = handle;
  EXPECT_EQ(code_of(use(request().assertion(stranger), stored)), Code::unauthenticated);
  passkey.user_handle = crypto::random_bytes(passkey_handle_bytes);
  EXPECT_EQ(code_of(use(request().assertion(passkey), stored)), Code::unauthenticated) << "another person's handle";
}

TEST_F(Passkeys, no_byte_of_an_assertion_can_be_changed) {
  for (const auto kind : {SoftPasskey::Kind::es256, SoftPasskey::Kind::eddsa}) {
    SoftPasskey one(kind);
    const auto stored = known(one);
    const auto presented = parse_passkey_assertion(request().assertion(one)).value();
    const PasskeyExpected expected{site, challenge, UserVerification::required};
    ASSERT_TRUE(verify_passkey_assertion(expected, presented, stored));
    for (const auto part :
         {&PresentedPasskey::client_data, &PresentedPasskey::authenticator_data, &PresentedPasskey::signature}) {
      for (std::size_t i = 0; i < (presented.*part).size(); ++i) {
        auto changed = presented;
        (changed.*part)[i] = static_cast<char>((changed.*part)[i] ^ 1);
        ASSERT_FALSE(verify_passkey_assertion(expected, changed, stored)) << i;
      }
      auto cut = presented;
      (cut.*part).pop_back();
      EXPECT_FALSE(verify_passkey_assertion(expected, cut, stored));
      (cut.*part).clear();
      EXPECT_FALSE(verify_passkey_assertion(expected, cut, stored));
    }
    auto other_key = stored;
    other_key.public_key[0] = static_cast<char>(other_key.public_key[0] ^ 1);
    EXPECT_FALSE(verify_passkey_assertion(expected, presented, other_key));
    auto other_kind = stored;
    other_kind.algorithm = kind == SoftPasskey::Kind::es256 ? PasskeyAlgorithm::eddsa : PasskeyAlgorithm::es256;
    EXPECT_FALSE(verify_passkey_assertion(expected, presented, other_kind));
  }
}

TEST_F(Passkeys, without_a_public_address_localhost_is_the_site_on_any_port) {
  const auto local = make_local_passkey_site("x");
  const auto made_on = [&](std::string origin) {
    auto answer =
        SoftAnswer::to(passkey_creation_options(local, challenge, {"h", "n"}, {}, UserVerification::preferred));
    answer.origin = std::move(origin);
    answer.site_id = "localhost";
    SoftPasskey device;
    return verify_passkey_registration({local, challenge, UserVerification::preferred}, answer.registration(device));
  };
  for (const char* ours : {"http://localhost", "http://localhost:8080", "https://localhost:8443"})
    EXPECT_TRUE(made_on(ours)) << ours;
  for (const char* other : {"http://localhost.example", "http://x.localhost", "http://127.0.0.1:8080", "null", "",
                            "http://localhost:8080/", "http://localhost:8080@evil.example", "file://localhost"})
    EXPECT_FALSE(made_on(other)) << other;
}

TEST_F(Passkeys, the_counter_must_grow_unless_nothing_counts) {
  auto stored = known(passkey);
  const auto with = [&](std::uint32_t before, std::uint32_t now) {
    stored.sign_count = before;
    auto answer = request();
    answer.count = now;
    return use(answer.assertion(passkey), stored);
  };
  EXPECT_TRUE(with(0, 0));
  EXPECT_EQ(with(0, 1)->sign_count, 1U);
  EXPECT_EQ(with(7, 4'000'000'000)->sign_count, 4'000'000'000U);
  EXPECT_FALSE(with(0, 0)->copied || with(0, 1)->copied || with(7, 8)->copied);
  for (const std::uint32_t now : {7, 6, 0}) EXPECT_TRUE(with(7, now)->copied) << now;
}

TEST_F(Passkeys, what_is_no_answer_is_refused) {
  for (const std::string& json :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"type":"public-key"})"),
        std::string(R"({"type":"public-key","id":"AA","rawId":"AA","response":{}})"),
        std::string(passkey_response_bytes_max + 1, ' ')}) {
    EXPECT_EQ(code_of(make(json)), Code::invalid_argument);
    EXPECT_EQ(code_of(parse_passkey_assertion(json)), Code::invalid_argument);
  }
  EXPECT_FALSE(parse_passkey_assertion(creation().registration(passkey)));
  EXPECT_FALSE(make(request().assertion(passkey)));
}

TEST(Cbor, reads_one_spelling_of_each_value) {
  EXPECT_EQ(CborReader(cbor_int(-257)).integer(), -257);
  EXPECT_EQ(CborReader(cbor_int(65'536)).integer(), 65'536);
  for (const std::string_view wrong :
       {std::string_view("\x18\x17", 2), std::string_view("\x19\x00\xff", 3),
        std::string_view("\x1a\x00\x00\xff\xff", 5), std::string_view("\x18", 1), std::string_view("\x1f", 1),
        std::string_view("\x5f\xff", 2), std::string_view("\xf7", 1), std::string_view("\xc0\x00", 2),
        std::string_view("\x42x", 2), std::string_view("\xa1\x01", 2), std::string_view()})
    EXPECT_FALSE(CborReader(wrong).item());
  std::string deep;
  for (int i = 0; i < 10; ++i) deep += soft::cbor_head(4, 1);
  deep += cbor_int(1);
  EXPECT_FALSE(CborReader(deep).item());
  const std::string text = cbor_map(1) + cbor_text("a") + cbor_bytes("b") + "rest";  // a reader only looks at it
  CborReader reader(text);
  EXPECT_EQ(reader.item()->size(), 5U);
  EXPECT_EQ(reader.rest(), "rest");
}

}  // namespace
}  // namespace parley::identity
