#include <set>

#include <gtest/gtest.h>

#include "parley/crypto/jws.h"
#include "parley/crypto/jws_testing.h"

namespace parley::crypto {
namespace {

using testing::base64url;
using testing::TestSigner;

constexpr std::string_view payload = R"({"iss":"https://id.example.org","sub":"42"})";

JwsKeys keys_of(std::initializer_list<std::string> jwks, KeySource source = KeySource::kept_secret) {
  std::string text = R"({"keys":[)";
  for (const auto& jwk : jwks) text += (text.ends_with('[') ? "" : ",") + jwk;
  auto keys = parse_jwks(text + "]}", source);
  EXPECT_TRUE(keys) << describe_for_operator(keys.error());
  return keys ? *std::move(keys) : JwsKeys();
}

Result<VerifiedJws> verify(std::string_view token, const JwsKeys& keys) {
  const auto presented = parse_jws(token);
  if (!presented) return std::unexpected(presented.error());
  return verify_jws(*presented, keys);
}

// What a refused token says to its sender: always the same.
void expect_refused(std::string_view token, const JwsKeys& keys, std::string_view what) {
  const auto verified = verify(token, keys);
  ASSERT_FALSE(verified) << what;
  EXPECT_EQ(verified.error().code(), Code::unauthenticated) << what;
  EXPECT_EQ(verified.error().reason().view(), "the token is not valid") << what;
}

struct Signers {
  TestSigner rsa = TestSigner::rsa();
  TestSigner ec = TestSigner::ec();
  TestSigner hmac = TestSigner::hmac();
};

const Signers& signers() {
  static const Signers made;  // an RSA key takes a moment
  return made;
}

const std::vector<const TestSigner*>& each_signer() {
  static const std::vector<const TestSigner*> all{&signers().rsa, &signers().ec, &signers().hmac};
  return all;
}

TEST(Jws, a_token_of_each_algorithm_verifies_with_its_key) {
  for (const auto* signer : each_signer()) {
    const auto verified = verify(signer->token(payload, "one"), keys_of({signer->jwk("one")}));
    ASSERT_TRUE(verified) << describe_for_operator(verified.error());
    EXPECT_EQ(name(verified->algorithm).view(), signer->algorithm());
    EXPECT_EQ(verified->payload, payload);
    EXPECT_EQ(verified->kid, "one");
    EXPECT_EQ(verified->type, "JWT");
  }
}

TEST(Jws, agrees_with_a_published_vector) {
  // RFC 7515, appendix A.1 and A.3. The HS256 secret stands in the RFC.
  const auto keys = keys_of(
      {R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
       R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
       R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"});
  const auto hs256 = verify(
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
      "LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
      keys);
  ASSERT_TRUE(hs256) << describe_for_operator(hs256.error());
  EXPECT_TRUE(hs256->payload.starts_with(R"({"iss":"joe",)"));
  const auto es256 = verify(
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
      "cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
      keys);
  EXPECT_TRUE(es256) << describe_for_operator(es256.error());
}

TEST(Jws, no_byte_of_a_token_can_be_changed) {
  for (const auto* signer : each_signer()) {
    const auto keys = keys_of({signer->jwk()});
    const auto token = signer->token(payload);
    ASSERT_TRUE(verify(token, keys));
    for (std::size_t i = 0; i < token.size(); ++i) {
      for (const char bit : {'\x01', '\x02', '\x20', '\x40'}) {
        auto changed = token;
        changed[i] = static_cast<char>(changed[i] ^ bit);
        ASSERT_FALSE(verify(changed, keys)) << signer->algorithm() << " at " << i;
      }
      ASSERT_FALSE(verify(token.substr(0, i), keys)) << "cut at " << i;
    }
    for (const char* tail : {"A", "=", ".", " ", "\n", "AAAA"}) EXPECT_FALSE(verify(token + tail, keys)) << tail;
    EXPECT_FALSE(verify(" " + token, keys));
  }
}

TEST(Jws, the_claims_of_one_token_do_not_go_with_the_signature_of_another) {
  const auto& signer = signers().ec;
  const auto keys = keys_of({signer.jwk()});
  const auto mine = signer.token(R"({"sub":"me"})");
  const auto theirs = signer.token(R"({"sub":"them"})");
  expect_refused(mine.substr(0, mine.find('.')) + "." + base64url(R"({"sub":"them"})") + mine.substr(mine.rfind('.')),
                 keys, "claims exchanged");
  expect_refused(theirs.substr(0, theirs.rfind('.')) + mine.substr(mine.rfind('.')), keys, "signature exchanged");
}

TEST(Jws, alg_none_is_refused_in_every_spelling) {
  for (const auto* signer : each_signer()) {
    const auto keys = keys_of({signer->jwk()});
    for (const char* none : {"none", "None", "NONE", "nOnE", "none ", "", "null"}) {
      const auto head = base64url(fmt::format(R"({{"alg":"{}","typ":"JWT"}})", none)) + "." + base64url(payload);
      expect_refused(head + ".", keys, none);
      expect_refused(head, keys, none);
      expect_refused(head + "." + base64url(signer->sign(head)), keys, none);
    }
    const auto unsaid = base64url(R"({"typ":"JWT"})") + "." + base64url(payload);
    expect_refused(unsaid + "." + base64url(signer->sign(unsaid)), keys, "no alg at all");
  }
}

TEST(Jws, a_stripped_signature_is_refused) {
  for (const auto* signer : each_signer()) {
    const auto keys = keys_of({signer->jwk()});
    const auto token = signer->token(payload);
    expect_refused(token.substr(0, token.rfind('.') + 1), keys, "empty");
    expect_refused(token.substr(0, token.rfind('.')), keys, "missing");
    expect_refused(token.substr(0, token.rfind('.') + 1) + base64url(std::string(64, '\0')), keys, "zeros");
    expect_refused(token.substr(0, token.rfind('.') + 1) + base64url(std::string(256, '\0')), keys, "zeros");
  }
}

TEST(Jws, a_public_key_is_never_taken_for_a_shared_secret) {
  // The classic: sign with HMAC, the text of the public key as its secret.
  for (const auto* victim : {&signers().rsa, &signers().ec}) {
    const auto keys = keys_of({victim->jwk("one")}, KeySource::published);
    std::vector<std::string> guesses{victim->jwk("one"), victim->jwk()};
    if (victim == &signers().rsa) guesses.push_back(victim->modulus());
    for (const auto& guess : guesses) {
      const auto forger = TestSigner::hmac(guess);
      expect_refused(forger.token(payload, "one"), keys, "HS256 with the public key");
      expect_refused(forger.token(payload), keys, "HS256 with the public key");
      expect_refused(forger.token_of(fmt::format(R"({{"alg":"{}","kid":"one"}})", victim->algorithm()), payload), keys,
                     "an HMAC that calls itself asymmetric");
    }
  }
}

TEST(Jws, the_algorithm_is_the_keys_and_not_the_tokens) {
  const auto& [rsa, ec, hmac] = signers();
  const auto keys = keys_of({rsa.jwk("rsa"), ec.jwk("ec"), hmac.jwk("hmac")});
  for (const auto* signer : each_signer()) {
    for (const char* kid : {"rsa", "ec", "hmac"}) {
      for (const char* algorithm : {"RS256", "ES256", "HS256"}) {
        const auto token = signer->token_of(fmt::format(R"({{"alg":"{}","kid":"{}"}})", algorithm, kid), payload);
        const bool honest = signer->algorithm() == algorithm && ((signer == &rsa && kid == std::string("rsa")) ||
                                                                 (signer == &ec && kid == std::string("ec")) ||
                                                                 (signer == &hmac && kid == std::string("hmac")));
        EXPECT_EQ(verify(token, keys).has_value(), honest) << signer->algorithm() << algorithm << kid;
      }
    }
  }
  for (const char* other : {"RS384", "RS512", "PS256", "ES384", "ES256K", "HS384", "HS512", "EdDSA", "rs256", "HS1"})
    expect_refused(rsa.token_of(fmt::format(R"({{"alg":"{}","kid":"rsa"}})", other), payload), keys, other);
}

TEST(Jws, foreign_keys_and_wrong_names_are_refused) {
  const auto& ec = signers().ec;
  const auto stranger = TestSigner::ec();
  const auto keys = keys_of({ec.jwk("one"), TestSigner::ec().jwk("two")}, KeySource::published);
  EXPECT_TRUE(verify(ec.token(payload, "one"), keys));
  expect_refused(stranger.token(payload, "one"), keys, "a stranger who knows the name");
  expect_refused(ec.token(payload, "two"), keys, "the wrong name");
  expect_refused(ec.token(payload, "three"), keys, "an unknown name");
  expect_refused(ec.token(payload), keys, "no name, where there are two");
  EXPECT_TRUE(verify(ec.token(payload), keys_of({ec.jwk("one")}))) << "no name, where there is one";
}

TEST(Jws, a_token_cannot_bring_its_key_or_an_extension) {
  const auto& ec = signers().ec;
  const auto keys = keys_of({ec.jwk()});
  const auto with = [&](std::string_view more) {
    return ec.token_of(fmt::format(R"({{"alg":"ES256",{}}})", more), payload);
  };
  EXPECT_TRUE(verify(with(R"("x5t":"hint","nonce":"n")"), keys)) << "members that mean nothing here are passed over";
  for (const auto& more :
       {R"("jwk":)" + TestSigner::ec().jwk(), std::string(R"("jku":"https://id.example.org/keys")"),
        std::string(R"("x5u":"https://id.example.org/cert")"), std::string(R"("x5c":["AAAA"])"),
        std::string(R"("crit":["exp"],"exp":1)"), std::string(R"("crit":[])"), std::string(R"("b64":false)"),
        std::string(R"("b64":true)"), std::string(R"("b64":false,"crit":["b64"])"), std::string(R"("zip":"DEF")"),
        std::string(R"("cty":"JWT")"), std::string(R"("kid":7)"), std::string(R"("kid":"a\u0000b")"),
        std::string(R"("typ":[])"), std::string(R"("alg":"HS256")"), std::string(R"("alg":"ES256")"),
        fmt::format(R"("kid":"{}")", std::string(kid_bytes_max + 1, 'k'))})
    expect_refused(with(more), keys, more);
}

TEST(Jws, what_is_no_token_is_refused) {
  const auto& ec = signers().ec;
  const auto keys = keys_of({ec.jwk()});
  for (const char* text : {"", ".", "..", "...", "a.b.c", "e30.e30.e30", "e30.e30.e30.e30.e30"})
    expect_refused(text, keys, text);
  expect_refused(ec.token_of(R"(["alg"])", payload), keys, "an array");
  expect_refused(ec.token_of("\xef\xbb\xbf"
                             R"({"alg":"ES256"})",
                             payload),
                 keys, "a byte order mark");
  expect_refused(ec.token_of(R"({"alg":"ES256"} )" + std::string(1, '\0'), payload), keys, "a NUL behind");
  // Padded and with a stray bit: other spellings of the same bytes.
  auto token = ec.token_of(R"({"alg":"ES256" })", payload);
  ASSERT_TRUE(verify(token, keys));
  expect_refused(token + "=", keys, "padding");
  expect_refused(std::string(jws_bytes_max + 1, 'a'), keys, "too long");
  expect_refused(ec.token(std::string(jws_bytes_max, 'x')), keys, "too long, though signed");
}

TEST(Jws, a_token_within_a_token_is_refused) {
  const auto& ec = signers().ec;
  const auto keys = keys_of({ec.jwk()});
  const auto inner = ec.token(payload);
  expect_refused(ec.token_of(R"({"alg":"ES256","cty":"JWT"})", inner), keys, "nested and said");
  // Unsaid, its payload is a text; what reads claims sees that it is no object.
  const auto outer = verify(ec.token(inner), keys);
  ASSERT_TRUE(outer);
  EXPECT_EQ(outer->payload, inner);
}

TEST(Jwk, weak_and_malformed_keys_are_refused) {
  const auto& rsa = signers().rsa;
  const auto& ec = signers().ec;
  const auto code = [](const auto& result) { return result ? Code::internal : result.error().code(); };
  const auto small = TestSigner::rsa(1024);
  EXPECT_EQ(code(JwsKey::rsa(small.modulus(), small.exponent())), Code::invalid_argument);
  EXPECT_TRUE(JwsKey::rsa(rsa.modulus(), rsa.exponent()));
  EXPECT_EQ(code(JwsKey::rsa(std::string(1, '\0') + rsa.modulus(), rsa.exponent())), Code::invalid_argument);
  for (const std::string& exponent : {std::string(), std::string("\x01"), std::string("\x03"),
                                      std::string("\x01\x00\x02", 3), std::string("\x01\x00\x00\x00\x01", 5)})
    EXPECT_EQ(code(JwsKey::rsa(rsa.modulus(), exponent)), Code::invalid_argument);
  EXPECT_EQ(code(JwsKey::rsa(std::string(rsa_bits_max / 8 + 1, '\xff'), rsa.exponent())), Code::invalid_argument);
  auto even = rsa.modulus();
  even.back() = static_cast<char>(even.back() & ~1);
  EXPECT_EQ(code(JwsKey::rsa(even, rsa.exponent())), Code::invalid_argument);

  EXPECT_TRUE(JwsKey::p256(ec.x(), ec.y()));
  EXPECT_EQ(code(JwsKey::p256(ec.y(), ec.x())), Code::invalid_argument) << "not on the curve";
  EXPECT_EQ(code(JwsKey::p256(std::string(32, '\0'), std::string(32, '\0'))), Code::invalid_argument);
  EXPECT_EQ(code(JwsKey::p256(ec.x().substr(1), ec.y())), Code::invalid_argument);

  EXPECT_EQ(code(JwsKey::hmac(Secret(random_bytes(31)))), Code::invalid_argument);
  EXPECT_EQ(code(JwsKey::hmac(Secret(std::string(32, 'a')))), Code::invalid_argument);
  EXPECT_EQ(code(JwsKey::hmac(Secret())), Code::invalid_argument) << "an empty secret signs for everybody";
}

TEST(Jwk, sets_leave_out_what_they_do_not_understand_and_refuse_what_is_wrong) {
  const auto& [rsa, ec, hmac] = signers();
  const auto set = [](std::string_view keys) { return fmt::format(R"({{"keys":[{}]}})", keys); };
  const auto with = [](std::string jwk, std::string_view more) {
    jwk.pop_back();
    return jwk + "," + std::string(more) + "}";
  };
  const auto mixed =
      parse_jwks(set(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"},)" + with(rsa.jwk("enc"), R"("use":"enc")") + "," +
                     with(rsa.jwk("pss"), R"("alg":"PS256")") + "," + hmac.jwk("oct") + "," +
                     with(ec.jwk("ec"), R"("use":"sig","key_ops":["verify"],"alg":"ES256")")),
                 KeySource::published);
  ASSERT_TRUE(mixed) << describe_for_operator(mixed.error());
  ASSERT_EQ(mixed->all().size(), 1U) << "a published oct key is no secret";
  EXPECT_EQ(mixed->all()[0].kid, "ec");
  EXPECT_FALSE(parse_jwk(hmac.jwk(), KeySource::published));
  EXPECT_TRUE(parse_jwk(hmac.jwk(), KeySource::kept_secret));

  for (const std::string& text :
       {set(""), set(hmac.jwk()), set("7"), std::string("[]"), std::string("{}"), std::string(R"({"keys":{}})"),
        set(with(ec.jwk(), R"("d":"AAAA")")), set(ec.jwk("a") + "," + TestSigner::ec().jwk("a")),
        set(with(ec.jwk(), R"("kid":3)")), set(R"({"kty":"EC","crv":"P-256","x":"AAAA="})"),
        set(with(ec.jwk("a"), R"("kid":"b")"))})
    EXPECT_FALSE(parse_jwks(text, KeySource::published)) << text;
  std::string many = ec.jwk("0");
  for (std::size_t i = 1; i <= jwks_keys_max; ++i) many += "," + ec.jwk(std::to_string(i));
  EXPECT_EQ(parse_jwks(set(many), KeySource::published).error().code(), Code::too_large);
}

}  // namespace
}  // namespace parley::crypto
