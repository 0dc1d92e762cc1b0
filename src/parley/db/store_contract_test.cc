// What every store promises, tried on each engine with two tenants. PostgreSQL is the one that PARLEY_TEST_POSTGRES
// (a libpq connection string of an ordinary role) names; scripts/lib/postgres starts one.
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "parley/db/store.h"
#include "testing/test_store.h"

namespace parley::db {
namespace {

std::int64_t count_notes(const TenantSession& session) {
  const auto count = session.read_blocking([](TenantReader& r) {
    return r.find("SELECT COUNT(*) FROM notes"_sql, [](const Row& row) { return row.integer(0); });
  });
  EXPECT_TRUE(count) << describe_for_operator(count.error());
  return count ? count->value_or(-1) : -1;
}

Result<void> add_note(TenantWriter& w, std::string_view id, std::string_view project, std::string_view words) {
  PARLEY_TRY(w.run("INSERT INTO notes (id, project_id, words) VALUES ($1, $2, $3)"_sql, id, project, words));
  return {};
}
Result<void> add_project(TenantWriter& w, std::string_view id, std::string_view slug) {
  PARLEY_TRY(w.run("INSERT INTO projects (id, slug) VALUES ($1, $2)"_sql, id, slug));
  return {};
}
auto adding_note(std::string id, std::string project, std::string words) {
  return [=](TenantWriter& w) { return add_note(w, id, project, words); };
}
auto adding_project(std::string id, std::string slug) {
  return [=](TenantWriter& w) { return add_project(w, id, slug); };
}

class StoreContract : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    if (!TestStore::available(GetParam())) GTEST_SKIP() << TestStore::why_not;
    auto opened = TestStore::open(GetParam());
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme_id_, zeta_id_}) {
      const auto created = store().create_tenant(id);
      ASSERT_TRUE(created) << describe_for_operator(created.error());
    }
  }
  Store& store() { return test_store_->store(); }
  TenantSession acme() { return store().tenant(acme_id_); }
  bool listed(TenantId id) {
    const auto ids = store().tenants().value();
    return std::ranges::find(ids, id) != ids.end();
  }
  TenantSession zeta() { return store().tenant(zeta_id_); }

  asio::io_context io_;  // outlives the store, whose workers post to it
  std::unique_ptr<TestStore> test_store_;
  const TenantId acme_id_ = random_tenant_id();
  const TenantId zeta_id_ = random_tenant_id();
};

INSTANTIATE_TEST_SUITE_P(engines, StoreContract, testing::Values(Engine::sqlite, Engine::postgres),
                         [](const auto& p) { return p.param == Engine::sqlite ? "sqlite" : "postgres"; });

TEST_P(StoreContract, a_write_is_read_after_it_returns) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  ASSERT_TRUE(acme().write_blocking(adding_note("n", "p", "hello")));
  EXPECT_EQ(count_notes(acme()), 1);
}

TEST_P(StoreContract, a_transaction_sees_what_it_wrote) {
  const auto seen = acme().write_blocking([](TenantWriter& w) -> Result<std::string> {
    PARLEY_TRY(add_project(w, "p", "docs"));
    auto slug = PARLEY_TRY(w.find(
        "SELECT slug FROM projects WHERE id = $1"_sql, [](const Row& row) { return std::string(row.text(0)); }, "p"));
    return slug.value_or("none");
  });
  ASSERT_TRUE(seen) << describe_for_operator(seen.error());
  EXPECT_EQ(*seen, "docs");
}

