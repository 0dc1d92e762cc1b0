#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/trail/verify.h"

namespace parley::trail {
namespace {

// A chain as it would be stored, without a database.
struct Chain {
  std::vector<StoredRecord> records;
  std::vector<Head> heads;

  void add(StoredRecord record) {
    const auto prev = records.empty() ? crypto::Digest() : *crypto::Digest::from_bytes(records.back().hash);
    record.node = "node";
    record.seq = static_cast<std::int64_t>(records.size()) + 1;
    record.prev = prev.view();
    const auto hash = link(prev, record);
    record.hash = hash.view();
    heads = {Head{.node = "node", .seq = record.seq, .epoch = record.epoch, .hash = hash}};
    records.push_back(std::move(record));
  }

  Report verify(std::optional<crypto::Digest> head = {}) const {
    Verifier verifier({.head = head});
    for (const auto& record : records) verifier.feed(record);
    return verifier.finish(heads);
  }
};

Chain chain_of(int count) {
  Chain chain;
  for (int i = 0; i < count; ++i)
    chain.add({.at = 1000 + i, .kind = "write", .actor_kind = "program", .action = "work", .decision = "allowed"});
  return chain;
}

TEST(Canonical, is_the_documented_bytes) {
  const StoredRecord record{.node = "n", .seq = 1, .epoch = 2, .at = 3, .kind = "write", .quantity = -1};
  using namespace std::string_literals;
  const auto number = [](char last) { return "\0\0\0\0\0\0\0"s + last; };
  const auto text = [](const std::string& t) { return "\0\0\0"s + static_cast<char>(t.size()) + t; };
  std::string expected = "parley trail 1\n" + text("n") + number(1) + number(2) + number(3) + text("write");
  for (int i = 0; i < 8; ++i) expected += text("");
  expected += std::string(8, '\xff') + text("");
  EXPECT_EQ(canonical(record), expected);
}

TEST(Canonical, text_cannot_move_from_one_field_to_the_next) {
  EXPECT_NE(canonical({.kind = "ab", .actor_kind = "c"}), canonical({.kind = "a", .actor_kind = "bc"}));
}

TEST(Verify, a_chain_as_written_is_whole) {
  const auto report = chain_of(5).verify();
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.records, 5);
  EXPECT_EQ(report.chains.at(0).head, chain_of(5).heads[0].hash);
  EXPECT_TRUE(Chain().verify().whole());
}

TEST(Verify, a_changed_field_is_found_where_it_is) {
  auto chain = chain_of(5);
  chain.records[2].decision = "refused";
  const auto report = chain.verify();
  EXPECT_EQ(report.damage(), Damage::changed);
  EXPECT_EQ(report.chains[0].broken_at, 3);
}

TEST(Verify, a_changed_hash_or_link_is_found_where_it_is) {
  for (auto field : {&StoredRecord::hash, &StoredRecord::prev}) {
    auto chain = chain_of(5);
    (chain.records[2].*field)[0] ^= 1;
    const auto report = chain.verify();
    EXPECT_EQ(report.damage(), Damage::changed);
    EXPECT_EQ(report.chains[0].broken_at, 3);
  }
}

TEST(Verify, a_removed_record_is_missed) {
  auto chain = chain_of(5);
  chain.records.erase(chain.records.begin() + 2);
  EXPECT_EQ(chain.verify().damage(), Damage::removed);
  EXPECT_EQ(chain.verify().chains[0].broken_at, 3);
}

TEST(Verify, a_removed_record_is_missed_although_the_rest_was_numbered_anew) {
  auto chain = chain_of(5);
  chain.records.erase(chain.records.begin() + 2);
  for (std::size_t i = 2; i < chain.records.size(); ++i) --chain.records[i].seq;
  EXPECT_EQ(chain.verify().damage(), Damage::removed);
}

TEST(Verify, exchanged_records_are_told_from_removed_ones) {
  auto chain = chain_of(5);
  std::swap(chain.records[2], chain.records[3]);
  std::swap(chain.records[2].seq, chain.records[3].seq);
  EXPECT_EQ(chain.verify().damage(), Damage::reordered);
  EXPECT_EQ(chain.verify().chains[0].broken_at, 3);
}

TEST(Verify, a_cut_tail_disagrees_with_the_table_of_heads) {
  auto chain = chain_of(5);
  chain.records.pop_back();
  EXPECT_EQ(chain.verify().damage(), Damage::cut_tail);
  EXPECT_EQ(chain.verify().chains[0].broken_at, 5);
  chain.records.clear();
  EXPECT_EQ(chain.verify().damage(), Damage::cut_tail);
}

TEST(Verify, a_cut_tail_with_the_heads_put_right_is_found_by_a_head_noted_earlier) {
  const auto noted = chain_of(5).heads[0].hash;
  auto chain = chain_of(4);  // what such a cut leaves
  EXPECT_TRUE(chain.verify().whole());
  EXPECT_EQ(chain.verify(noted).damage(), Damage::cut_tail);
  EXPECT_EQ(chain.verify(noted).head, HeadVerdict::missing);
  EXPECT_EQ(chain_of(9).verify(noted).head, HeadVerdict::found);
}

TEST(Verify, a_head_lost_with_a_restore_is_named_by_the_epoch) {
  const auto lost = chain_of(5).heads[0].hash;
  auto chain = chain_of(4);
  chain.add({.epoch = 2, .at = 2000, .kind = "epoch", .reference = lost.hex()});
  chain.add({.epoch = 2, .at = 2001, .kind = "write"});
  const auto report = chain.verify(lost);
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.head, HeadVerdict::lost_epoch);
  EXPECT_EQ(report.chains[0].epochs, 2);
}

TEST(Verify, an_epoch_cannot_begin_without_saying_so) {
  auto chain = chain_of(2);
  chain.add({.epoch = 2, .kind = "write"});
  EXPECT_EQ(chain.verify().damage(), Damage::changed);
  auto skipping = chain_of(2);
  skipping.add({.epoch = 3, .kind = "epoch"});
  EXPECT_EQ(skipping.verify().damage(), Damage::changed);
}

TEST(Verify, a_removed_table_of_heads_is_damage) {
  auto chain = chain_of(2);
  chain.heads.clear();
  EXPECT_EQ(chain.verify().damage(), Damage::changed);
}

}  // namespace
}  // namespace parley::trail
