#include "parley/knowledge/ingest.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parley/crypto/random.h"
#include "parley/db/migration.h"
#include "testing/test_store.h"

namespace parley::knowledge {
namespace {

namespace fs = std::filesystem;
using namespace db::literals;

class FixedClock final : public Clock {
 public:
  Timestamp now() const override { return {1'700'000'000'000'000}; }
};

/// An index as simple as it can be: what was replaced and not removed, kept by commits.
class MemoryIndex final : public IndexSink {
 public:
  Result<void> replace(const ChangedDocument& changed) override {
    pending_[changed.document.path] = changed.document;
    return {};
  }
  Result<void> remove(std::string_view path) override {
    pending_.erase(std::string(path));
    return {};
  }
  Result<void> commit(std::int64_t revision) override {
    if (fail_commits) {
      pending_ = documents;
      return fail(Code::storage_full, "the disk is full");
    }
    documents = pending_;
    revision_ = revision;
    ++commits;
    return {};
  }
  Result<std::int64_t> revision() override { return revision_; }
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& [path, document] : documents) all.push_back(path);
    return all;
  }

  std::map<std::string, Document> documents;
  bool fail_commits = false;
  int commits = 0;

 private:
  std::map<std::string, Document> pending_;
  std::int64_t revision_ = 0;
};

std::string migration_text(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

db::MigrationSet knowledge_migrations() {
  db::MigrationSet set{.program_version = "0.1.0"};
  set.tenant.push_back(db::migration_of("0001_projects.sql",
                                        "-- oldest: 0.1.0\n-- @all\nCREATE TABLE projects (\n  {tenant_column}\n"
                                        "  id TEXT NOT NULL,\n  PRIMARY KEY ({tenant}id)\n);\n"));
  set.tenant.push_back(db::migration_of("0002_knowledge.sql", migration_text("migrations/tenant/0002_knowledge.sql")));
  set.tenant.push_back(db::migration_of("0006_groups.sql", migration_text("migrations/tenant/0006_groups.sql")));
  return set;
}

class Ingestion : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    if (!db::TestStore::available(GetParam())) GTEST_SKIP() << db::TestStore::why_not;
    auto opened = db::TestStore::open(GetParam(), knowledge_migrations());
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    store_ = *std::move(opened);
    for (const TenantId tenant : {tenant_, other_tenant_}) {
      const auto created = store_->store().create_tenant(tenant);
      ASSERT_TRUE(created) << describe_for_operator(created.error());
    }
    for (const auto& session : {this->session(), other_session()}) {
      const auto added = session.write_blocking(
          [&](db::TenantWriter& writer) { return writer.run("INSERT INTO projects (id) VALUES ($1)"_sql, project_); });
      ASSERT_TRUE(added) << describe_for_operator(added.error());
    }
    root_ = pages_.path() / "docs";
    fs::create_directory(root_);
  }

  db::TenantSession session() { return store_->store().tenant(tenant_); }
  db::TenantSession other_session() { return store_->store().tenant(other_tenant_); }

