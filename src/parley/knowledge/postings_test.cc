#include "parley/knowledge/postings.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/knowledge/index_memory.h"

namespace parley::knowledge {
namespace {

struct Made {
  std::vector<std::map<std::uint32_t, std::uint32_t>> counts;  // of each word: by passage
  std::vector<Postings> lists;
  PassageLengths lengths;
};

/// Words of very different frequency over passages with holes between their numbers.
Made make_words(std::uint64_t seed, std::uint32_t passages) {
  std::mt19937_64 random(seed);
  Made made;
  made.counts.resize(6);
  made.lists.resize(6);
  std::uint32_t passage = 0;
  for (std::uint32_t n = 0; n < passages; ++n) {
    passage += 1 + (random() % 50 == 0 ? random() % 5'000 : random() % 2);
    const auto length = static_cast<std::uint32_t>(20 + random() % 200);
    made.lengths.add(passage, length);
    for (std::size_t w = 0; w < made.counts.size(); ++w) {
      if (random() % (std::uint64_t{2} << (2 * w)) != 0) continue;
      const auto count = static_cast<std::uint32_t>(random() % 4 == 0 ? 1 + random() % 300 : 1);
      made.counts[w][passage] = count;
      made.lists[w].add(passage, count, length);
    }
  }
  for (auto& list : made.lists) list.finish();
  return made;
}

/// Every passage's sum, ordered: what `best_passages` must find without looking at everything.
std::vector<RankedPassageNumber> rank_all(const Made& made, std::span<const WeightedPostings> words, const Bm25& bm25,
                                          auto takes_part) {
  std::map<std::uint32_t, double> sums;
  for (std::size_t w = 0; w < words.size(); ++w) {
    for (const auto [passage, count] : made.counts[w]) {
      if (!takes_part(passage)) continue;
      const double length = std::max(made.lengths.length(passage) / bm25.average_length, 0.5);
      sums[passage] += words[w].weight * count / (bm25.k1 * (length * bm25.b + 1 - bm25.b) + count);
    }
  }
  std::vector<RankedPassageNumber> ranked;
  for (const auto [passage, sum] : sums) ranked.push_back({passage, sum});
  std::ranges::sort(ranked, [](const RankedPassageNumber& a, const RankedPassageNumber& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.passage < b.passage;
  });
  return ranked;
}

std::vector<WeightedPostings> weigh(const Made& made, const Bm25& bm25, double passages) {
  std::vector<WeightedPostings> words;
  for (const auto& list : made.lists)
    words.push_back({&list, bm25_word_weight(bm25, passages, static_cast<double>(list.size()), 1)});
  return words;
}

void expect_same(std::span<const RankedPassageNumber> found, std::span<const RankedPassageNumber> wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i].weight, wanted[i].weight, 1e-9) << i;
}

TEST(Postings, give_back_what_was_put_in) {
  const auto made = make_words(1, 20'000);
  for (std::size_t w = 0; w < made.lists.size(); ++w) {
    std::map<std::uint32_t, std::uint32_t> read;
    for (Postings::Cursor cursor(made.lists[w]); cursor.passage() != Postings::no_passage; cursor.next())
      read[cursor.passage()] = cursor.count();
    EXPECT_EQ(read, made.counts[w]);
    EXPECT_EQ(made.lists[w].size(), read.size());
  }
}

TEST(Postings, seeking_finds_what_reading_on_finds) {
  const auto made = make_words(2, 20'000);
  std::mt19937_64 random(3);
  for (std::size_t w = 0; w < made.lists.size(); ++w) {
    Postings::Cursor cursor(made.lists[w]);
    for (std::uint32_t at = 0; at < made.lengths.last() + 10; at += 1 + static_cast<std::uint32_t>(random() % 3'000)) {
      cursor.seek(at);
      const auto wanted = made.counts[w].lower_bound(at);
      if (wanted == made.counts[w].end()) {
        EXPECT_EQ(cursor.passage(), Postings::no_passage);
      } else {
        EXPECT_EQ(cursor.passage(), wanted->first);
        EXPECT_EQ(cursor.count(), wanted->second);
      }
    }
  }
}

TEST(BestPassages, are_those_of_summing_up_everything) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::uint32_t passages = 30'000;
    const auto made = make_words(seed, passages);
    const Bm25 bm25{.k1 = 1.2, .b = 0.7, .average_length = 120};
    const auto words = weigh(made, bm25, passages);
    const auto all = rank_all(made, words, bm25, [](std::uint32_t) { return true; });
    for (const std::size_t count : {std::size_t{1}, std::size_t{60}, std::size_t{200}}) {
      const auto found = best_passages(words, made.lengths, bm25, {}, count, CountAll::no);
      expect_same(found.best, std::span(all).first(count));
      const auto counted = best_passages(words, made.lengths, bm25, {}, count, CountAll::yes);
      expect_same(counted.best, std::span(all).first(count));
      EXPECT_EQ(counted.total, all.size());
    }
    EXPECT_EQ(best_passages(words, made.lengths, bm25, {}, 0, CountAll::yes).total, all.size());
  }
}

TEST(BestPassages, of_equals_are_the_first) {
  PassageLengths lengths;
  Postings list;
  for (std::uint32_t passage = 1; passage <= 10'000; ++passage) {
    lengths.add(passage, 50);
    list.add(passage, 1, 50);
  }
  const std::vector<WeightedPostings> words{{&list, 2.0}};
  const auto found = best_passages(words, lengths, {.average_length = 50}, {}, 60, CountAll::no);
  ASSERT_EQ(found.best.size(), 60u);
  for (std::uint32_t i = 0; i < 60; ++i) EXPECT_EQ(found.best[i].passage, i + 1);
}

TEST(BestPassages, are_only_those_that_take_part) {
  const std::uint32_t passages = 30'000;
  const auto made = make_words(7, passages);
  const Bm25 bm25{.k1 = 1.2, .b = 0.7, .average_length = 120};
  const auto words = weigh(made, bm25, passages);
  // The lists of words double as those of folders and groups.
  const auto has = [&](std::size_t word, std::uint32_t passage) { return made.counts[word].contains(passage); };
  const auto takes_part = [&](std::uint32_t passage) {
    return (has(0, passage) || has(4, passage)) && (!has(1, passage) || has(2, passage));
  };
  const auto all = rank_all(made, words, bm25, takes_part);
  const PassageFilter filter{.restricted = true,
                             .only = {&made.lists[0], &made.lists[4]},
                             .withheld = {&made.lists[1]},
                             .unless = {&made.lists[2]}};
  for (const auto count_all : {CountAll::no, CountAll::yes}) {
    const auto found = best_passages(words, made.lengths, bm25, filter, 60, count_all);
    expect_same(found.best, std::span(all).first(60));
    for (const auto& one : found.best) EXPECT_TRUE(takes_part(one.passage));
    if (count_all == CountAll::yes) EXPECT_EQ(found.total, all.size());
  }
}

TEST(PassageLengths, a_copy_does_not_see_what_comes_later) {
  PassageLengths first;
  first.add(3, 30);
  const PassageLengths before = first;
  first.add(4, 40);
  first.add(9'000, 90);
  EXPECT_EQ(first.length(3), 30u);
  EXPECT_EQ(first.length(4), 40u);
  EXPECT_EQ(first.length(9'000), 90u);
  EXPECT_EQ(first.length(5'000), 0u);
  EXPECT_EQ(before.length(3), 30u);
  EXPECT_EQ(before.length(4), 0u);
  EXPECT_EQ(before.last(), 3u);
}

IndexMemory::Key key_of(std::uint64_t number, IndexMemory::Kind kind = IndexMemory::Kind::stream) {
  return {1, number, kind, {}};
}

TEST(IndexMemory, never_keeps_more_than_its_bytes_and_lets_the_oldest_go) {
  IndexMemory memory(200'000);
  for (std::uint64_t n = 0; n < 1'000; ++n) {
    std::vector<IndexMemory::Kept> kept;
    kept.push_back({key_of(n), std::make_shared<const std::string>(1'000, 'x'), 1'000});
    memory.keep(kept);
    EXPECT_LE(memory.bytes(), 100'000u);
    EXPECT_TRUE(memory.find<std::string>(key_of(n)));
    EXPECT_TRUE(memory.find<std::string>(key_of(0))) << "what is used stays";
  }
  EXPECT_FALSE(memory.find<std::string>(key_of(1)));
  std::vector<IndexMemory::Kept> big;
  big.push_back({key_of(2'000), std::make_shared<const std::string>("x"), 150'000});
  memory.keep(big);
  EXPECT_FALSE(memory.find<std::string>(key_of(2'000))) << "one thing does not push everything out";
  EXPECT_TRUE(memory.find<std::string>(key_of(0)));
}

TEST(IndexMemory, passages_do_not_push_words_out) {
  IndexMemory memory(200'000);
  std::vector<IndexMemory::Kept> list;
  list.push_back({key_of(1, IndexMemory::Kind::postings), std::make_shared<const std::string>("x"), 1'000});
  memory.keep(list);
  for (std::uint64_t n = 0; n < 1'000; ++n) {
    std::vector<IndexMemory::Kept> kept;
    kept.push_back({key_of(n), std::make_shared<const std::string>("x"), 1'000});
    memory.keep(kept);
  }
  EXPECT_TRUE(memory.find<std::string>(key_of(1, IndexMemory::Kind::postings)));
}

TEST(IndexMemory, the_same_thing_put_twice_counts_once) {
  IndexMemory memory(200'000);
  for (int i = 0; i < 2; ++i) {
    std::vector<IndexMemory::Kept> kept;
    kept.push_back({key_of(1), std::make_shared<const std::string>("x"), 1'000});
    memory.keep(kept);
  }
  EXPECT_LT(memory.bytes(), 2'000u);
}

}  // namespace
}  // namespace parley::knowledge
