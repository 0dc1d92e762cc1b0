#include <gtest/gtest.h>

#include "parley/identity/tenant_store.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace db::literals;

class TenantStoreContract : public StoresContract {
 protected:
  std::optional<ProjectRef> find(std::string slug) {
    return wait(tenants->find_slug(std::move(slug))).value_or(std::nullopt);
  }
  std::size_t projects_in(TenantId tenant) {
    const auto rows = store().tenant(tenant).read_blocking([](db::TenantReader& r) { return list_projects(r); });
    return rows ? rows->size() : 0;
  }
  std::int64_t rows_of(const db::Sql& count) {
    return store()
        .control()
        .read_blocking(
            [&](db::ControlReader& r) { return r.find(count, [](const db::Row& row) { return row.integer(0); }); })
        .value()
        .value_or(-1);
  }

  // A store whose operations end, as in a crash, once `steps` of them were taken.
  TenantStore crashing_after(int steps) {
    TenantHooks hooks;
    hooks.after_step = [left = std::make_shared<int>(steps)](Literal) -> Result<void> {
      if ((*left)-- <= 0) return fail(Code::cancelled, "crashed here");
      return {};
    };
    return {store(), keyring, workers, clock, crypto::system_random(), hooks};
  }
};

INSTANTIATE_TEST_SUITE_P(engines, TenantStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(TenantStoreContract, a_created_tenant_is_whole) {
  EXPECT_EQ(wait(tenants->load(acme))->name, "acme");
  EXPECT_EQ(wait(tenants->find_by_name("acme")).value()->id, acme);
  EXPECT_EQ(wait(tenants->list())->size(), 2U);
  EXPECT_TRUE(wait(tenants->load_key(acme)));
  EXPECT_NE(wait(tenants->load_key(acme))->id(), wait(tenants->load_key(zeta))->id());
  EXPECT_EQ(projects_in(acme), 0U);
}

TEST_P(TenantStoreContract, a_name_is_taken_once) {
  EXPECT_EQ(wait(tenants->create("acme")).error().code(), Code::conflict);
  EXPECT_EQ(wait(tenants->create("")).error().code(), Code::invalid_argument);
}

TEST_P(TenantStoreContract, a_project_is_found_by_its_slug_and_lives_in_its_tenant) {
  const auto id = make_project(acme, "docs");
  const auto place = find("docs");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->tenant, acme);
  EXPECT_EQ(place->project, id);
  EXPECT_EQ(projects_in(acme), 1U);
  EXPECT_EQ(projects_in(zeta), 0U);
  EXPECT_FALSE(find("other"));
  const auto project = store().tenant(acme).read_blocking([&](db::TenantReader& r) { return load_project(r, id); });
  EXPECT_EQ(project->slug, "docs");
}

TEST_P(TenantStoreContract, a_new_project_is_closed_to_everybody_and_can_be_opened) {
  const auto id = make_project(acme, "docs");
  const auto closed = find("docs");
  EXPECT_EQ(closed->access->visibility, Visibility::private_project);
  EXPECT_EQ(closed->access->server_reads, ProjectAccess::ServerReads::off);
  EXPECT_EQ(closed->access->biel_compat, ProjectAccess::BielCompat::off);
  EXPECT_TRUE(closed->access->origins.empty());

  const ProjectAccess open{.visibility = Visibility::public_project,
                           .server_reads = ProjectAccess::ServerReads::on,
                           .biel_compat = ProjectAccess::BielCompat::on,
                           .origins = {"https://Docs.example.org:443", "https://*.example.org"}};
  EXPECT_TRUE(wait(tenants->set_access(acme, id, open)));
  const auto opened = find("docs");
  EXPECT_EQ(opened->access->visibility, Visibility::public_project);
  EXPECT_EQ(opened->access->server_reads, ProjectAccess::ServerReads::on);
  EXPECT_EQ(opened->access->biel_compat, ProjectAccess::BielCompat::on);
  EXPECT_EQ(opened->access->origins, (std::vector<std::string>{"https://*.example.org", "https://docs.example.org"}));
  EXPECT_EQ(wait(tenants->is_origin_listed({"https://docs.example.org"})), true);
  EXPECT_EQ(wait(tenants->is_origin_listed({"https://elsewhere.example.net"})), false);

  EXPECT_EQ(wait(tenants->set_access(zeta, id, {})).error().code(), Code::not_found);
  EXPECT_EQ(wait(tenants->set_access(acme, id, {.origins = {"null"}})).error().code(), Code::invalid_argument);
  EXPECT_EQ(find("docs")->access->origins.size(), 2U);
  EXPECT_TRUE(wait(tenants->remove_project(acme, id)));
  EXPECT_EQ(wait(tenants->is_origin_listed({"https://docs.example.org"})), false);
}

