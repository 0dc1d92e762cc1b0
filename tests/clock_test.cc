// What holds of keys, tokens and caches when the machine's clock is set back or forward, and what does not: an end that
// is only a time is a time by that clock.

#include <gtest/gtest.h>

#include "parley/crypto/keyring.h"
#include "parley/identity/key_store.h"
#include "parley/identity/project_directory.h"
#include "parley/identity/visitor_token.h"
#include "testing/test_server.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::scenarios {
namespace {

using namespace std::chrono_literals;

class Clocks : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(testing::TestServer::engine(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    store_ = *std::move(opened);
    tenants_ = std::make_unique<identity::TenantStore>(store_->store(), keyring_, workers_, clock_);
    const auto tenant = wait(tenants_->create("acme"));
    ASSERT_TRUE(tenant) << describe_for_operator(tenant.error());
    tenant_ = tenant->id;
    keys_ = std::make_unique<identity::KeyStore>(store_->store().control(), clock_);
  }

  identity::CreatedKey make_key(std::chrono::microseconds lifetime) {
    auto made = wait(keys_->create({.tenant = tenant_, .scopes = {Scope::project_read}, .lifetime = lifetime}));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return *std::move(made);
  }
  bool holds(const identity::CreatedKey& key) { return holds(*keys_, key); }
  static bool holds(identity::KeyStore& keys, const identity::CreatedKey& key) {
    return wait(require(keys, *identity::parse_api_key(key.text.reveal()))).value();
  }
  static Async<bool> require(identity::KeyStore& keys, identity::PresentedKey presented) {
    const auto used = co_await keys.require(std::move(presented), boost::asio::ip::make_address("192.0.2.1"));
    if (!used) EXPECT_EQ(used.error().error.code(), Code::unauthenticated);
    co_return used.has_value();
  }

  ManualClock clock_;
  std::unique_ptr<db::TestStore> store_;
  net::Workers workers_{2};
  const crypto::Keyring keyring_{crypto::SealKey::make()};
  std::unique_ptr<identity::TenantStore> tenants_;
  std::unique_ptr<identity::KeyStore> keys_;
  TenantId tenant_;
};

TEST_F(Clocks, a_revoked_key_stays_revoked_wherever_the_clock_goes) {
  const auto key = make_key(24h);
  ASSERT_TRUE(holds(key));
  ASSERT_TRUE(wait(keys_->revoke(tenant_, key.record.id)));
  for (const auto by : {0us, std::chrono::microseconds(-1s), std::chrono::microseconds(-10h),
                        std::chrono::microseconds(-24h * 365), std::chrono::microseconds(24h * 800)}) {
    clock_.advance(by);
    EXPECT_FALSE(holds(key)) << by.count();
    // Nor for a node that starts then and remembers nothing.
    identity::KeyStore fresh(store_->store().control(), clock_);
    EXPECT_FALSE(holds(fresh, key)) << by.count();
  }
}

TEST_F(Clocks, a_clock_set_forward_ends_a_key_at_once_even_one_that_was_just_remembered) {
  const auto key = make_key(1h);
  ASSERT_TRUE(holds(key));
  clock_.advance(1h);
  EXPECT_FALSE(holds(key));
}

// An end is a time in a row: nothing notes that it has passed. Who must be sure revokes.
TEST_F(Clocks, a_key_that_has_expired_holds_again_if_the_clock_is_set_back_before_its_end_unless_it_was_revoked) {
  const auto key = make_key(1h), revoked = make_key(1h);
  clock_.advance(2h);
  EXPECT_FALSE(holds(key));
  ASSERT_TRUE(wait(keys_->revoke(tenant_, revoked.record.id)));
  clock_.advance(-90min);
  EXPECT_TRUE(holds(key));
  EXPECT_FALSE(holds(revoked));
}

TEST_F(Clocks, a_key_made_while_the_clock_was_ahead_lives_longer_by_that_and_can_be_revoked) {
  clock_.advance(24h * 10);
  const auto key = make_key(1h);
  clock_.advance(-24h * 10);
  EXPECT_TRUE(holds(key));
  clock_.advance(24h * 10);
  EXPECT_TRUE(holds(key));
  clock_.advance(1h);
  EXPECT_FALSE(holds(key));
  clock_.advance(-1h);
  ASSERT_TRUE(wait(keys_->revoke(tenant_, key.record.id)));
  EXPECT_FALSE(holds(key));
}

TEST_F(Clocks, a_clock_set_back_does_not_keep_a_key_remembered_that_another_node_has_revoked) {
  const auto key = make_key(24h);
  ASSERT_TRUE(holds(key));
  identity::KeyStore other_node(store_->store().control(), clock_);
  ASSERT_TRUE(wait(other_node.revoke(tenant_, key.record.id)));
  clock_.advance(-10min);
  EXPECT_FALSE(holds(key));
}

TEST_F(Clocks, a_clock_set_back_does_not_keep_a_project_open_that_another_node_has_closed) {
  const auto project = wait(tenants_->create_project(
      tenant_, {.name = "Docs",
                .slug = "docs",
                .access = {.visibility = Visibility::public_project, .origins = {"https://docs.example.org"}}}));
  ASSERT_TRUE(project) << describe_for_operator(project.error());
  identity::ProjectDirectory directory(*tenants_, clock_);
  const auto is_open = [&] {
    const auto found = wait(directory.find_public("docs"));
    return found && found->has_value();
  };
  const auto is_listed = [&] { return wait(directory.is_listed_anywhere("https://docs.example.org")).value(); };
  ASSERT_TRUE(is_open());
  ASSERT_TRUE(is_listed());
  ASSERT_TRUE(wait(tenants_->set_access(tenant_, project->id, {})));
  clock_.advance(-10min);
  EXPECT_FALSE(is_open());
  EXPECT_FALSE(is_listed());
}

class VisitorClocks : public ::testing::Test {
 protected:
  static identity::VisitorPass pass() {
    return {.visitor = crypto::random_uuid(crypto::system_random()),
            .tenant = crypto::random_id<TenantId>(crypto::system_random()),
            .project = crypto::random_id<ProjectId>(crypto::system_random()),
            .scopes = ScopeSet::public_keys()};
  }
  ManualClock clock_;
  identity::VisitorTokens tokens_{crypto::SealKey::make(), clock_, crypto::system_random()};
};

// Nothing is stored of a token, so nothing can be noted of its end. What ends it for certain is its key (see Clocks).
TEST_F(VisitorClocks, a_token_that_has_expired_is_read_again_if_the_clock_is_set_back_as_nothing_is_stored_of_it) {
  const auto token = tokens_.mint(pass()).token;
  clock_.advance(identity::visitor_token_life);
  EXPECT_FALSE(tokens_.read(token));
  clock_.advance(-1us);
  EXPECT_TRUE(tokens_.read(token));
}

TEST_F(VisitorClocks, a_clock_set_forward_ends_a_token_and_none_outlives_its_key_by_any_clock) {
  const auto key_ends = clock_.now() + std::chrono::microseconds(30min);
  // The clock was a day ahead, or back, when it was made.
  for (const auto off :
       {std::chrono::microseconds(0), std::chrono::microseconds(-24h), std::chrono::microseconds(20min)}) {
    clock_.advance(off);
    const auto token = tokens_.mint(pass(), key_ends).token;
    clock_.advance(-off);
    const auto read = tokens_.read(token);
    if (read) EXPECT_LE(read->expires_at, key_ends);
    clock_.advance(30min);
    EXPECT_FALSE(tokens_.read(token));
    clock_.advance(-30min);
  }
}

TEST_F(VisitorClocks, a_token_made_while_the_clock_was_ahead_lives_longer_by_that_if_no_key_vouches_for_it) {
  clock_.advance(24h);
  const auto token = tokens_.mint(pass()).token;
  clock_.advance(-24h);
  clock_.advance(identity::visitor_token_life + std::chrono::microseconds(1h));
  EXPECT_TRUE(tokens_.read(token));
  clock_.advance(23h);
  EXPECT_FALSE(tokens_.read(token));
}

}  // namespace
}  // namespace parley::scenarios