TEST_P(StoreContract, values_come_back_as_they_went_in) {
  const std::string bytes("\0\x01\xff'\\x", 6);
  const auto at = Timestamp{1'700'000'000'123'456};
  ASSERT_TRUE(acme().write_blocking([&](TenantWriter& w) {
    return w.run(
        "INSERT INTO kinds (id, number, fraction, words, bytes, at, empty_words, absent)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"_sql,
        "k", std::numeric_limits<std::int64_t>::min(), 0.1, "snø 'quoted' $1", Blob{bytes}, at, std::string_view(),
        std::optional<std::string>());
  }));
  const auto read = acme().read_blocking([&](TenantReader& r) {
    return r.find(
        "SELECT number, fraction, words, bytes, at, empty_words, absent, number < 0, SUM(7), COUNT(*)"
        " FROM kinds GROUP BY 1, 2, 3, 4, 5, 6, 7"_sql,
        [&](const Row& row) {
          EXPECT_EQ(row.integer(0), std::numeric_limits<std::int64_t>::min());
          EXPECT_EQ(row.real(1), 0.1);
          EXPECT_EQ(row.text(2), "snø 'quoted' $1");
          EXPECT_EQ(row.blob(3), bytes);
          EXPECT_EQ(row.time(4), at);
          EXPECT_FALSE(row.is_null(5));
          EXPECT_EQ(row.text(5), "");
          EXPECT_TRUE(row.is_null(6));
          EXPECT_EQ(row.text(6), "");
          EXPECT_TRUE(row.boolean(7));
          EXPECT_EQ(row.integer(8), 7);
          EXPECT_EQ(row.integer(9), 1);
          // Of another type than asked for: empty, on both engines.
          EXPECT_EQ(row.text(0), "");
          EXPECT_EQ(row.integer(2), 0);
          EXPECT_EQ(row.blob(2), "");
          EXPECT_EQ(row.text(3), "");
          return true;
        });
  });
  ASSERT_TRUE(read) << describe_for_operator(read.error());
  EXPECT_TRUE(*read);
}

TEST_P(StoreContract, parameters_go_by_number_whatever_stands_first) {
  const auto text = acme().read_blocking([](TenantReader& r) {
    return r.find(
        "SELECT CAST($2 AS TEXT) || CAST($1 AS TEXT) || CAST($2 AS TEXT)"_sql,
        [](const Row& row) { return std::string(row.text(0)); }, "a", "b");
  });
  ASSERT_TRUE(text) << describe_for_operator(text.error());
  EXPECT_EQ(*text, "bab");
  const auto too_many = acme().read_blocking(
      [](TenantReader& r) { return r.find("SELECT CAST($1 AS TEXT)"_sql, [](const Row&) { return 0; }, "a", "b"); });
  EXPECT_EQ(too_many.error().code(), Code::internal);
}

TEST_P(StoreContract, conflict_targets_and_returning_run_on_both) {
  const auto write = [](std::string_view slug) {
    return [slug](TenantWriter& w) {
      return w.find(
          "INSERT INTO projects (id, slug) VALUES ($1, $2)"
          " ON CONFLICT ({tenant}id) DO UPDATE SET slug = excluded.slug RETURNING slug"_sql,
          [](const Row& row) { return std::string(row.text(0)); }, "p", slug);
    };
  };
  EXPECT_EQ(acme().write_blocking(write("one")).value().value(), "one");
  EXPECT_EQ(acme().write_blocking(write("two")).value().value(), "two");
  const auto changed = acme().write_blocking([](TenantWriter& w) {
    return w.run("INSERT INTO projects (id, slug) VALUES ($1, $2) ON CONFLICT DO NOTHING"_sql, "p", "three");
  });
  EXPECT_EQ(changed.value(), 0);
  EXPECT_EQ(
      acme().write_blocking([](TenantWriter& w) { return w.run("UPDATE projects SET slug = 'four'"_sql); }).value(), 1);
}

TEST_P(StoreContract, an_error_of_the_function_undoes_it) {
  const auto outcome = acme().write_blocking([](TenantWriter& w) -> Result<int> {
    PARLEY_TRY(add_project(w, "p", "docs"));
    return fail(Code::permission_denied, "thought better of it");
  });
  EXPECT_EQ(outcome.error().code(), Code::permission_denied);
  EXPECT_EQ(outcome.error().reason().view(), "thought better of it");
  EXPECT_TRUE(acme().write_blocking(adding_project("p", "docs")));
}

TEST_P(StoreContract, an_exception_of_the_function_undoes_it) {
  const auto outcome = acme().write_blocking([](TenantWriter& w) -> Result<int> {
    PARLEY_TRY(add_project(w, "p", "docs"));
    throw std::runtime_error("thrown");
  });
  EXPECT_EQ(outcome.error().code(), Code::internal);
  EXPECT_TRUE(acme().write_blocking(adding_project("p", "docs")));
}

TEST_P(StoreContract, a_failed_statement_cannot_be_hidden) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  const auto outcome = acme().write_blocking([](TenantWriter& w) -> Result<void> {
    PARLEY_TRY(add_project(w, "q", "other"));
    std::ignore = add_project(w, "p", "docs again");
    EXPECT_EQ(add_project(w, "r", "third").error().code(), Code::conflict);
    return {};
  });
  EXPECT_EQ(outcome.error().code(), Code::conflict);
  const auto left = acme().read_blocking([](TenantReader& r) {
    return r.all("SELECT id FROM projects"_sql, [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_EQ(left.value(), std::vector<std::string>{"p"});
}

TEST_P(StoreContract, violated_keys_are_conflicts) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  EXPECT_EQ(acme().write_blocking(adding_project("p", "other")).error().code(), Code::conflict);
  EXPECT_EQ(acme().write_blocking(adding_project("q", "docs")).error().code(), Code::conflict);
  EXPECT_EQ(acme().write_blocking(adding_note("n", "absent", "")).error().code(), Code::conflict);
  ASSERT_TRUE(acme().write_blocking(adding_note("n", "p", "")));
  EXPECT_EQ(acme()
                .write_blocking([](TenantWriter& w) { return w.run("DELETE FROM projects WHERE id = $1"_sql, "p"); })
                .error()
                .code(),
            Code::conflict);
}

TEST_P(StoreContract, text_with_a_nul_is_refused) {
  const std::string words("a\0b", 3);
  const auto outcome = acme().write_blocking(
      [&](TenantWriter& w) { return w.run("INSERT INTO projects (id, slug) VALUES ($1, $2)"_sql, "p", words); });
  EXPECT_EQ(outcome.error().code(), Code::invalid_argument);
}

TEST_P(StoreContract, a_reader_cannot_write) {
  const auto outcome = acme().read_blocking([](TenantReader& r) {
    return r.each("INSERT INTO projects (id, slug) VALUES ('p', 'docs')"_sql, [](const Row&) {});
  });
  EXPECT_EQ(outcome.error().code(), Code::internal);
  EXPECT_TRUE(acme().write_blocking(adding_project("p", "docs")));
}

TEST_P(StoreContract, rows_are_handed_out_until_told_to_stop_and_take_no_statements_meanwhile) {
  for (int i = 0; i < 5; ++i) {
    const auto name = std::to_string(i);
    ASSERT_TRUE(acme().write_blocking(adding_project(name, name)));
  }
  int seen = 0;
  const auto stopped = acme().read_blocking([&](TenantReader& r) -> Result<std::string> {
    PARLEY_TRY(r.each("SELECT id FROM projects ORDER BY id"_sql, [&](const Row&) { return ++seen < 3; }));
    // The connection is free again after an early stop.
    return PARLEY_TRY(
               r.find("SELECT MAX(id) FROM projects"_sql, [](const Row& row) { return std::string(row.text(0)); }))
        .value_or("");
  });
  ASSERT_TRUE(stopped) << describe_for_operator(stopped.error());
  EXPECT_EQ(*stopped, "4");
  EXPECT_EQ(seen, 3);
  const auto nested = acme().read_blocking([](TenantReader& r) -> Result<void> {
    return r.each("SELECT id FROM projects"_sql,
                  [&](const Row&) { return r.each("SELECT 1"_sql, [](const Row&) {}).has_value(); });
  });
  EXPECT_EQ(nested.error().code(), Code::internal);
}

TEST_P(StoreContract, one_tenant_never_sees_anothers_rows) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  ASSERT_TRUE(acme().write_blocking(adding_note("n", "p", "acme's")));
  EXPECT_EQ(count_notes(zeta()), 0);
  // The same keys are free for the other tenant: a violation would tell that they exist.
  EXPECT_TRUE(zeta().write_blocking(adding_project("p", "docs")));
  EXPECT_TRUE(zeta().write_blocking(adding_note("n", "p", "zeta's")));
  for (const auto& change : {"UPDATE notes SET words = 'changed'"_sql, "DELETE FROM notes"_sql}) {
    EXPECT_EQ(zeta().write_blocking([&](TenantWriter& w) { return w.run(change); }).value(), 1);
  }
  const auto words = acme().read_blocking([](TenantReader& r) {
    return r.find("SELECT words FROM notes"_sql, [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_EQ(words.value(), "acme's");
}

TEST_P(StoreContract, a_row_cannot_refer_to_another_tenants) {
  ASSERT_TRUE(acme().write_blocking(adding_project("only-acme", "docs")));
  EXPECT_EQ(zeta().write_blocking(adding_note("n", "only-acme", "")).error().code(), Code::conflict);
  // And what nobody of its own tenant refers to can be deleted, whoever uses the same key elsewhere.
  ASSERT_TRUE(acme().write_blocking(adding_note("n", "only-acme", "")));
  ASSERT_TRUE(zeta().write_blocking(adding_project("only-acme", "docs")));
  EXPECT_EQ(zeta().write_blocking([](TenantWriter& w) { return w.run("DELETE FROM projects"_sql); }).value(), 1);
}

TEST_P(StoreContract, control_is_apart_from_every_tenant) {
  const auto slug = random_tenant_id().to_string();
  ASSERT_TRUE(store().control().write_blocking(
      [&](ControlWriter& w) { return w.run("INSERT INTO slugs (slug, tenant) VALUES ($1, $2)"_sql, slug, acme_id_); }));
  const auto found = store().control().read_blocking([&](ControlReader& r) {
    return r.find(
        "SELECT tenant FROM slugs WHERE slug = $1"_sql, [](const Row& row) { return row.id<TenantId>(0); }, slug);
  });
  EXPECT_EQ(found.value(), acme_id_);
  EXPECT_EQ(acme()
                .read_blocking([](TenantReader& r) { return r.each("SELECT 1 FROM slugs"_sql, [](const Row&) {}); })
                .error()
                .code(),
            Code::internal);
}

TEST_P(StoreContract, writes_that_fail_leave_their_neighbours_whole) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  constexpr int writers = 8;
  constexpr int each = 30;
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < writers; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          const auto id = std::to_string(t) + "-" + std::to_string(i);
          const bool spoil = i % 3 == 0;
          const auto outcome = acme().write_blocking([&](TenantWriter& w) -> Result<void> {
            PARLEY_TRY(add_note(w, id, "p", "whole"));
            if (spoil) return add_note(w, id, "p", "twice");
            return {};
          });
          EXPECT_EQ(outcome.has_value(), !spoil);
          if (!outcome) {
            EXPECT_EQ(outcome.error().code(), Code::conflict);
            ++failed;
          }
        }
      });
    }
  }
  EXPECT_EQ(failed, writers * 10);
  EXPECT_EQ(count_notes(acme()), writers * 20);
}