TEST_P(TenantStoreContract, a_project_without_a_slug_gets_a_random_one) {
  const auto made = wait(tenants->create_project(acme, {.name = "Docs"}));
  EXPECT_EQ(made->slug.size(), crypto::slug_length);
  EXPECT_TRUE(find(made->slug));
}

TEST_P(TenantStoreContract, a_slug_belongs_to_one_project_of_one_tenant) {
  make_project(acme, "docs");
  EXPECT_EQ(wait(tenants->create_project(zeta, {.name = "D", .slug = "docs"})).error().code(), Code::conflict);
  for (const auto* bad : {"a", "Docs", "-docs", "docs-", "do cs", "chat", "d\xc3\xb6", "a/b"})
    EXPECT_EQ(wait(tenants->create_project(zeta, {.name = "D", .slug = bad})).error().code(), Code::invalid_argument)
        << bad;
  EXPECT_EQ(wait(tenants->create_project(zeta, {.name = "D", .settings = "[]"})).error().code(),
            Code::invalid_argument);
  EXPECT_EQ(wait(tenants->create_project(crypto::random_id<TenantId>(), {.name = "D"})).error().code(),
            Code::not_found);
}

TEST_P(TenantStoreContract, a_project_can_be_changed_but_not_its_slug) {
  const auto id = make_project(acme, "docs");
  clock.advance(std::chrono::seconds(1));
  const auto changed = store().tenant(acme).write_blocking([&](db::TenantWriter& w) -> Result<Project> {
    auto project = PARLEY_TRY(load_project(w, id));
    project.name = "Manual";
    project.slug = "another";
    project.settings = R"({"greeting":"hello"})";
    return update_project(w, project, clock.now());
  });
  ASSERT_TRUE(changed) << describe_for_operator(changed.error());
  EXPECT_EQ(changed->name, "Manual");
  EXPECT_EQ(changed->slug, "docs");
  EXPECT_EQ(changed->updated_at, clock.now());
}

TEST_P(TenantStoreContract, a_removed_project_leaves_nothing_and_frees_its_slug) {
  const auto id = make_project(acme, "docs");
  make_project(acme, "other");
  EXPECT_EQ(wait(tenants->remove_project(zeta, id)).error().code(), Code::not_found);
  ASSERT_TRUE(wait(tenants->remove_project(acme, id)));
  EXPECT_FALSE(find("docs"));
  EXPECT_EQ(projects_in(acme), 1U);
  EXPECT_EQ(wait(tenants->remove_project(acme, id)).error().code(), Code::not_found);
  make_project(zeta, "docs");
}

TEST_P(TenantStoreContract, a_removed_tenant_leaves_nothing) {
  make_project(acme, "docs");
  const auto theirs = make_project(zeta, "theirs");
  ASSERT_TRUE(wait(tenants->remove(acme)));
  EXPECT_EQ(wait(tenants->load(acme)).error().code(), Code::not_found);
  EXPECT_EQ(wait(tenants->load_key(acme)).error().code(), Code::not_found);
  EXPECT_FALSE(find("docs"));
  EXPECT_EQ(store().tenants()->size(), 1U);
  EXPECT_EQ(rows_of("SELECT count(*) FROM intents"_sql), 0);
  EXPECT_EQ(find("theirs")->project, theirs);
  EXPECT_EQ(wait(tenants->remove(acme)).error().code(), Code::not_found);
  make_tenant("acme");
}

TEST_P(TenantStoreContract, a_crash_while_creating_a_tenant_leaves_a_whole_one_after_the_replay) {
  for (int steps = 0; steps < 2; ++steps) {
    const std::string name = "new " + std::to_string(steps);
    ASSERT_EQ(wait(crashing_after(steps).create(name)).error().code(), Code::cancelled);
    EXPECT_FALSE(wait(tenants->find_by_name(name)).value()) << "half a tenant must not be found";
    const auto finished = wait(tenants->finish_intents());
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->finished, 1);
    EXPECT_TRUE(finished->failed.empty());
    const auto tenant = wait(tenants->find_by_name(name)).value();
    ASSERT_TRUE(tenant);
    EXPECT_TRUE(wait(tenants->load_key(tenant->id)));
    make_project(tenant->id, "docs-" + std::to_string(steps));
    EXPECT_EQ(wait(tenants->finish_intents())->finished, 0);
  }
  ASSERT_TRUE(wait(crashing_after(2).create("whole"))) << "there are two places between steps";
}

