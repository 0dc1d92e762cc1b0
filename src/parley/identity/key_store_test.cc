#include <gtest/gtest.h>

#include "parley/identity/key_store.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using namespace db::literals;

class KeyStoreContract : public StoresContract {
 protected:
  void SetUp() override {
    StoresContract::SetUp();
    if (IsSkipped()) return;
    keys = std::make_unique<KeyStore>(store().control(), clock);
  }
  CreatedKey make(NewKey wanted) {
    auto made = wait(keys->create(std::move(wanted)));
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return std::move(*made);
  }
  NewKey wanted() const { return {.tenant = acme, .name = "ci", .scopes = {Scope::project_read, Scope::chat_create}}; }
  Result<std::shared_ptr<const KeyRecord>> use(const Secret& text) {
    return wait(keys->require(*parse_api_key(text.reveal())));
  }
  Code refusal(const Secret& text) {
    const auto used = use(text);
    return used ? Code::internal : used.error().code();
  }

  std::unique_ptr<KeyStore> keys;
};

INSTANTIATE_TEST_SUITE_P(engines, KeyStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(KeyStoreContract, a_created_key_is_found_by_its_text) {
  const auto project = make_project(acme, "docs");
  auto request = wanted();
  request.project = project;
  const auto made = make(request);
  const auto found = use(made.text);
  ASSERT_TRUE(found) << describe_for_operator(found.error());
  EXPECT_EQ((*found)->id, made.record.id);
  EXPECT_EQ((*found)->tenant, acme);
  EXPECT_EQ((*found)->project, project);
  EXPECT_EQ((*found)->scopes, request.scopes);
  EXPECT_EQ((*found)->name, "ci");
  EXPECT_EQ((*found)->expires_at, clock.now() + key_lifetime_max);
  EXPECT_EQ((*found)->last4, made.text.reveal().substr(38));
}

TEST_P(KeyStoreContract, the_text_is_nowhere_in_the_database) {
  const auto made = make(wanted());
  const auto rows = store().control().read_blocking([](db::ControlReader& r) {
    return r.all("SELECT id, digest, name, scopes, origins, last4 FROM api_keys"_sql, [](const db::Row& row) {
      std::string all;
      for (int i = 0; i < 6; ++i) all += std::string(row.text(i)) + std::string(row.blob(i));
      return all;
    });
  });
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).find(made.text.reveal().substr(4, 32)), std::string::npos);
}

TEST_P(KeyStoreContract, unknown_revoked_and_expired_keys_are_refused_alike) {
  const auto revoked = make(wanted());
  ASSERT_TRUE(use(revoked.text));
  ASSERT_TRUE(wait(keys->revoke(acme, revoked.record.id)));
  auto brief = wanted();
  brief.lifetime = 30s;
  const auto expired = make(brief);
  ASSERT_TRUE(use(expired.text));
  clock.advance(30s);
  const auto unknown = make_api_key(KeyKind::secret);
  for (const auto* text : {&unknown, &revoked.text, &expired.text}) {
    const auto used = use(*text);
    ASSERT_FALSE(used);
    EXPECT_EQ(used.error().code(), Code::unauthenticated);
    EXPECT_EQ(used.error().reason().view(), "the API key is not valid");
  }
}

TEST_P(KeyStoreContract, a_revoked_key_stops_with_the_next_request_although_it_was_in_memory) {
  const auto made = make(wanted());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(use(made.text));
  ASSERT_TRUE(wait(keys->revoke(acme, made.record.id)));
  EXPECT_EQ(refusal(made.text), Code::unauthenticated);
  EXPECT_TRUE(wait(keys->revoke(acme, made.record.id))) << "twice is no error";
}

TEST_P(KeyStoreContract, a_key_revoked_by_another_node_stops_within_seconds) {
  const auto made = make(wanted());
  ASSERT_TRUE(use(made.text));
  KeyStore other(store().control(), clock);
  ASSERT_TRUE(wait(other.revoke(acme, made.record.id)));
  clock.advance(KeyCacheLimits().age_max);
  EXPECT_EQ(refusal(made.text), Code::unauthenticated);
}

