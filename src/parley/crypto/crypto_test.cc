#include <set>
#include <string>

#include <gtest/gtest.h>

#include "parley/crypto/hash.h"
#include "parley/crypto/keyring.h"
#include "parley/crypto/password.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"
#include "parley/crypto/sign.h"

namespace parley::crypto {
namespace {

// Bytes 0, 1, 2, … so that what is made of them can be written down here.
class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

TEST(Random, makes_version_4_and_version_7_ids_of_the_bytes_it_is_given) {
  CountingRandom random;
  EXPECT_EQ(random_uuid(random).to_string(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
  EXPECT_EQ(random_uuid_v7({1'700'000'000'123'456}, random).to_string(), "018bcfe5-687b-7617-9819-1a1b1c1d1e1f");
}

TEST(Random, version_7_ids_sort_by_time) {
  EXPECT_LT(random_uuid_v7({1'000'000}), random_uuid_v7({2'000'000}));
  EXPECT_LT(random_uuid_v7({999'000}), random_uuid_v7({1'000'000}));
}

TEST(Random, text_uses_every_character_of_its_alphabet_and_no_other) {
  std::set<char> seen;
  for (const char c : random_text(4000, "abcdefg")) seen.insert(c);
  EXPECT_EQ(seen, std::set<char>({'a', 'b', 'c', 'd', 'e', 'f', 'g'}));
  EXPECT_EQ(random_slug().size(), slug_length);
  EXPECT_NE(random_slug(), random_slug());
}

TEST(Random, text_throws_uneven_draws_away) {
  // 256 is no multiple of 200: byte values from 200 on would favour the first 56 characters.
  std::string alphabet;
  for (int i = 0; i < 200; ++i) alphabet.push_back(static_cast<char>(i));
  CountingRandom random;
  const auto text = random_text(400, alphabet, random);
  for (std::size_t i = 0; i < text.size(); ++i) EXPECT_EQ(static_cast<std::uint8_t>(text[i]), i % 200);
}

TEST(Hash, agrees_with_published_vectors) {
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().update("a").update("").update("bc").finish(), sha256("abc"));
  EXPECT_EQ(hmac_sha256(Secret("Jefe"), "what do ya want for nothing?").hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
}

TEST(Hash, digest_reads_what_it_writes_and_nothing_else) {
  const auto digest = sha256("x");
  EXPECT_EQ(Digest::parse_hex(digest.hex()), digest);
  EXPECT_EQ(Digest::from_bytes(digest.view()), digest);
  EXPECT_FALSE(Digest::parse_hex(digest.hex().substr(1)));
  EXPECT_FALSE(Digest::parse_hex(digest.hex() + "0"));
  EXPECT_FALSE(Digest::parse_hex(std::string(64, 'g')));
  EXPECT_FALSE(Digest::from_bytes("short"));
}

TEST(Hash, equality_compares_whole_texts) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("same", "same"));
  EXPECT_FALSE(equal_constant_time("same", "samf"));
  EXPECT_FALSE(equal_constant_time("same", "same "));
}

class Seal : public ::testing::Test {
 protected:
  const SealKey key = SealKey::make();
  const MessageId row = random_id<MessageId>();
  SealContext context() const { return SealContext("messages.body").with(row); }
};

TEST_F(Seal, opens_what_it_sealed) {
  for (const std::string& plain : {std::string(), std::string("hello"), random_bytes(100'000)}) {
    const auto sealed = seal(key, plain, context());
    EXPECT_EQ(sealed.size(), plain.size() + seal_overhead_bytes);
    const auto opened = open(key, sealed, context());
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->reveal(), plain);
  }
}

TEST_F(Seal, the_same_text_is_never_sealed_the_same_way_twice) {
  EXPECT_NE(seal(key, "hello", context()), seal(key, "hello", context()));
}

TEST_F(Seal, any_changed_bit_keeps_it_shut) {
  const auto sealed = seal(key, "hello", context());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(open(key, changed, context())) << bit;
  }
  for (std::size_t length = 0; length < sealed.size(); ++length)
    EXPECT_FALSE(open(key, sealed.substr(0, length), context())) << length;
}

TEST_F(Seal, does_not_open_in_another_row_column_or_under_another_key) {
  const auto sealed = seal(key, "hello", context());
  EXPECT_EQ(open(key, sealed, SealContext("messages.body").with(random_id<MessageId>())).error().code(),
            Code::data_corrupt);
  EXPECT_EQ(open(key, sealed, SealContext("messages.title").with(row)).error().code(), Code::data_corrupt);
  EXPECT_EQ(open(SealKey::make(), sealed, context()).error().code(), Code::unavailable);
}

TEST_F(Seal, context_parts_do_not_run_into_each_other) {
  EXPECT_NE(SealContext("a").with("bc").bytes(), SealContext("ab").with("c").bytes());
}

TEST_F(Seal, keys_read_hexadecimal_and_base64) {
  EXPECT_EQ(SealKey::parse(key.to_hex())->id(), key.id());
  EXPECT_EQ(SealKey::parse(Secret(" " + std::string(key.to_hex().reveal()) + "\n"))->id(), key.id());
  // Bytes 0 to 31 in both spellings.
  const std::string hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  EXPECT_EQ(SealKey::parse(Secret(hex))->id(),
            SealKey::parse(Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))->id());
  EXPECT_EQ(SealKey::parse(Secret(hex))->id(),
            SealKey::parse(Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"))->id());
}

TEST_F(Seal, weak_or_malformed_keys_are_refused) {
  for (const std::string& bad : {std::string(), std::string(64, '0'), std::string(64, 'g'), std::string(62, 'a'),
                                 std::string(43, 'A'), std::string(44, '!'), std::string("00010203").append(56, '0')}) {
    ASSERT_FALSE(SealKey::parse(Secret(bad))) << bad;
    EXPECT_EQ(SealKey::parse(Secret(bad)).error().code(), Code::invalid_argument);
  }
  EXPECT_FALSE(SealKey::from_bytes(Secret(std::string(31, 'x'))));
}

TEST_F(Seal, derived_keys_differ_by_purpose_and_repeat) {
  EXPECT_EQ(key.derive("a").id(), key.derive("a").id());
  EXPECT_NE(key.derive("a").id(), key.derive("b").id());
  EXPECT_NE(key.derive("a").id(), key.id());
}

TEST(Keyring, a_tenant_key_opens_for_its_tenant_alone) {
  const Keyring keyring(SealKey::make());
  const auto a = random_id<TenantId>();
  const auto b = random_id<TenantId>();
  const auto sealed = keyring.make_tenant_key(a);
  ASSERT_TRUE(keyring.open_tenant_key(a, sealed));
  EXPECT_FALSE(keyring.open_tenant_key(b, sealed));
  EXPECT_FALSE(Keyring(SealKey::make()).open_tenant_key(a, sealed));
}

TEST(Keyring, rotating_the_master_keeps_tenant_keys) {
  const auto old_master = SealKey::make();
  const auto new_master = SealKey::make();
  const auto tenant = random_id<TenantId>();
  const auto before = Keyring(old_master).make_tenant_key(tenant);
  const auto id = Keyring(old_master).open_tenant_key(tenant, before)->id();

  const Keyring during(new_master, {old_master});
  const auto after = during.rewrap_tenant_key(tenant, before, system_random());
  ASSERT_TRUE(after);
  EXPECT_EQ(during.open_tenant_key(tenant, before)->id(), id);
  EXPECT_EQ(Keyring(new_master).open_tenant_key(tenant, *after)->id(), id);
  EXPECT_FALSE(Keyring(new_master).open_tenant_key(tenant, before));
}

// As cheap as the library allows: what is tested is the handling, not the cost.
constexpr PasswordCost cheap{.memory_bytes = 8192, .passes = 1};

TEST(Password, verifies_what_it_hashed_and_nothing_else) {
  const auto hash = hash_password(Secret("correct horse"), cheap);
  ASSERT_TRUE(hash);
  EXPECT_EQ(verify_password(Secret("correct horse"), *hash), PasswordVerdict::match);
  EXPECT_EQ(verify_password(Secret("correct horsf"), *hash), PasswordVerdict::mismatch);
  EXPECT_EQ(verify_password(Secret("correct horse"), ""), PasswordVerdict::mismatch);
  EXPECT_EQ(verify_password(Secret("correct horse"), std::string(500, '$')), PasswordVerdict::mismatch);
  EXPECT_NE(*hash, *hash_password(Secret("correct horse"), cheap));
}

TEST(Password, knows_which_hashes_are_to_be_renewed) {
  const auto hash = hash_password(Secret("x"), cheap);
  EXPECT_FALSE(needs_rehash(*hash, cheap));
  EXPECT_TRUE(needs_rehash(*hash));
}

TEST(Password, the_decoy_is_read_as_a_hash_of_its_cost_and_matches_nothing) {
  for (const auto cost : {cheap, PasswordCost{}}) EXPECT_FALSE(needs_rehash(decoy_hash(cost), cost));
  EXPECT_EQ(verify_password(Secret(""), decoy_hash(cheap)), PasswordVerdict::mismatch);
  EXPECT_EQ(verify_password(Secret("x"), decoy_hash(cheap)), PasswordVerdict::mismatch);
}

TEST(Password, too_long_is_refused_rather_than_cut) {
  EXPECT_EQ(hash_password(Secret(std::string(password_bytes_max + 1, 'x')), cheap).error().code(), Code::too_large);
}

TEST(Sign, verifies_its_own_signature_and_no_other) {
  const auto key = SigningKey::make();
  const auto signature = key.sign("heads");
  EXPECT_EQ(verify_signature(key.public_key(), "heads", signature), SignatureVerdict::valid);
  EXPECT_EQ(verify_signature(key.public_key(), "headz", signature), SignatureVerdict::invalid);
  EXPECT_EQ(verify_signature(SigningKey::make().public_key(), "heads", signature), SignatureVerdict::invalid);
  EXPECT_EQ(SigningKey::from_seed(key.seed())->public_key(), key.public_key());
  EXPECT_FALSE(SigningKey::from_seed(Secret("short")));
}

}  // namespace
}  // namespace parley::crypto
