// What somebody may not read changes nothing of what they are told: their answers are, byte for byte, those of a
// project from which those documents were left out.
#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "parley/admission/admission.h"
#include "parley/api/actions.h"
#include "parley/identity/gate.h"
#include "parley/server/installation.h"
#include "testing/test_store.h"

namespace parley::server {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

struct Page {
  std::string path, title, text;
  Names groups;  ///< empty: everybody's
};

// Every word of these is also used by open pages, so that restricted ones change each frequency, and each page has
// words of its own, which nobody else may meet.
const std::vector<std::string> common = {"backup",  "restore", "server", "key",     "rotate", "limit", "upgrade",
                                         "cluster", "network", "quota",  "replica", "index",  "alert", "schedule"};

std::string word_of(std::size_t page, std::size_t which) { return fmt::format("zq{}x{}vord", page, which); }

std::vector<Page> pages() {
  const std::vector<Names> readers = {{}, {"ops"}, {"sales"}, {"legal"}, {}, {"ops", "sales"}};
  std::vector<Page> made;
  for (std::size_t i = 0; i < 48; ++i) {
    const auto& a = common[i % common.size()];
    const auto& b = common[(i * 5 + 3) % common.size()];
    const auto& c = common[(i * 11 + 7) % common.size()];
    Page page{.path = fmt::format("{}/page-{:02}.md", i % 3 == 0 ? "guide" : "reference", i),
              .title = fmt::format("The {} {} {}", a, b, word_of(i, 0)),
              .text = {},
              .groups = readers[i % readers.size()]};
    page.text = fmt::format(
        "To {0} the {1}, set {3} before the {2} is started. The {0} of a {2} takes {4} minutes.\n\n"
        "## How the {2} works\n\nA {2} waits for the {1} until {5} is done. The {0} is then repeated {6} times.\n\n"
        "- {0} first\n- {1} second\n- {3} last\n",
        a, b, c, word_of(i, 1), i + 2, word_of(i, 2), i % 7);
    made.push_back(std::move(page));
  }
  return made;
}

bool readable(const Page& page, const Names& held) {
  return page.groups.empty() || std::ranges::any_of(page.groups, [&](const auto& group) {
           return std::ranges::find(held, group) != held.end();
         });
}

class GroupsTest : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    const auto data = folder_.path() / "data";
    if (!db::TestStore::available(GetParam())) GTEST_SKIP() << db::TestStore::why_not;
    if (GetParam() == db::Engine::postgres) {
      // Empties the database and keeps others out of it; the installation then opens it by itself.
      auto database = db::TestStore::open(GetParam(), db::compiled_migrations());
      ASSERT_TRUE(database) << describe_for_operator(database.error());
      database_ = *std::move(database);
      database_->close();
      fs::create_directories(data);
      std::ofstream(data / "parley.toml") << "[database]\nurl = \"env:PARLEY_TEST_POSTGRES\"\n";
    }
    auto opened = Installation::open(data, Absent::create);
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    at_ = *std::move(opened);
    admission_.emplace(admission::Limits{}, at_->clock, admission::HashKey{});
    tenant_ = at_->wait(at_->tenants->create("acme"))->id;
  }

  ProjectRef make_project(const std::string& slug) {
    identity::NewProject wanted{.name = slug, .slug = slug};
    // Visitors without a key that vouches for them are those of a public project's own page.
    wanted.access.visibility = Visibility::public_project;
    EXPECT_TRUE(at_->wait(at_->tenants->create_project(tenant_, wanted)));
    return at_->wait(at_->tenants->find_slug(slug)).value().value();
  }
  fs::path write(const std::string& folder, const std::vector<Page>& pages) {
    const auto root = folder_.path() / folder / "docs";
    for (const auto& page : pages) {
      fs::create_directories((root / page.path).parent_path());
      std::ofstream file(root / page.path);
      file << "---\ntitle: " << page.title << "\n";
      if (!page.groups.empty()) file << "groups: [" << fmt::format("{}", fmt::join(page.groups, ", ")) << "]\n";
      file << "---\n" << page.text;
    }
    return root;
  }
  knowledge::IngestReport ingest(const ProjectRef& project, const fs::path& root,
                                 std::optional<std::string> groups = {}) {
    const auto permit =
        identity::Gate::authorize<knowledge::IngestDocuments>(at_->local_operator(::geteuid()), project);
    auto report = at_->library->ingest(permit, {.paths = {root}, .base_url = {}, .groups = std::move(groups)}, {});
    EXPECT_TRUE(report) << describe_for_operator(report.error());
    return report.value_or(knowledge::IngestReport());
  }

  /// A visitor's permission, of whom a customer's server says these groups.
  Authorized<api::SearchProject> visitor(const ProjectRef& project, const Names& groups) {
    const auto minted = at_->visitor_tokens->mint({.visitor = crypto::random_uuid(),
                                                   .tenant = project.tenant,
                                                   .project = project.project,
                                                   .scopes = ScopeSet::public_keys(),
                                                   .origin = {},
                                                   .vouched_by = {},
                                                   .groups = groups,
                                                   .expires_at = {}});
    auto entered = at_->wait(enter("Bearer " + minted.token, project));
    if (!entered) throw std::runtime_error(describe_for_operator(entered.error()));
    return *std::move(entered);
  }
  Async<Authorized<api::SearchProject>> enter(std::string header, ProjectRef project) {
    const Sender own{.kind = Sender::Kind::own_page, .origin = {}};
    const auto client = boost::asio::ip::make_address("127.0.0.1");
    const auto from = admission_->admit_address(client);
    if (!from) co_return fail(from.error().error());
    auto asking = at_->authenticator->authenticate(
        {.authorization = header, .session = {}, .use = {}, .sender = own, .client = client});
    auto caller = co_await std::move(asking);
    if (!caller) co_return fail(std::move(caller.error().error));
    auto admitting = admission_->admit(*from, *std::move(caller), admission::Work::search);
    const auto admitted = co_await std::move(admitting);
    if (!admitted) co_return fail(admitted.error().error());
    auto permit = identity::Gate::authorize<api::SearchProject>(*admitted, project, own);
    if (!permit) co_return fail(std::move(permit.error().error));
    co_return *std::move(permit);
  }

  /// Everything that a caller is told, as text; scores to the last bit.
  std::string told(const Authorized<api::SearchProject>& permit, const std::string& question) {
    std::string out;
    const auto hits = at_->wait(at_->library->search(permit, question));
    EXPECT_TRUE(hits) << describe_for_operator(hits.error());
    for (const auto& hit : *hits)
      out += fmt::format("{}|{}|{}|{}|{:a}|{}\n", hit.title, hit.page_title, hit.url, hit.fragment, hit.score,
                         hit.is_title_match);
    const auto found = at_->wait(at_->library->look_up(permit, question, 8));
    EXPECT_TRUE(found) << describe_for_operator(found.error());
    const auto& answer = found->answer;
    out += fmt::format("{} {:a}\n{}\n", answer.answered, answer.confidence, answer.text);
    for (const auto& c : answer.citations)
      out += fmt::format("{}|{}|{}|{}|{}\n", c.title, c.url, c.path, c.passage_id, c.quote);
    for (const auto& passage : found->passages)
      out += fmt::format("{}|{}|{}\n", passage.title, passage.url, passage.text);
    return out;
  }
  bool finds(const ProjectRef& project, const Names& groups, const std::string& words) {
    return told(visitor(project, groups), words).find("page-") != std::string::npos;
  }
  template <class A>
  Authorized<A> operator_on(const ProjectRef& project) {
    return identity::Gate::authorize<A>(at_->local_operator(::geteuid()), project);
  }

  std::unique_ptr<db::TestStore> database_;
  db::TemporaryFolder folder_;
  std::unique_ptr<Installation> at_;
  std::optional<admission::Admission> admission_;
  TenantId tenant_;
};