  void write(const std::string& path, std::string_view text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  IngestReport run(IngestRequest request) {
    auto report = ingest(session(), project_, std::move(request), index_, clock_);
    EXPECT_TRUE(report) << describe_for_operator(report.error());
    return report ? *std::move(report) : IngestReport();
  }
  IngestReport run() { return run({.paths = {root_}, .base_url = {}}); }
  std::vector<StoredDocument> stored() {
    return session().read_blocking([&](db::TenantReader& reader) { return list_documents(reader, project_); }).value();
  }

  db::TemporaryFolder pages_;
  fs::path root_;
  FixedClock clock_;
  MemoryIndex index_;
  std::unique_ptr<db::TestStore> store_;
  TenantId tenant_ = db::random_tenant_id();
  TenantId other_tenant_ = db::random_tenant_id();
  ProjectId project_ = crypto::random_id<ProjectId>();
};

TEST_P(Ingestion, stores_and_indexes_a_folder_and_does_nothing_the_second_time) {
  write("a.md", "# A\n\ntext\n");
  write("sub/b.mdx", "# B\n\ntext\n");
  write("sub/c.html", "<title>C</title><p>text");
  write("d.txt", "text");
  write("e.png", "not read");
  write(".hidden/f.md", "# F");
  write("node_modules/g.md", "# G");
  auto report = run();
  EXPECT_EQ(report.added, 4u);
  EXPECT_EQ(report.skipped, 0u);
  EXPECT_EQ(report.revision, 1);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md", "d.txt", "sub/b.mdx", "sub/c.html"}));
  EXPECT_EQ(index_.documents["sub/b.mdx"].passages.at(0).blocks.at(0).text, "text");
  EXPECT_EQ(index_.documents["a.md"].url, "a.md");

  report = run();
  EXPECT_EQ(report.unchanged, 4u);
  EXPECT_EQ(report.added + report.changed + report.removed, 0u);
  EXPECT_EQ(report.revision, 1);
  EXPECT_EQ(index_.commits, 1);
}

TEST_P(Ingestion, stopped_half_way_keeps_what_was_read_and_removes_nothing) {
  write("a.md", "# A\n\none\n");
  write("z.md", "# Z\n\none\n");
  run();
  write("a.md", "# A\n\ntwo\n");
  write("b.md", "# B\n\none\n");
  fs::remove(root_ / "z.md");
  const auto stopped = ingest(session(), project_, {.paths = {root_}, .base_url = {}}, index_, clock_,
                              [](const IngestProgress& now) { return now.files_done == 1 ? GoOn::no : GoOn::yes; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::cancelled);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md", "z.md"}));
  EXPECT_EQ(index_.documents["a.md"].passages.at(0).blocks.at(0).text, "two");
  const auto report = run();
  EXPECT_EQ(report.added, 1u);
  EXPECT_EQ(report.removed, 1u);
}

TEST_P(Ingestion, follows_changes_and_removals_of_its_own_folder_alone) {
  write("a.md", "# A\n\none\n");
  write("b.md", "# B\n\none\n");
  run();
  const fs::path other = pages_.path() / "other";
  fs::create_directory(other);
  std::ofstream(other / "x.md") << "# X\n\nx\n";
  run({.paths = {other}, .base_url = {}});
  write("a.md", "# A\n\ntwo\n");
  fs::remove(root_ / "b.md");
  const auto report = run();
  EXPECT_EQ(report.changed, 1u);
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md", "x.md"}));
  EXPECT_EQ(index_.documents["a.md"].passages.at(0).blocks.at(0).text, "two");
}

TEST_P(Ingestion, keeps_two_folders_with_files_of_one_name_apart) {
  write("README.md", "# One\n\none\n");
  const fs::path other = pages_.path() / "other";
  fs::create_directory(other);
  std::ofstream(other / "README.md") << "# Two\n\ntwo\n";
  run({.paths = {root_, other}, .base_url = {}});
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"README.md", "other/README.md"}));
  const auto again = run({.paths = {other, root_}, .base_url = {}});
  EXPECT_EQ(again.unchanged, 2u);
  fs::remove(other / "README.md");
  EXPECT_EQ(run({.paths = {other}, .base_url = {}}).removed, 1u);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"README.md"}));
}

TEST_P(Ingestion, refreshes_a_part_of_a_folder_in_place) {
  write("a.md", "# A\n\na\n");
  write("sub/b.md", "# B\n\nb\n");
  write("sub/c.md", "# C\n\nc\n");
  run();
  write("sub/b.md", "# B\n\nnew\n");
  fs::remove(root_ / "a.md");
  EXPECT_EQ(run({.paths = {root_ / "sub/b.md"}, .base_url = {}}).changed, 1u);
  fs::remove(root_ / "sub/c.md");
  const auto report = run({.paths = {root_ / "sub"}, .base_url = {}});
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md", "sub/b.md"}));
}

TEST_P(Ingestion, names_what_it_skips_and_goes_on) {
  write("a.md", "# A\n\na\n");
  write("binary.md", std::string_view("\0\1\2", 3));
  write("deep.html", [] {
    std::string deep;
    for (int i = 0; i < 2000; ++i) deep += "<div>";
    return deep;
  }());
  write("large.md", std::string(document_bytes_max + 1, 'x'));
  ASSERT_EQ(::mkfifo((root_ / "pipe.md").c_str(), 0600), 0);
  std::ofstream(pages_.path() / "secret.md") << "# Secret\n\nnot to be read\n";
  fs::create_symlink(pages_.path() / "secret.md", root_ / "link.md");
  fs::create_symlink(root_ / "a.md", root_ / "same.md");
  fs::create_directory_symlink(pages_.path(), root_ / "loop");
  const auto report = run();
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md", "same.md"}));
  EXPECT_EQ(report.skipped, 5u);
  std::map<std::string, std::string> reasons;
  for (const auto& skipped : report.skipped_files) reasons[skipped.path] = skipped.reason;
  EXPECT_EQ(reasons["binary.md"], "not a text file (it holds NUL bytes)");
  EXPECT_EQ(reasons["deep.html"], "its markup is nested too deeply");
  EXPECT_EQ(reasons["large.md"], "larger than a document may be");
  EXPECT_EQ(reasons["pipe.md"], "not an ordinary file");
  EXPECT_EQ(reasons["link.md"], "link leads out of the folder");
}

