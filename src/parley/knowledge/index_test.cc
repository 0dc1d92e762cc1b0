#include "parley/knowledge/index.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include "parley/knowledge/answer.h"
#include "parley/knowledge/index_memory.h"

namespace parley::knowledge {
namespace {

namespace fs = std::filesystem;

Document page(const std::string& path, const std::string& title, const std::string& text) {
  Document document{.path = path, .url = path, .title = title, .passages = {}};
  document.passages.push_back(
      {.id = path + "/0", .headings = {title}, .anchor = "top", .blocks = {{BlockKind::prose, text}}});
  return document;
}

class IndexTest : public testing::Test {
 protected:
  IndexTest() : folder_(fs::temp_directory_path() / fmt::format("parley-index-test-{}", ::getpid())) {
    fs::remove_all(folder_);
  }
  ~IndexTest() override { fs::remove_all(folder_); }

  static std::vector<std::string> paths(const Index& index, std::string_view text) {
    std::vector<std::string> out;
    auto found = index.search({.text = text});
    EXPECT_TRUE(found);
    for (const auto& hit : found->hits) out.push_back(hit.path);
    return out;
  }

  fs::path folder_;
};
using Paths = std::vector<std::string>;

TEST_F(IndexTest, finds_nothing_before_the_first_commit) {
  auto index = *Index::open(folder_);
  EXPECT_EQ(*index.revision(), 0u);
  EXPECT_TRUE(paths(index, "anything").empty());
  ASSERT_TRUE(index.replace(page("a", "Alpha", "a sentence on turbines")));
  EXPECT_TRUE(paths(index, "turbine").empty());
  ASSERT_TRUE(index.commit(7));
  EXPECT_EQ(*index.revision(), 7u);
  EXPECT_EQ(paths(index, "turbine"), Paths{"a"});
}

TEST_F(IndexTest, a_hit_is_complete) {
  auto index = *Index::open(folder_);
  Document document = page("a/b.md", "Alpha", "text on turbines");
  document.url = "https://example.org/b";
  document.passages[0].blocks.push_back({BlockKind::code, "run()\n"});
  ASSERT_TRUE(index.replace(document));
  ASSERT_TRUE(index.commit(1));
  const auto found = *index.search({.text = "turbines", .total = SearchQuery::Total::exact});
  ASSERT_EQ(found.hits.size(), 1u);
  EXPECT_EQ(found.total, 1u);
  EXPECT_EQ(found.hits[0].passage_id, "a/b.md/0");
  EXPECT_EQ(found.hits[0].url, "https://example.org/b");
  EXPECT_EQ(found.hits[0].anchor, "top");
  ASSERT_EQ(found.hits[0].blocks.size(), 2u);
  EXPECT_EQ(found.hits[0].blocks[1].text, "run()\n");
  EXPECT_EQ(found.hits[0].blocks[1].kind, BlockKind::code);
}

TEST_F(IndexTest, replacing_and_removing_leave_no_trace_of_the_old_text) {
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
  ASSERT_TRUE(index.replace(page("b", "B", "boilers")));
  ASSERT_TRUE(index.commit(1));
  ASSERT_TRUE(index.replace(page("a", "A", "pistons")));
  ASSERT_TRUE(index.remove("b"));
  ASSERT_TRUE(index.remove("never there"));
  ASSERT_TRUE(index.commit(2));
  EXPECT_TRUE(paths(index, "turbines").empty());
  EXPECT_TRUE(paths(index, "boilers").empty());
  EXPECT_EQ(paths(index, "pistons"), Paths{"a"});
  EXPECT_EQ(*index.passage_count(), 1u);
}

TEST_F(IndexTest, an_uncommitted_batch_is_dropped_however_large) {
  {
    auto index = *Index::open(folder_);
    ASSERT_TRUE(index.replace(page("kept", "K", "turbines")));
    ASSERT_TRUE(index.commit(1));
    for (int i = 0; i < 1200; ++i) ASSERT_TRUE(index.replace(page(fmt::format("lost/{}", i), "L", "turbines")));
  }
  auto index = *Index::open(folder_);
  EXPECT_EQ(*index.revision(), 1u);
  EXPECT_EQ(*index.passage_count(), 1u);
}

TEST_F(IndexTest, a_damaged_folder_is_told_apart_and_can_be_rebuilt) {
  {
    auto index = *Index::open(folder_);
    ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
    ASSERT_TRUE(index.commit(1));
  }
  std::ofstream(folder_ / "iamglass", std::ios::trunc) << "junk";
  EXPECT_EQ(Index::open(folder_).error().code(), Code::data_corrupt);
  ASSERT_TRUE(Index::discard(folder_));
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
  ASSERT_TRUE(index.commit(1));
  EXPECT_EQ(paths(index, "turbines"), Paths{"a"});
}

TEST_F(IndexTest, an_index_of_another_language_must_be_rebuilt) {
  {
    auto index = *Index::open(folder_);
    ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
    ASSERT_TRUE(index.commit(1));
  }
  EXPECT_EQ(Index::open(folder_, "german").error().code(), Code::data_corrupt);
  EXPECT_EQ(Index::open(folder_, "klingon").error().code(), Code::invalid_argument);
}

TEST_F(IndexTest, what_a_caller_may_not_read_is_neither_found_nor_counted) {
  auto index = *Index::open(folder_);
  const std::vector<std::string> staff = {"staff"};
  ASSERT_TRUE(index.replace(page("open", "Open", "turbines")));
  ASSERT_TRUE(index.replace(page("closed", "Closed", "turbines"), staff));
  ASSERT_TRUE(index.commit(1));
  const auto anybody = *index.search({.text = "turbines", .total = SearchQuery::Total::exact});
  EXPECT_EQ(anybody.total, 1u);
  ASSERT_EQ(anybody.hits.size(), 1u);
  EXPECT_EQ(anybody.hits[0].path, "open");
  const auto member = *index.search({.text = "turbines", .allowed_groups = staff, .total = SearchQuery::Total::exact});
  EXPECT_EQ(member.total, 2u);
}

TEST_F(IndexTest, a_path_prefix_means_whole_folders) {
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("coding/recipes/a.md", "A", "turbines")));
  ASSERT_TRUE(index.replace(page("codingx/b.md", "B", "turbines")));
  ASSERT_TRUE(index.commit(1));
  EXPECT_EQ(index.search({.text = "turbines", .path_prefix = "coding/"})->hits.size(), 1u);
  EXPECT_EQ(index.search({.text = "turbines", .path_prefix = "coding/recipes/a.md"})->hits.size(), 1u);
  EXPECT_EQ(index.search({.text = "turbines", .path_prefix = "cod"})->hits.size(), 0u);
}