TEST_P(GroupsTest, answers_are_those_of_a_project_from_which_the_rest_was_left_out) {
  const auto all = pages();
  const auto project = make_project("everything");
  const auto root = write("everything", all);
  // In two goes, so that there is a history: what is restricted came between.
  ingest(project, root / "guide");
  ingest(project, root);

  std::set<std::string> questions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    questions.insert(all[i].title);
    questions.insert(fmt::format("how do I {} the {}?", common[i % common.size()], word_of(i, 1)));
  }
  for (const auto& word : common) questions.insert("what is a " + word + " and how long does the restore take?");

  std::size_t compared = 0;
  std::size_t found = 0;
  for (unsigned set = 0; set < 8; ++set) {
    Names held;
    if (set & 1) held.emplace_back("ops");
    if (set & 2) held.emplace_back("sales");
    if (set & 4) held.emplace_back("legal");
    std::vector<Page> left;
    std::vector<std::size_t> restricted;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!readable(all[i], held)) restricted.push_back(i);
      // It names no groups, so nothing of how they are kept apart takes part in what the answers are compared with.
      else left.push_back({.path = all[i].path, .title = all[i].title, .text = all[i].text, .groups = {}});
    }
    const auto without = make_project(fmt::format("without-{}", set));
    const auto left_root = write(fmt::format("without-{}", set), left);
    ingest(without, left_root / "guide");
    ingest(without, left_root);
    const auto permit = visitor(project, held);
    const auto permit_without = visitor(without, {});
    for (const auto& question : questions) {
      const auto seen = told(permit, question);
      ASSERT_EQ(seen, told(permit_without, question)) << "groups " << set << ", question " << question;
      ++compared;
      found += seen.find("page-") != std::string::npos ? 1 : 0;
      for (const auto i : restricted) {
        EXPECT_EQ(seen.find(all[i].path), std::string::npos);
        for (std::size_t w = 0; w < 3; ++w) EXPECT_EQ(seen.find(word_of(i, w)), std::string::npos) << seen;
      }
    }
    if (set == 7) EXPECT_TRUE(restricted.empty());
  }
  EXPECT_GT(compared, 800U);
  // Words that all pages use stand in each question, so there is always something to be told.
  EXPECT_EQ(found, compared);
}