TEST_P(KeyStoreContract, another_tenants_key_is_not_found) {
  const auto made = make(wanted());
  EXPECT_EQ(wait(keys->load(zeta, made.record.id)).error().code(), Code::not_found);
  EXPECT_EQ(wait(keys->revoke(zeta, made.record.id)).error().code(), Code::not_found);
  EXPECT_EQ(wait(keys->rotate(zeta, made.record.id, 1h)).error().code(), Code::not_found);
  EXPECT_TRUE(wait(keys->list(zeta))->empty());
  EXPECT_EQ(wait(keys->list(acme))->size(), 1U);
  EXPECT_TRUE(use(made.text));
  EXPECT_EQ(wait(keys->load_tenant_of(made.record.id)).value(), acme);
}

TEST_P(KeyStoreContract, a_key_cannot_be_made_for_another_tenants_project) {
  auto request = wanted();
  request.project = make_project(zeta, "theirs");
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::not_found);
  request.project = crypto::random_id<ProjectId>();
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::not_found);
  request = wanted();
  request.tenant = crypto::random_id<TenantId>();
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::not_found);
}

TEST_P(KeyStoreContract, a_public_key_has_origins_and_only_public_scopes) {
  auto request = wanted();
  request.kind = KeyKind::public_key;
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
  request.origins = {"https://Docs.example.org:443", "https://docs.example.org", "http://localhost:8000"};
  const auto made = make(request);
  EXPECT_TRUE(made.text.reveal().starts_with("pk_"));
  EXPECT_EQ((*use(made.text))->origins,
            (std::vector<std::string>{"https://docs.example.org", "http://localhost:8000"}));
  request.scopes.add(Scope::project_sync);
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
}

TEST_P(KeyStoreContract, requests_beyond_the_limits_are_refused) {
  auto request = wanted();
  request.lifetime = key_lifetime_max + 1us;
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
  request.lifetime = 0us;
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
  request = wanted();
  request.scopes = {};
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
  request = wanted();
  request.name = std::string(key_name_bytes_max + 1, 'x');
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument);
  request = wanted();
  request.origins = {"https://docs.example.org"};
  EXPECT_EQ(wait(keys->create(request)).error().code(), Code::invalid_argument) << "a secret key with origins";
}

TEST_P(KeyStoreContract, rotation_keeps_both_keys_for_the_overlap) {
  const auto old = make(wanted());
  ASSERT_TRUE(use(old.text));
  clock.advance(24h * 10);
  const auto rotated = wait(keys->rotate(acme, old.record.id, 1h));
  ASSERT_TRUE(rotated) << describe_for_operator(rotated.error());
  EXPECT_EQ(rotated->record.scopes, old.record.scopes);
  EXPECT_EQ(rotated->record.expires_at, clock.now() + key_lifetime_max);
  EXPECT_TRUE(use(old.text));
  EXPECT_TRUE(use(rotated->text));
  clock.advance(1h);
  EXPECT_EQ(refusal(old.text), Code::unauthenticated);
  EXPECT_TRUE(use(rotated->text));
  EXPECT_EQ(wait(keys->rotate(acme, old.record.id, 1h)).error().code(), Code::conflict);
  EXPECT_EQ(wait(keys->rotate(acme, rotated->record.id, key_overlap_max + 1us)).error().code(), Code::invalid_argument);
}

TEST_P(KeyStoreContract, rotation_never_prolongs_the_old_key) {
  auto brief = wanted();
  brief.lifetime = 30min;
  const auto old = make(brief);
  ASSERT_TRUE(wait(keys->rotate(acme, old.record.id, 24h)));
  EXPECT_EQ(wait(keys->load(acme, old.record.id))->expires_at, old.record.expires_at);
}

TEST_P(KeyStoreContract, last_use_is_written_with_the_flush) {
  const auto made = make(wanted());
  ASSERT_TRUE(use(made.text));
  EXPECT_FALSE(wait(keys->load(acme, made.record.id))->last_used_at);
  clock.advance(2s);
  ASSERT_TRUE(use(made.text));
  const auto last = clock.now();
  clock.advance(10s);
  ASSERT_TRUE(wait(keys->flush_last_used()));
  EXPECT_EQ(wait(keys->load(acme, made.record.id))->last_used_at, last);
}

TEST_P(KeyStoreContract, a_removed_tenants_keys_stop_at_once) {
  TenantHooks hooks;
  hooks.forget = [&](TenantId id) { keys->forget_tenant(id); };
  TenantStore with_hooks(store(), keyring, workers, clock, crypto::system_random(), hooks);
  const auto made = make(wanted());
  ASSERT_TRUE(use(made.text));
  ASSERT_TRUE(wait(with_hooks.remove(acme)));
  EXPECT_EQ(refusal(made.text), Code::unauthenticated);
}

}  // namespace
}  // namespace parley::identity
