#include "parley/identity/project_directory.h"

#include <gtest/gtest.h>

#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

class ProjectDirectoryContract : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    directory = std::make_unique<ProjectDirectory>(*tenants, clock);
    TenantHooks hooks;
    hooks.forget = [this](TenantId tenant) { directory->forget(tenant); };
    told = std::make_unique<TenantStore>(store(), keyring, workers, clock, crypto::system_random(), std::move(hooks));
    docs = make_project(acme, "docs");
    wiki = make_project(acme, "wiki");
  }
  bool finds(std::string slug, Reach reach) {
    const auto found = wait(directory->find(slug, reach));
    EXPECT_TRUE(found) << describe_for_operator(found.error());
    return found && *found && (*found)->slug == slug;
  }
  /// Changes the table behind everybody's back, as another node does.
  void elsewhere_open(ProjectId project) {
    EXPECT_TRUE(wait(tenants->set_access(acme, project, {.visibility = Visibility::public_project})));
  }

  ProjectId docs, wiki;
  std::unique_ptr<ProjectDirectory> directory;
  std::unique_ptr<TenantStore> told;  ///< tells the directory of changes
};

INSTANTIATE_TEST_SUITE_P(engines, ProjectDirectoryContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(ProjectDirectoryContract, a_slug_leads_to_what_is_within_reach_and_to_nothing_else) {
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(finds("docs", {.tenant = acme}));
    EXPECT_TRUE(finds("docs", {.tenant = acme, .project = docs}));
    EXPECT_FALSE(finds("docs", {.tenant = acme, .project = wiki}));
    EXPECT_FALSE(finds("docs", {.tenant = zeta}));
    EXPECT_FALSE(finds("docs", {.tenant = zeta, .project = docs}));
    EXPECT_FALSE(finds("docs", {}));
    EXPECT_FALSE(finds("nowhere", {.tenant = acme}));
    EXPECT_FALSE(finds("no slug", {.tenant = acme}));
  }
  EXPECT_EQ(wait(directory->load(zeta, "docs")).error().code(), Code::not_found);
  EXPECT_EQ(wait(directory->load(acme, "docs"))->project, docs);

  EXPECT_TRUE(wait(told->set_access(acme, docs, {.visibility = Visibility::public_project})));
  EXPECT_TRUE(finds("docs", {}));
  EXPECT_FALSE(finds("docs", {.tenant = zeta})) << "an organisation's credential is for its own projects";
}

// What one asker has made the directory remember must not answer another.
TEST_P(ProjectDirectoryContract, what_is_remembered_for_one_is_not_remembered_for_another) {
  EXPECT_TRUE(finds("docs", {.tenant = acme}));
  const Reach others[] = {{}, {.tenant = acme, .project = docs}};
  EXPECT_FALSE(finds("docs", others[0]));
  elsewhere_open(docs);
  EXPECT_FALSE(finds("docs", others[0])) << "remembered as absent for a second";
  EXPECT_EQ(wait(directory->find("docs", {.tenant = acme})).value()->access->visibility, Visibility::private_project);
  EXPECT_EQ(wait(directory->find("docs", others[1])).value()->access->visibility, Visibility::public_project)
      << "read from the table, not from what another was told";
  clock.advance(1s);
  EXPECT_TRUE(finds("docs", others[0]));
}

TEST_P(ProjectDirectoryContract, what_is_made_changed_or_removed_here_counts_at_once) {
  EXPECT_FALSE(finds("late", {.tenant = acme}));
  EXPECT_FALSE(finds("late", {}));
  const auto made = wait(told->create_project(
      acme, {.name = "Late", .slug = "late", .access = {.visibility = Visibility::public_project}}));
  ASSERT_TRUE(made);
  EXPECT_TRUE(finds("late", {.tenant = acme}));
  EXPECT_TRUE(finds("late", {}));
  EXPECT_TRUE(wait(told->set_access(acme, made->id, {})));
  EXPECT_FALSE(finds("late", {}));
  EXPECT_TRUE(finds("late", {.tenant = acme}));
  EXPECT_TRUE(wait(told->remove_project(acme, made->id)));
  EXPECT_FALSE(finds("late", {.tenant = acme}));
}

// While a slug is being read, the project changes: what was read is from before.
TEST_P(ProjectDirectoryContract, what_was_read_before_a_change_is_not_kept_after_it) {
  const auto open = [&](Visibility visibility) {
    EXPECT_TRUE(wait(tenants->set_access(acme, docs, {.visibility = visibility})));
  };
  open(Visibility::public_project);
  // The coroutine is started only by `wait`, so the change is put between its reading and its remembering from another
  // thread; whichever order they come in, the next answer is the new one.
  for (int round = 0; round < 50; ++round) {
    open(Visibility::public_project);
    directory->forget(acme);
    auto reader = std::async(std::launch::async, [&] { return finds("docs", {}); });
    EXPECT_TRUE(wait(told->set_access(acme, docs, {})));
    reader.wait();
    EXPECT_FALSE(finds("docs", {})) << "round " << round;
  }
}

TEST_P(ProjectDirectoryContract, a_listed_site_is_known_at_once_and_forgotten_at_once) {
  const std::string site = "https://docs.example.org";
  const auto listed = [&] { return wait(directory->is_listed_anywhere(site)).value(); };
  EXPECT_FALSE(listed());
  EXPECT_TRUE(wait(told->set_access(acme, docs, {.origins = {site}})));
  EXPECT_TRUE(listed());
  EXPECT_TRUE(wait(told->set_access(acme, docs, {})));
  EXPECT_FALSE(listed());
}

TEST_P(ProjectDirectoryContract, a_clock_set_back_keeps_nothing_remembered) {
  elsewhere_open(docs);
  EXPECT_TRUE(finds("docs", {}));
  EXPECT_TRUE(wait(tenants->set_access(acme, docs, {})));
  clock.advance(-10min);
  EXPECT_FALSE(finds("docs", {}));
}

}  // namespace
}  // namespace parley::identity