TEST_P(GroupsTest, the_operator_reads_everything) {
  const auto all = pages();
  const auto project = make_project("everything");
  ingest(project, write("everything", all));
  const auto permit = operator_on<api::SearchProject>(project);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_NE(told(permit, word_of(i, 1)).find(all[i].path), std::string::npos) << i;
}

TEST_P(GroupsTest, changing_who_may_read_a_source_holds_when_the_change_is_done) {
  const auto project = make_project("docs");
  const auto root = write("docs", {{"page-1.md", "Wombats", "Wombats dig burrows.", {}}});
  ingest(project, root);
  const auto name = fs::canonical(root).string();
  EXPECT_TRUE(finds(project, {}, "wombats"));

  const auto restrict = [&](std::string_view groups) {
    return at_->library->restrict_source(operator_on<knowledge::RestrictSource>(project), name, groups);
  };
  EXPECT_TRUE(restrict("zoo").value());
  EXPECT_FALSE(finds(project, {}, "wombats"));
  EXPECT_FALSE(finds(project, {"other"}, "wombats"));
  EXPECT_TRUE(finds(project, {"zoo"}, "wombats"));
  EXPECT_FALSE(restrict("zoo").value());

  EXPECT_TRUE(restrict("vets, keepers").value());
  EXPECT_FALSE(finds(project, {"zoo"}, "wombats"));
  EXPECT_TRUE(finds(project, {"keepers"}, "wombats"));

  EXPECT_TRUE(restrict("").value());
  EXPECT_TRUE(finds(project, {}, "wombats"));
  EXPECT_TRUE(finds(project, {"keepers"}, "wombats"));

  EXPECT_FALSE(restrict("not; a name"));
  EXPECT_EQ(
      at_->library->restrict_source(operator_on<knowledge::RestrictSource>(project), "/nowhere", "a").error().code(),
      Code::not_found);

  EXPECT_EQ(at_->library->remove_source(operator_on<knowledge::RemoveSource>(project), name).value(), 1);
  EXPECT_FALSE(finds(project, {"keepers"}, "wombats"));
  EXPECT_FALSE(finds(project, {}, "wombats"));
}