TEST_P(TenantStoreContract, a_crash_while_removing_a_tenant_leaves_none_after_the_replay) {
  for (int steps = 0; steps < 2; ++steps) {
    const std::string name = "old " + std::to_string(steps);
    const auto tenant = make_tenant(name);
    make_project(tenant, "docs");
    ASSERT_EQ(wait(crashing_after(steps).remove(tenant)).error().code(), Code::cancelled);
    EXPECT_FALSE(find("docs")) << "half a tenant must not be found";
    EXPECT_FALSE(wait(tenants->load(tenant)));
    EXPECT_EQ(wait(tenants->finish_intents())->finished, 1);
    EXPECT_EQ(store().tenants()->size(), 2U);
    EXPECT_EQ(wait(tenants->list())->size(), 2U);
  }
}

TEST_P(TenantStoreContract, a_crash_while_creating_a_project_leaves_a_whole_one_after_the_replay) {
  for (int steps = 0; steps < 2; ++steps) {
    const std::string slug = "docs-" + std::to_string(steps);
    ASSERT_FALSE(wait(crashing_after(steps).create_project(acme, {.name = "Docs", .slug = slug})));
    EXPECT_FALSE(find(slug));
    EXPECT_EQ(wait(tenants->create_project(zeta, {.name = "D", .slug = slug})).error().code(), Code::conflict);
    EXPECT_EQ(wait(tenants->finish_intents())->finished, 1);
    ASSERT_TRUE(find(slug));
    EXPECT_EQ(projects_in(acme), static_cast<std::size_t>(steps) + 1);
  }
}

TEST_P(TenantStoreContract, a_crash_while_removing_a_project_leaves_none_after_the_replay) {
  for (int steps = 0; steps < 3; ++steps) {
    const auto project = make_project(acme, "docs");
    ASSERT_FALSE(wait(crashing_after(steps).remove_project(acme, project)));
    EXPECT_FALSE(find("docs"));
    EXPECT_EQ(wait(tenants->finish_intents())->finished, 1);
    EXPECT_EQ(projects_in(acme), 0U);
  }
}

TEST_P(TenantStoreContract, what_was_begun_in_a_tenant_ends_with_its_removal) {
  ASSERT_FALSE(wait(crashing_after(0).create_project(acme, {.name = "Docs", .slug = "docs"})));
  ASSERT_TRUE(wait(tenants->remove(acme)));
  const auto finished = wait(tenants->finish_intents());
  EXPECT_EQ(finished->finished, 0);
  EXPECT_TRUE(finished->failed.empty());
  make_project(zeta, "docs");
}

TEST_P(TenantStoreContract, an_unknown_intent_stays_and_holds_up_no_other) {
  ASSERT_TRUE(store().control().write_blocking([](db::ControlWriter& w) {
    return w.run("INSERT INTO intents (id, kind, tenant_id, payload, created_at) VALUES ('x', 'y', 'z', '', 0)"_sql);
  }));
  ASSERT_FALSE(wait(crashing_after(0).create("new")));
  const auto finished = wait(tenants->finish_intents());
  EXPECT_EQ(finished->finished, 1);
  EXPECT_EQ(finished->failed.size(), 1U);
}

TEST_P(TenantStoreContract, hooks_run_inside_the_tenants_transaction_and_again_never) {
  std::vector<ProjectChange> seen;
  TenantHooks hooks;
  hooks.within = [&](db::TenantWriter&, ProjectChange change, ProjectId) -> Result<void> {
    seen.push_back(change);
    return {};
  };
  TenantStore hooked(store(), keyring, workers, clock, crypto::system_random(), hooks);
  const auto project = wait(hooked.create_project(acme, {.name = "Docs", .slug = "docs"}));
  ASSERT_TRUE(project);
  ASSERT_TRUE(wait(hooked.remove_project(acme, project->id)));
  EXPECT_EQ(seen, (std::vector{ProjectChange::created, ProjectChange::removed}));

  hooks.within = [](db::TenantWriter&, ProjectChange, ProjectId) -> Result<void> {
    return fail(Code::storage_full, "no room for the record");
  };
  TenantStore failing(store(), keyring, workers, clock, crypto::system_random(), hooks);
  ASSERT_FALSE(wait(failing.create_project(acme, {.name = "Docs", .slug = "docs"})));
  EXPECT_EQ(projects_in(acme), 0U) << "no change without its record";
}

}  // namespace
}  // namespace parley::identity
