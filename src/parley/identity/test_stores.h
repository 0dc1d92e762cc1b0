#pragma once

// What the tests of the stores share: an engine's store with our tables, one tenant store on it, two tenants.
#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "parley/crypto/keyring.h"
#include "parley/identity/account_store.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/identity/members.h"
#include "parley/identity/session_store.h"
#include "parley/identity/tenant_store.h"
#include "testing/test_store.h"
#include "testing/wait.h"

// The program's own may make this proof; so here is one of ours.
namespace parley::server {
class Installation {
 public:
  static LocalOperator local_operator() { return LocalOperator(1000); }
};
}  // namespace parley::server

namespace parley::identity {

inline LocalOperator local_operator() { return server::Installation::local_operator(); }

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

/// With people: accounts whose passwords are hashed as cheaply as the library allows, since what is tested is the
/// handling, not the cost.
class PeopleContract : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    sessions = std::make_unique<SessionStore>(store().control(), clock);
    accounts = std::make_unique<AccountStore>(store().control(), hasher, *sessions, clock);
    members = std::make_unique<Members>(store().control(), *sessions, clock);
  }
  static std::string email_of(std::string_view name) { return std::string(name) + "@example.org"; }
  AccountId make_account(std::string_view name) {
    const auto made = wait(accounts->create(email_of(name), password));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made ? made->id : AccountId();
  }
  AccountId make_member(std::string_view name, TenantId tenant, Role role) {
    const auto account = make_account(name);
    add_member(account, tenant, role);
    return account;
  }
  void add_member(AccountId account, TenantId tenant, Role role) {
    EXPECT_TRUE(store().control().write_blocking(
        [&](db::ControlWriter& writer) { return by_tenant::put_member(tenant, account, role, writer); }));
  }
  ProvenAccount prove(std::string_view name) {
    return wait(accounts->verify_password(email_of(name), password)).value();
  }
  BegunSession sign_in(std::string_view name) {
    auto begun = wait(sessions->begin(prove(name), {.client = "Firefox on Linux", .tenant = {}}));
    EXPECT_TRUE(begun) << describe_for_operator(begun.error());
    return *std::move(begun);
  }
  FullSession full(const BegunSession& begun) { return SessionStore::as_full(begun.session).value(); }
  Doer by(std::string_view name) { return Doer::member(full(sign_in(name))); }
  static Doer by_operator() { return Doer::local(local_operator()); }
  /// The same question from two threads at once: how many were answered yes.
  template <class Ask>
  int how_many_of_two(Ask ask) {
    auto other = std::async(std::launch::async, [&] { return ask().has_value(); });
    const int mine = ask().has_value() ? 1 : 0;
    return mine + (other.get() ? 1 : 0);
  }
  /// As a request that reads would.
  Result<OpenSession> use(const Secret& token) {
    return wait(sessions->require_open(parse_session_token(token.reveal()).value(), ForReading{}));
  }

  PasswordHasher hasher{workers, crypto::PasswordCost{.memory_bytes = 8192, .passes = 1}};
  const Secret password{crypto::random_text(20, "abcdefghijklmnopqrstuvwxyz0123456789")};
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<AccountStore> accounts;
  std::unique_ptr<Members> members;
};

inline std::string engine_name(const testing::TestParamInfo<db::Engine>& info) {
  return info.param == db::Engine::sqlite ? "sqlite" : "postgres";
}

}  // namespace parley::identity