TEST_P(GroupsTest, what_a_view_held_is_not_shown_by_it_again_after_a_restart) {
  const auto project = make_project("docs");
  const auto root = write("docs", {{"page-1.md", "Wombats", "Wombats dig burrows.", {"zoo"}}});
  ingest(project, root);
  EXPECT_TRUE(finds(project, {"zoo"}, "wombats"));
  at_.reset();
  write("docs", {{"page-1.md", "Wombats", "Wombats dig burrows.", {"vets"}}});
  auto opened = Installation::open(folder_.path() / "data", Absent::refuse);
  ASSERT_TRUE(opened);
  at_ = *std::move(opened);
  admission_.emplace(admission::Limits{}, at_->clock, admission::HashKey{});
  EXPECT_TRUE(finds(project, {"zoo"}, "wombats"));
  ingest(project, root);
  EXPECT_FALSE(finds(project, {"zoo"}, "wombats"));
  EXPECT_TRUE(finds(project, {"vets"}, "wombats"));
}

TEST_P(GroupsTest, every_level_that_names_groups_is_a_door) {
  const auto project = make_project("docs");
  const auto root = write("docs", {{"inner/page-1.md", "Wombats", "Wombats dig burrows.", {"vets"}},
                                   {"inner/page-2.md", "Quokkas", "Quokkas smile.", {}},
                                   {"page-3.md", "Emus", "Emus run.", {}}});
  std::ofstream(root / "inner" / ".parley-groups") << "zoo\nkeepers\n";
  ingest(project, root, "staff");
  EXPECT_TRUE(finds(project, {"staff"}, "emus"));
  EXPECT_FALSE(finds(project, {"zoo", "vets"}, "emus"));
  EXPECT_FALSE(finds(project, {"staff"}, "quokkas"));
  EXPECT_TRUE(finds(project, {"staff", "keepers"}, "quokkas"));
  EXPECT_FALSE(finds(project, {"staff", "zoo"}, "wombats"));
  EXPECT_TRUE(finds(project, {"staff", "zoo", "vets"}, "wombats"));

  // A folder whose groups cannot be read is closed, not open.
  std::ofstream(root / "inner" / ".parley-groups", std::ios::trunc) << "zoo;";
  const auto report = ingest(project, root);
  EXPECT_EQ(report.skipped, 2U);
  EXPECT_EQ(report.removed, 2U);
  EXPECT_FALSE(finds(project, {"staff", "zoo", "vets"}, "wombats"));
  EXPECT_TRUE(finds(project, {"staff"}, "emus"));

  // Taken away, the folder is as open as what it is in; an ingestion that names no groups leaves the source's.
  fs::remove(root / "inner" / ".parley-groups");
  ingest(project, root);
  EXPECT_TRUE(finds(project, {"staff"}, "quokkas"));
  EXPECT_FALSE(finds(project, {}, "quokkas"));
  ingest(project, root, "");
  EXPECT_TRUE(finds(project, {}, "quokkas"));
  EXPECT_FALSE(finds(project, {}, "wombats"));
}

INSTANTIATE_TEST_SUITE_P(engines, GroupsTest, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& tried) {
                           return std::string(tried.param == db::Engine::sqlite ? "sqlite" : "postgres");
                         });

}  // namespace
}  // namespace parley::server
