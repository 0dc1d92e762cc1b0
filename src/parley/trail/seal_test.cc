#include "parley/trail/seal.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/trail/seal_store.h"
#include "parley/trail/trail.h"
#include "parley/trail/verify.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::trail {
namespace {

using namespace db::literals;

Seal a_seal(const crypto::SigningKey& key) {
  return {.tenant = TenantId(crypto::random_uuid()),
          .number = 7,
          .at = {1'764'000'000'000'000},
          .previous = crypto::sha256("the one before"),
          .key = key.public_key(),
          .heads = {{.node = "a", .seq = 3, .epoch = 1, .hash = crypto::sha256("x")},
                    {.node = "b", .seq = 9, .epoch = 2, .hash = crypto::sha256("y")}}};
}

TEST(Seal, is_read_back_as_it_was_signed) {
  const auto key = crypto::SigningKey::make();
  const auto seal = a_seal(key);
  const auto stored = sign(seal, key);
  EXPECT_EQ(stored.number, 7);
  EXPECT_TRUE(is_signed_by(stored, key.public_key()));
  EXPECT_FALSE(is_signed_by(stored, crypto::SigningKey::make().public_key()));
  const auto read = parse_seal(stored.body);
  ASSERT_TRUE(read);
  EXPECT_EQ(canonical(*read), stored.body);
  EXPECT_EQ(read->heads.size(), 2U);
  EXPECT_EQ(read->tenant, seal.tenant);
  EXPECT_EQ(stored.body.substr(0, 14), "parley seal 1\n");
}

TEST(Seal, has_one_spelling) {
  const auto key = crypto::SigningKey::make();
  const auto body = canonical(a_seal(key));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"number 7", "number +7"},
           {"number 7", "number 07"},
           {"number 7", "number 7 "},
           {"seal 1", "seal 2"},
           {"head a", "head  a"},
           {"head a", "head c"},  // nodes out of order
           {"at 17", "at 0x17"},
           {"\nkey", "\n\nkey"},
       }) {
    auto other = body;
    other.replace(other.find(from), from.size(), to);
    EXPECT_FALSE(parse_seal(other)) << to;
  }
  EXPECT_FALSE(parse_seal(""));
  EXPECT_FALSE(parse_seal(body + "\n"));
  EXPECT_FALSE(parse_seal(body.substr(0, body.size() - 1)));
}

TEST(SealExport, is_read_back_and_refused_when_changed) {
  const auto key = crypto::SigningKey::make();
  const auto seal = a_seal(key);
  const auto text = to_json({.tenant = seal.tenant, .key = key.public_key(), .seals = {sign(seal, key)}});
  const auto read = parse_seal_export(text);
  ASSERT_TRUE(read) << describe_for_operator(read.error());
  EXPECT_EQ(read->seals.at(0).body, canonical(seal));
  EXPECT_EQ(read->key, key.public_key());

  auto changed = text;
  changed.replace(changed.find("head a 3"), 8, "head a 4");
  EXPECT_FALSE(parse_seal_export(changed));
  for (const auto* wrong : {"", "{}", "[]", "{\"format\":\"parley trail seals 1\"}"})
    EXPECT_FALSE(parse_seal_export(wrong));
  // Another's key over the same words.
  const auto forged =
      to_json({.tenant = seal.tenant, .key = key.public_key(), .seals = {sign(seal, crypto::SigningKey::make())}});
  EXPECT_FALSE(parse_seal_export(forged));
}

TEST(SealingKey, belongs_to_the_master_key) {
  const auto master = crypto::SealKey::make();
  const auto one = sealing_key(crypto::Keyring(master));
  const auto again = sealing_key(crypto::Keyring(master));
  const auto other = sealing_key(crypto::Keyring(crypto::SealKey::make()));
  ASSERT_TRUE(one && again && other);
  EXPECT_EQ(one->public_key(), again->public_key());
  EXPECT_NE(one->public_key(), other->public_key());
  EXPECT_EQ(parse_public_key(hex(one->public_key())), one->public_key());
}

class SealContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme_id, zeta_id}) ASSERT_TRUE(test_store_->store().create_tenant(id));
  }
  db::TenantSession acme() { return test_store_->store().tenant(acme_id); }

  Head append(const Trail& chain, Literal action) {
    return acme()
        .write_blocking([&](db::TenantWriter& w) {
          return chain.append(w, {.kind = Kind::write,
                                  .actor = Actor::program(),
                                  .action = action,
                                  .object = Object("project"),
                                  .rule = "test",
                                  .request = {}});
        })
        .value();
  }
  /// Seals if there is something to seal.
  Result<std::optional<StoredSeal>> seal() {
    auto draft = acme().read_blocking(
        [&](db::TenantReader& r) { return draft_seal(r, acme_id, key_.public_key(), clock.now()); });
    if (!draft) return std::unexpected(draft.error());
    if (!*draft) return std::nullopt;
    auto made = sign(**draft, key_);
    PARLEY_TRY(acme().write_blocking([&](db::TenantWriter& w) { return put_seal(w, made); }));
    mark_ = {.number = made.number, .digest = digest_of(made)};
    return made;
  }
  StoredSeal must_seal() {
    auto made = seal();
    EXPECT_TRUE(made && *made);
    return made && *made ? **made : StoredSeal();
  }
  Expected expected() const {
    return {.tenant = acme_id,
            .keys = {key_.public_key()},
            .mark = mark_.number > 0 ? std::optional(mark_) : std::nullopt,
            .records = Expected::Records::must_be_some};
  }
  Report verified(const Expected& against) {
    auto report = acme().read_blocking([&](db::TenantReader& r) { return verify(r, against); });
    EXPECT_TRUE(report) << describe_for_operator(report.error());
    return report.value_or(Report());
  }
  Report verified() { return verified(expected()); }
  void change(const db::Sql& sql) {
    ASSERT_TRUE(acme().write_blocking([&](db::TenantWriter& w) { return w.run(sql); }));
  }
  /// Cuts everything behind `seq` and puts the head right, as whoever knows the tables would.
  void cut_behind(const Head& kept) {
    ASSERT_TRUE(acme().write_blocking([&](db::TenantWriter& w) -> Result<void> {
      PARLEY_TRY(w.run("DELETE FROM trail WHERE node = $1 AND seq > $2"_sql, kept.node, kept.seq));
      PARLEY_TRY(w.run("UPDATE trail_heads SET seq = $2, hash = $3, epoch = $4 WHERE node = $1"_sql, kept.node,
                       kept.seq, db::Blob{kept.hash.view()}, kept.epoch));
      return {};
    }));
  }

  std::unique_ptr<db::TestStore> test_store_;
  const TenantId acme_id = db::random_tenant_id();
  const TenantId zeta_id = db::random_tenant_id();
  ManualClock clock;
  const Trail trail{NodeId(crypto::random_uuid()), clock};
  const crypto::SigningKey key_ = crypto::SigningKey::make();
  SealMark mark_;
};

INSTANTIATE_TEST_SUITE_P(engines, SealContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& p) { return p.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

TEST_P(SealContract, seals_form_a_chain_that_says_how_far_the_trail_is_complete) {
  const Trail other(NodeId(crypto::random_uuid()), clock);
  append(trail, "one");
  append(other, "two");
  const auto first = must_seal();
  EXPECT_EQ(parse_seal(first.body)->heads.size(), 2U);
  append(trail, "three");
  clock.advance(std::chrono::hours(24));
  must_seal();
  append(trail, "four");
  append(trail, "five");
  const auto report = verified();
  EXPECT_TRUE(report.whole()) << name(report.damage());
  EXPECT_EQ(report.seals.count, 2);
  EXPECT_EQ(report.seals.last_at, clock.now());
  EXPECT_EQ(report.seals.records_after, 2);
}

TEST_P(SealContract, nothing_new_is_not_sealed_again) {
  EXPECT_FALSE(seal().value());
  append(trail, "one");
  must_seal();
  EXPECT_FALSE(seal().value());
}

TEST_P(SealContract, two_nodes_that_seal_at_once_make_one_seal) {
  append(trail, "one");
  const auto draft =
      acme().read_blocking([&](db::TenantReader& r) { return draft_seal(r, acme_id, key_.public_key(), clock.now()); });
  must_seal();
  const auto late = acme().write_blocking([&](db::TenantWriter& w) { return put_seal(w, sign(**draft, key_)); });
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::conflict);
  EXPECT_TRUE(verified().whole());
}

TEST_P(SealContract, a_cut_behind_which_the_heads_were_put_right_is_found_up_to_the_last_seal) {
  const auto kept = append(trail, "one");
  append(trail, "two");
  must_seal();
  const auto sealed = append(trail, "three");
  must_seal();
  append(trail, "not sealed yet");
  cut_behind(sealed);
  EXPECT_TRUE(verified().whole());  // nothing shows what no seal covers
  cut_behind(kept);
  const auto report = verified();
  EXPECT_EQ(report.damage(), Damage::cut_tail);
  EXPECT_EQ(report.chains.at(0).broken_at, 2);
}

TEST_P(SealContract, a_chain_written_anew_is_found) {
  append(trail, "one");
  append(trail, "two");
  must_seal();
  change("DELETE FROM trail"_sql);
  change("DELETE FROM trail_heads"_sql);
  append(trail, "another one");
  append(trail, "another two");
  append(trail, "another three");
  EXPECT_EQ(verified().damage(), Damage::changed);
  // Nor is it sealed, which would make it good.
  const auto refused = seal();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::data_corrupt);
}

TEST_P(SealContract, seals_cut_with_what_they_cover_are_missed_by_whoever_counted_them) {
  const auto kept = append(trail, "one");
  must_seal();
  append(trail, "two");
  must_seal();
  cut_behind(kept);
  change("DELETE FROM trail_seals WHERE number = 2"_sql);
  EXPECT_EQ(verified().damage(), Damage::removed_seal);
  EXPECT_EQ(verified().seals.broken_number, 2);
}