TEST_P(Ingestion, drops_a_document_whose_file_became_something_else) {
  write("a.md", "# A\n\na\n");
  run();
  write("a.md", std::string_view("\0", 1));
  EXPECT_EQ(run().removed, 1u);
  EXPECT_TRUE(index_.paths().empty());
}

TEST_P(Ingestion, stores_nothing_when_a_path_is_mistyped) {
  write("a.md", "# A\n\na\n");
  const auto report =
      ingest(session(), project_, {.paths = {root_, root_ / "nowhere"}, .base_url = {}}, index_, clock_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::not_found);
  EXPECT_TRUE(stored().empty());
}

TEST_P(Ingestion, makes_links_from_a_base_url_and_follows_its_change) {
  write("guide/start.md", "# S\n\ns\n");
  write("guide/README.md", "# G\n\ng\n");
  write("slug.md", "---\nslug: /elsewhere\n---\n# E\n\ne\n");
  run({.paths = {root_}, .base_url = "https://docs.example.com/v1/"});
  EXPECT_EQ(index_.documents["guide/start.md"].url, "https://docs.example.com/v1/guide/start");
  EXPECT_EQ(index_.documents["guide/README.md"].url, "https://docs.example.com/v1/guide/");
  EXPECT_EQ(index_.documents["slug.md"].url, "https://docs.example.com/v1/elsewhere");
  EXPECT_EQ(run().unchanged, 3u);
  EXPECT_EQ(run({.paths = {root_}, .base_url = ""}).changed, 3u);
  EXPECT_EQ(index_.documents["guide/start.md"].url, "guide/start.md");
  const auto bad = ingest(session(), project_, {.paths = {root_}, .base_url = "javascript:alert(1)"}, index_, clock_);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::invalid_argument);
}

TEST_P(Ingestion, heals_a_stop_between_the_stores_commit_and_the_indexs) {
  write("a.md", "# A\n\na\n");
  write("b.md", "# B\n\nb\n");
  run();
  write("a.md", "# A\n\nnew\n");
  fs::remove(root_ / "b.md");
  index_.fail_commits = true;
  EXPECT_FALSE(ingest(session(), project_, {.paths = {root_}, .base_url = {}}, index_, clock_));
  EXPECT_EQ(index_.paths().size(), 2u);
  index_.fail_commits = false;
  const auto synced = sync_index(session(), project_, index_).value();
  EXPECT_EQ(synced.replaced, 1u);
  EXPECT_EQ(synced.removed, 1u);
  EXPECT_EQ(index_.paths(), (std::vector<std::string>{"a.md"}));
  EXPECT_EQ(index_.documents["a.md"].passages.at(0).blocks.at(0).text, "new");
}

TEST_P(Ingestion, fills_an_index_that_was_deleted_and_refuses_one_that_is_ahead) {
  for (int i = 0; i < 600; ++i) write("page" + std::to_string(i) + ".md", "# P\n\ntext " + std::to_string(i) + "\n");
  const auto report = run();
  EXPECT_EQ(report.added, 600u);
  EXPECT_EQ(report.revision, 3);  // batches
  MemoryIndex fresh;
  EXPECT_EQ(sync_index(session(), project_, fresh).value().replaced, 600u);
  EXPECT_EQ(fresh.paths(), index_.paths());
  EXPECT_EQ(fresh.commits, 1);
  EXPECT_EQ(sync_index(session(), project_, fresh).value().replaced, 0u);
  EXPECT_EQ(fresh.commits, 1);
  ASSERT_TRUE(fresh.commit(99));
  const auto ahead = sync_index(session(), project_, fresh);
  ASSERT_FALSE(ahead);
  EXPECT_EQ(ahead.error().code(), Code::data_corrupt);
}

