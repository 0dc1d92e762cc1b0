#pragma once

// What the tests of the stores share: an engine's store with our tables, one tenant store on it, two tenants.
#include <memory>

#include <gtest/gtest.h>

#include "parley/crypto/keyring.h"
#include "parley/identity/tenant_store.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::identity {

class StoresContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    tenants = std::make_unique<TenantStore>(store(), keyring, workers, clock);
    acme = make_tenant("acme");
    zeta = make_tenant("zeta");
  }
  db::Store& store() { return test_store_->store(); }

  TenantId make_tenant(std::string name) {
    const auto made = wait(tenants->create(std::move(name)));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made ? made->id : TenantId();
  }
  ProjectId make_project(TenantId tenant, std::string slug) {
    const auto made = wait(tenants->create_project(tenant, {.name = "Docs", .slug = std::move(slug)}));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made ? made->id : ProjectId();
  }

  std::unique_ptr<db::TestStore> test_store_;
  ManualClock clock;
  net::Workers workers{2};
  const crypto::Keyring keyring{crypto::SealKey::make()};
  std::unique_ptr<TenantStore> tenants;
  TenantId acme;
  TenantId zeta;
};

inline std::string engine_name(const testing::TestParamInfo<db::Engine>& info) {
  return info.param == db::Engine::sqlite ? "sqlite" : "postgres";
}

}  // namespace parley::identity