TEST_P(SealContract, a_trail_that_was_removed_whole_is_missed) {
  EXPECT_EQ(verified().damage(), Damage::absent);  // not even its creation
  append(trail, "one");
  EXPECT_TRUE(verified().whole());
  must_seal();
  change("DELETE FROM trail"_sql);
  change("DELETE FROM trail_heads"_sql);
  EXPECT_EQ(verified().damage(), Damage::cut_tail);
  change("DELETE FROM trail_seals"_sql);
  EXPECT_EQ(verified().damage(), Damage::removed_seal);
}

TEST_P(SealContract, a_changed_or_foreign_seal_is_found) {
  append(trail, "one");
  must_seal();
  append(trail, "two");
  must_seal();
  change("UPDATE trail_seals SET body = replace(body, 'seal 1', 'seal 2') WHERE number = 1"_sql);
  EXPECT_EQ(verified().damage(), Damage::changed_seal);
  EXPECT_EQ(verified().seals.broken_number, 1);
  change("UPDATE trail_seals SET body = replace(body, 'seal 2', 'seal 1') WHERE number = 1"_sql);
  EXPECT_TRUE(verified().whole());
  auto others = expected();
  others.keys = {crypto::SigningKey::make().public_key()};
  EXPECT_EQ(verified(others).damage(), Damage::changed_seal);
  others = expected();
  others.tenant = zeta_id;
  EXPECT_EQ(verified(others).damage(), Damage::changed_seal);
  change("UPDATE trail_seals SET number = 3 WHERE number = 2"_sql);
  EXPECT_EQ(verified().damage(), Damage::removed_seal);
}

TEST_P(SealContract, a_seal_kept_elsewhere_finds_what_a_whole_new_file_hides) {
  append(trail, "one");
  append(trail, "two");
  const auto kept = must_seal();
  auto against = expected();
  against.exported_seals = {kept};
  EXPECT_EQ(verified(against).exported_seals, HeadVerdict::found);
  // Somebody with the master key writes everything anew, seals and marks too.
  change("DELETE FROM trail"_sql);
  change("DELETE FROM trail_heads"_sql);
  change("DELETE FROM trail_seals"_sql);
  for (const Literal action : {Literal("a"), Literal("b"), Literal("c")}) append(trail, action);
  must_seal();
  EXPECT_TRUE(verified().whole());
  against.mark = mark_;
  EXPECT_EQ(verified(against).exported_seals, HeadVerdict::missing);
  EXPECT_EQ(verified(against).damage(), Damage::cut_tail);
}

TEST_P(SealContract, after_a_restore_sealing_goes_on_and_seals_made_since_the_backup_are_given_up_knowingly) {
  append(trail, "kept");
  must_seal();
  const auto at_backup = append(trail, "in the backup");
  append(trail, "lost");
  const auto lost = must_seal();
  // What a restore leaves: the tables of the backup, and a new epoch.
  cut_behind(at_backup);
  change("DELETE FROM trail_seals WHERE number = 2"_sql);
  mark_ = {};
  ASSERT_TRUE(acme().write_blocking(
      [&](db::TenantWriter& w) { return trail.open_epoch(w, std::nullopt, Actor::local_user(1000)); }));
  append(trail, "after");
  const auto next = must_seal();
  EXPECT_EQ(next.number, 2);
  auto against = expected();
  against.exported_seals = {lost};
  const auto report = verified(against);
  EXPECT_TRUE(report.whole()) << name(report.damage());
  EXPECT_EQ(report.exported_seals, HeadVerdict::lost_epoch);
  against.exported_seals = {next};
  EXPECT_EQ(verified(against).exported_seals, HeadVerdict::found);
}

TEST_P(SealContract, values_of_another_type_are_found_though_they_read_the_same) {
  if (GetParam() != db::Engine::sqlite) GTEST_SKIP() << "PostgreSQL's columns hold one type";
  append(trail, "one");
  append(trail, "two");
  must_seal();
  const auto was = verified();
  ASSERT_TRUE(was.whole());
  change("UPDATE trail SET at = at + 0.25 WHERE seq = 1"_sql);
  EXPECT_EQ(verified().damage(), Damage::changed);
  EXPECT_EQ(verified().chains.at(0).broken_at, 1);
  change("UPDATE trail SET at = CAST(at AS INTEGER) WHERE seq = 1"_sql);
  EXPECT_TRUE(verified().whole());
  change("UPDATE trail SET rule = CAST(rule AS BLOB) WHERE seq = 2"_sql);
  EXPECT_EQ(verified().damage(), Damage::changed);
  change("UPDATE trail SET rule = CAST(rule AS TEXT) WHERE seq = 2"_sql);
  change("UPDATE trail_heads SET seq = seq + 0.5"_sql);
  EXPECT_EQ(verified().damage(), Damage::changed);
  change("UPDATE trail_heads SET seq = CAST(seq AS INTEGER)"_sql);
  change("UPDATE trail_seals SET number = number + 0.5"_sql);
  EXPECT_EQ(verified().damage(), Damage::changed_seal);
  change("UPDATE trail_seals SET number = CAST(number AS INTEGER)"_sql);
  EXPECT_TRUE(verified().whole());
}

}  // namespace
}  // namespace parley::trail