TEST_P(StoreContract, counting_up_from_many_sides_loses_nothing) {
  ASSERT_TRUE(store().control().write_blocking([](ControlWriter& w) {
    return w.run("INSERT INTO counters (id, value) VALUES ('c', 0) ON CONFLICT (id) DO UPDATE SET value = 0"_sql);
  }));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          const auto outcome = store().control().write_blocking([](ControlWriter& w) -> Result<void> {
            const auto value = PARLEY_TRY(
                w.find("SELECT value FROM counters WHERE id = 'c'"_sql, [](const Row& row) { return row.integer(0); }));
            PARLEY_TRY(w.run("UPDATE counters SET value = $1 WHERE id = 'c'"_sql, value.value_or(0) + 1));
            return {};
          });
          EXPECT_TRUE(outcome) << describe_for_operator(outcome.error());
        }
      });
    }
  }
  const auto value = store().control().read_blocking([](ControlReader& r) {
    return r.find("SELECT value FROM counters WHERE id = 'c'"_sql, [](const Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(value.value(), 160);
}

asio::awaitable<void> write_then_read(TenantSession session, int& seen) {
  const auto written = co_await session.write(adding_project("p", "docs"));
  EXPECT_TRUE(written) << describe_for_operator(written.error());
  const auto read = co_await session.read([](TenantReader& r) {
    return r.all("SELECT id FROM projects"_sql, [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_TRUE(read);
  if (read) seen = static_cast<int>(read->size());
}

TEST_P(StoreContract, coroutines_wait_without_holding_their_thread) {
  int seen = 0;
  asio::co_spawn(io_, write_then_read(acme(), seen), [](std::exception_ptr error) { EXPECT_FALSE(error); });
  io_.run();
  EXPECT_EQ(seen, 1);
}

TEST_P(StoreContract, creating_and_removing_are_idempotent) {
  const auto id = random_tenant_id();
  EXPECT_EQ(store().tenant(id).write_blocking(adding_project("p", "docs")).error().code(), Code::not_found);
  EXPECT_TRUE(store().create_tenant(id));
  ASSERT_TRUE(store().tenant(id).write_blocking(adding_project("p", "docs")));
  ASSERT_TRUE(store().tenant(id).write_blocking(adding_note("n", "p", "")));
  EXPECT_TRUE(store().create_tenant(id));
  EXPECT_EQ(count_notes(store().tenant(id)), 1);
  EXPECT_TRUE(listed(id));
  EXPECT_TRUE(store().remove_tenant(id));
  EXPECT_TRUE(store().remove_tenant(id));
  EXPECT_FALSE(listed(id));
  EXPECT_EQ(store().tenant(id).write_blocking(adding_project("p", "docs")).error().code(), Code::not_found);
  const auto read = store().tenant(id).read_blocking(
      [](TenantReader& r) { return r.each("SELECT 1 FROM notes"_sql, [](const Row&) {}); });
  EXPECT_EQ(read.error().code(), Code::not_found);
  EXPECT_TRUE(store().create_tenant(id));
  EXPECT_EQ(count_notes(store().tenant(id)), 0);
  EXPECT_TRUE(store().remove_tenant(id));
  // A tenant without an id is nobody: above all not the control database.
  EXPECT_EQ(store().create_tenant(TenantId()).error().code(), Code::invalid_argument);
  EXPECT_FALSE(store().tenant(TenantId()).read_blocking([](TenantReader& r) {
    return r.each("SELECT 1"_sql, [](const Row&) {});
  }));
}

TEST_P(StoreContract, a_session_outlives_its_store) {
  const auto session = acme();
  ASSERT_TRUE(session.write_blocking(adding_project("p", "docs")));
  test_store_->close();
  EXPECT_EQ(session.write_blocking(adding_project("q", "other")).error().code(), Code::unavailable);
}

TEST_P(StoreContract, what_was_written_is_there_after_reopening) {
  ASSERT_TRUE(acme().write_blocking(adding_project("p", "docs")));
  ASSERT_TRUE(test_store_->reopen(test_migrations()));
  EXPECT_EQ(acme().write_blocking(adding_project("p", "docs")).error().code(), Code::conflict);
}

TEST_P(StoreContract, later_migrations_reach_every_tenant) {
  auto later = test_migrations();
  later.program_version = "0.2.0";
  later.tenant.push_back(migration_of("0009_later.sql", R"(-- oldest: 0.2.0
-- @all
CREATE TABLE later ({tenant_column} id TEXT NOT NULL, PRIMARY KEY ({tenant}id));
)"));
  const auto applied = [&] {
    const auto rows = store().migration_status();
    EXPECT_TRUE(rows) << describe_for_operator(rows.error());
    for (const auto& row : *rows) {
      if (row.name == "0009_later") return row.applied;
    }
    return false;
  };
  ASSERT_TRUE(test_store_->reopen(later, Migrate::on_request));
  EXPECT_FALSE(applied());
  EXPECT_EQ(acme().write_blocking(adding_project("p", "docs")).error().code(), Code::unavailable);
  ASSERT_TRUE(store().migrate_all());
  EXPECT_TRUE(applied());
  EXPECT_TRUE(acme().write_blocking([](TenantWriter& w) { return w.run("INSERT INTO later (id) VALUES ('1')"_sql); }));
  EXPECT_EQ(zeta().write_blocking([](TenantWriter& w) { return w.run("DELETE FROM later"_sql); }).value(), 0);
  // A program that the step was not made for must not touch the data.
  const auto reopened = test_store_->reopen(test_migrations());
  const auto outcome = reopened ? acme().write_blocking(adding_project("q", "q")) : reopened;
  EXPECT_EQ(outcome.error().code(), Code::unsupported);
}

}  // namespace
}  // namespace parley::db