TEST_F(IndexTest, words_in_a_heading_lift_a_passage) {
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("aside", "Other", "Long ago upgrading was mentioned once in an aside here.")));
  ASSERT_TRUE(index.replace(page("topic", "Upgrading", "Long ago replacing was mentioned once in an aside here.")));
  ASSERT_TRUE(index.commit(1));
  EXPECT_EQ(paths(index, "how do I upgrade?").front(), "topic");
}

TEST_F(IndexTest, a_question_of_any_length_is_bounded) {
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
  ASSERT_TRUE(index.commit(1));
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += fmt::format("turbine w{} ", i);
  const auto found = *index.search({.text = text});
  EXPECT_LE(found.terms.size(), SearchQuery::terms_max);
  EXPECT_TRUE(index.search({.text = "turbines", .offset = 1'000'000, .limit = 1'000'000})->hits.empty());
}

TEST_F(IndexTest, what_is_kept_in_memory_changes_no_result) {
  // One keeps nothing, one everything, and one so little that it always has to let something go.
  const std::array<std::shared_ptr<IndexMemory>, 3> memories{
      std::make_shared<IndexMemory>(0), std::make_shared<IndexMemory>(), std::make_shared<IndexMemory>(60'000)};
  std::vector<Index> indexes;
  for (std::size_t i = 0; i < memories.size(); ++i)
    indexes.push_back(*Index::open(folder_ / std::to_string(i), "english", memories[i]));
  std::mt19937_64 random(5);
  const auto text = [&random](std::size_t words) {
    static constexpr std::array<std::string_view, 16> some{"turbine", "boiler", "steam", "valve", "the",    "engine",
                                                           "of",      "piston", "is",    "a",     "shaft.", "Watt",
                                                           "1781",    "coal",   "iron.", "backup"};
    std::string made;
    for (std::size_t w = 0; w < words; ++w) {
      made += some[(random() % some.size()) * (random() % some.size()) / some.size()];
      made += random() % 9 == 0 ? std::to_string(random() % 500) + " " : std::string(" ");
    }
    return made;
  };
  const std::vector<std::string> staff = {"staff"};
  for (unsigned revision = 1; revision <= 4; ++revision) {
    for (int n = 0; n < 120; ++n) {
      // Later revisions replace some pages and add others.
      const auto path = fmt::format("{}/{}", random() % 3, n + 60 * revision);
      const auto document = page(path, text(2), text(40));
      const bool closed = random() % 5 == 0;
      for (auto& index : indexes)
        ASSERT_TRUE(index.replace(document, closed ? std::span(staff) : std::span<const std::string>()));
    }
    for (auto& index : indexes) ASSERT_TRUE(index.commit(revision));
    for (int q = 0; q < 30; ++q) {
      const auto question = text(6);
      SearchQuery query{.text = question, .offset = random() % 3 * 20, .total = SearchQuery::Total::exact};
      if (q % 3 == 1) query.path_prefix = "1/";
      if (q % 3 == 2) query.allowed_groups = staff;
      const auto wanted = *indexes[0].search(query);
      for (std::size_t i = 1; i < 2 * indexes.size(); ++i) {
        const auto found = *indexes[i % indexes.size()].search(query);
        EXPECT_EQ(found.total, wanted.total);
        ASSERT_EQ(found.hits.size(), wanted.hits.size());
        for (std::size_t h = 0; h < found.hits.size(); ++h) {
          EXPECT_EQ(found.hits[h].passage_id, wanted.hits[h].passage_id);
          EXPECT_EQ(found.hits[h].score, wanted.hits[h].score);
        }
        EXPECT_EQ(answer(question, found, 0).text, answer(question, wanted, 0).text);
      }
    }
  }
  EXPECT_EQ(memories[0]->bytes(), 0u);
  EXPECT_GT(memories[1]->bytes(), 60'000u);
  EXPECT_LE(memories[2]->bytes(), 60'000u);
}

TEST_F(IndexTest, a_hit_is_taken_apart_as_its_texts_are) {
  auto index = *Index::open(folder_);
  Document document =
      page("a/steam-engine.md", "Steam", "James Watt made it in 1781. It is an engine. Why? See below:");
  document.passages[0].blocks.push_back({BlockKind::code, "run()\n"});
  document.passages[0].blocks.push_back({BlockKind::list, "- " + std::string(600, 'x') + "\n- two\n- three"});
  ASSERT_TRUE(index.replace(document));
  ASSERT_TRUE(index.commit(1));
  const std::string question = "Who made the steam engine in 1781?";
  const auto found = *index.search({.text = question});
  ASSERT_EQ(found.hits.size(), 1u);
  ASSERT_TRUE(found.hits[0].analyzed);
  auto by_hand = found;
  by_hand.hits[0].analyzed = nullptr;
  EXPECT_EQ(answer(question, by_hand, 0).text, answer(question, found, 0).text);
  EXPECT_EQ(answer(question, by_hand, 0).confidence, answer(question, found, 0).confidence);
}

TEST_F(IndexTest, searches_run_beside_commits) {
  auto index = *Index::open(folder_);
  ASSERT_TRUE(index.replace(page("a", "A", "turbines")));
  ASSERT_TRUE(index.commit(1));
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!done) {
        const auto found = index.search({.text = "turbines"});
        if (!found && found.error().code() != Code::unavailable) ++wrong;
        if (found && found->hits.empty()) ++wrong;
      }
    });
  }
  for (unsigned i = 2; i < 30; ++i) {
    ASSERT_TRUE(index.replace(page("a", "A", "turbines again")));
    ASSERT_TRUE(index.commit(i));
  }
  done = true;
  readers.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace parley::knowledge