TEST_P(Ingestion, shows_a_tenant_its_own_documents_only) {
  write("a.md", "# A\n\na\n");
  run();
  const auto others =
      other_session().read_blocking([&](db::TenantReader& reader) { return list_documents(reader, project_); });
  ASSERT_TRUE(others);
  EXPECT_TRUE(others->empty());
  MemoryIndex theirs;
  const auto report = ingest(other_session(), project_, {.paths = {root_}, .base_url = {}}, theirs, clock_);
  ASSERT_TRUE(report) << describe_for_operator(report.error());
  EXPECT_EQ(report->added, 1u);
  // A source of one tenant is not one that the other's document could hang on.
  const auto sources =
      session().read_blocking([&](db::TenantReader& reader) { return list_sources(reader, project_); }).value();
  ASSERT_EQ(sources.size(), 1u);
  const auto crossed = other_session().write_blocking([&](db::TenantWriter& writer) -> Result<void> {
    const auto revision = PARLEY_TRY(take_revision(writer, project_));
    DocumentChange change{crypto::random_id<DocumentId>(), sources[0].id, {}, {}, 0, {}};
    change.parsed.document.path = "crossed.md";
    return put_document(writer, project_, change, revision, {});
  });
  ASSERT_FALSE(crossed);
  EXPECT_EQ(crossed.error().code(), Code::conflict);
}

TEST_P(Ingestion, removes_a_source_with_its_documents_and_tells_the_index) {
  write("a.md", "# A\n\na\n");
  run();
  const auto removed = session().write_blocking([&](db::TenantWriter& writer) -> Result<std::int64_t> {
    const auto sources = PARLEY_TRY(list_sources(writer, project_));
    const auto revision = PARLEY_TRY(take_revision(writer, project_));
    return remove_source(writer, project_, sources.at(0).id, revision);
  });
  ASSERT_TRUE(removed) << describe_for_operator(removed.error());
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(sync_index(session(), project_, index_).value().removed, 1u);
  EXPECT_TRUE(index_.paths().empty());
  // Taken up again, it is no longer among the removed.
  EXPECT_EQ(run().added, 1u);
  EXPECT_EQ(index_.paths().size(), 1u);
  const auto loaded =
      session().read_blocking([&](db::TenantReader& reader) { return load_document(reader, project_, "a.md"); });
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->title, "A");
  const auto absent =
      session().read_blocking([&](db::TenantReader& reader) { return load_document(reader, project_, "z.md"); });
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), Code::not_found);
}

INSTANTIATE_TEST_SUITE_P(Engines, Ingestion, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& info) { return info.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

TEST(CitationUrl, follows_the_conventions_of_documentation_sites) {
  EXPECT_EQ(citation_url("", "a/b.md", "/x"), "a/b.md");
  EXPECT_EQ(citation_url("https://h/d/", "a/b.md", ""), "https://h/d/a/b");
  EXPECT_EQ(citation_url("https://h", "index.mdx", ""), "https://h/");
  EXPECT_EQ(citation_url("https://h", "a/page.html", ""), "https://h/a/page.html");
  EXPECT_EQ(citation_url("https://h", "a/index.html", ""), "https://h/a/");
  EXPECT_EQ(citation_url("https://h", "v1.2 notes/ä.md", ""), "https://h/v1.2%20notes/%C3%A4");
  EXPECT_EQ(citation_url("https://h", "a/b.md", "c"), "https://h/a/c");
  EXPECT_EQ(citation_url("https://h", "a/b.md", "https://other/x"), "https://other/x");
  EXPECT_EQ(citation_url("https://h", "a/b.md", "javascript:alert(1)"), "https://h/a/b");
  EXPECT_EQ(citation_url("https://h", "a/b.md", "../../x"), "https://h/a/b");
}

TEST(StoredPassages, are_read_back_as_they_were_and_never_past_their_end) {
  const std::vector<Passage> passages = {{"id1", {"T", "H"}, "h", {{BlockKind::prose, "a"}, {BlockKind::code, "b\nc"}}},
                                         {"id2", {}, "", {}}};
  const std::string bytes = encode_passages(passages);
  const auto back = decode_passages(bytes);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].headings, passages[0].headings);
  EXPECT_EQ((*back)[0].blocks[1].kind, BlockKind::code);
  EXPECT_EQ((*back)[0].blocks[1].text, "b\nc");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_passages(std::string_view(bytes).substr(0, size)));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const int flip : {0x01, 0x40, 0x80, 0xFF}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      (void)decode_passages(damaged);
    }
}

}  // namespace
}  // namespace parley::knowledge
