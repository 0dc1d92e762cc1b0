#include <gtest/gtest.h>

#include "parley/identity/settings.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;

class SettingsContract : public StoresContract {
 protected:
  template <class Work>
  auto write(Work work) {
    return store().control().write_blocking(std::move(work));
  }
};

INSTANTIATE_TEST_SUITE_P(engines, SettingsContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(SettingsContract, a_setting_is_what_was_put_last) {
  ASSERT_TRUE(write([](db::ControlWriter& w) -> Result<void> {
    EXPECT_FALSE(PARLEY_TRY(find_setting(w, "colour")));
    PARLEY_TRY(put_setting(w, "colour", "red"));
    PARLEY_TRY(put_setting(w, "colour", "blue"));
    EXPECT_EQ(PARLEY_TRY(find_setting(w, "colour")), "blue");
    return {};
  }));
}

TEST_P(SettingsContract, the_node_keeps_its_id) {
  const auto first = write([](db::ControlWriter& w) { return load_or_create_node_id(w); });
  ASSERT_TRUE(first);
  EXPECT_EQ(write([](db::ControlWriter& w) { return load_or_create_node_id(w); }).value(), *first);
}

TEST_P(SettingsContract, due_keeps_the_earlier_time_and_goes_only_for_the_time_that_was_done) {
  const auto now = clock.now();
  ASSERT_TRUE(write([&](db::ControlWriter& w) -> Result<void> {
    PARLEY_TRY(put_due(w, acme, "sweep", now + 2h));
    PARLEY_TRY(put_due(w, acme, "sweep", now + 1h));
    PARLEY_TRY(put_due(w, acme, "sweep", now + 3h));
    PARLEY_TRY(put_due(w, zeta, "sweep", now + 9h));
    EXPECT_TRUE(PARLEY_TRY(list_due(w, now, 10)).empty());
    const auto due = PARLEY_TRY(list_due(w, now + 1h, 10));
    EXPECT_EQ(due.size(), 1U);
    EXPECT_EQ(due.at(0).tenant, acme);
    EXPECT_EQ(due.at(0).at, now + 1h);
    PARLEY_TRY(remove_due(w, acme, due.at(0).kind, due.at(0).at - 1s));
    EXPECT_EQ(PARLEY_TRY(list_due(w, now + 1h, 10)).size(), 1U);
    PARLEY_TRY(remove_due(w, acme, due.at(0).kind, due.at(0).at));
    EXPECT_EQ(PARLEY_TRY(list_due(w, now + 10h, 10)).size(), 1U);
    return {};
  }));
}

}  // namespace
}  // namespace parley::identity
