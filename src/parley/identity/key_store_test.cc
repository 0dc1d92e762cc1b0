#include <gtest/gtest.h>

#include "parley/identity/key_store.h"
#include "parley/identity/names.h"
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
  static Async<std::shared_ptr<const KeyRecord>> plain(asio::awaitable<RequiredKey> work, Literal* rule) {
    auto outcome = co_await std::move(work);
    if (outcome) co_return *std::move(outcome);
    *rule = outcome.error().rule;
    EXPECT_EQ(outcome.error().key != nullptr, rule->view() != "credential_invalid");
    co_return std::unexpected(std::move(outcome).error().error);
  }
  Result<std::shared_ptr<const KeyRecord>> use(const Secret& text, const char* client = "192.0.2.1") {
    return wait(plain(keys->require(*parse_api_key(text.reveal()), boost::asio::ip::make_address(client)), &rule));
  }
  Result<std::shared_ptr<const KeyRecord>> vouch(const CreatedKey& key, const char* client) {
    return wait(plain(keys->require_voucher(key.record.digest, boost::asio::ip::make_address(client)), &rule));
  }
  Code refusal(const Secret& text, const char* client = "192.0.2.1") {
    const auto used = use(text, client);
    return used ? Code::internal : used.error().code();
  }
  Code refused_to_make(NewKey wanted) {
    const auto made = wait(keys->create(std::move(wanted)));
    return made ? Code::internal : made.error().code();
  }

  std::unique_ptr<KeyStore> keys;
  Literal rule = "none";  ///< of the last refusal
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

TEST_P(KeyStoreContract, a_key_revoked_by_another_node_stops_within_a_second) {
  const auto made = make(wanted());
  ASSERT_TRUE(use(made.text));
  KeyStore other(store().control(), clock);
  ASSERT_TRUE(wait(other.revoke(acme, made.record.id)));
  static_assert(key_age_max < 1s);
  clock.advance(key_age_max);
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

TEST_P(KeyStoreContract, a_key_lives_longer_only_with_a_dated_reason_and_for_at_most_a_year) {
  auto request = wanted();
  request.lifetime = 24h * 200;
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  request.exception = "the partner's appliance is reconfigured once a year";
  const auto made = make(request);
  const auto stored = wait(keys->load(acme, made.record.id)).value();
  ASSERT_TRUE(stored.exception);
  EXPECT_EQ(stored.exception->reason, request.exception);
  EXPECT_EQ(stored.exception->since, clock.now());
  EXPECT_EQ(stored.lifetime, 24h * 200);
  EXPECT_EQ(stored.expires_at, clock.now() + 24h * 200);
  request.lifetime = 24h * 365;
  make(request);
  request.lifetime += 1us;
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  request.lifetime = key_lifetime_max;
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument) << "a reason that excuses nothing";
  request.lifetime = 24h * 200;
  for (const std::string& bad :
       {std::string("   "), std::string("two\nlines"), std::string(key_exception_reason_bytes_max + 1, 'x')}) {
    request.exception = bad;
    EXPECT_EQ(refused_to_make(request), Code::invalid_argument) << bad;
  }
}

TEST_P(KeyStoreContract, rotation_keeps_the_life_that_was_wanted_and_not_what_an_overlap_left_of_it) {
  auto request = wanted();
  request.lifetime = 24h * 20;
  const auto first = make(request);
  ASSERT_TRUE(wait(keys->rotate(acme, first.record.id, 1h)));
  clock.advance(30min);
  const auto again = wait(keys->rotate(acme, first.record.id, 1h));
  ASSERT_TRUE(again) << describe_for_operator(again.error());
  EXPECT_EQ(again->record.expires_at, clock.now() + 24h * 20);
  EXPECT_EQ(again->record.lifetime, 24h * 20);
}

TEST_P(KeyStoreContract, rotation_inherits_no_exception_unless_it_is_made_again) {
  auto request = wanted();
  request.lifetime = 24h * 200;
  request.exception = "first";
  const auto old = make(request);
  clock.advance(24h);
  const auto plain_one = wait(keys->rotate(acme, old.record.id, 24h));
  ASSERT_TRUE(plain_one);
  EXPECT_FALSE(plain_one->record.exception);
  EXPECT_EQ(plain_one->record.expires_at, clock.now() + key_lifetime_max);
  auto rotation = wait(keys->draft_rotation(acme, old.record.id, 24h, "again"));
  ASSERT_TRUE(rotation);
  const auto longer = wait(keys->rotate(*std::move(rotation)));
  ASSERT_TRUE(longer);
  EXPECT_EQ(wait(keys->load(acme, longer->record.id))->exception->reason, "again");
  EXPECT_EQ(longer->record.exception->since, clock.now());
  EXPECT_EQ(longer->record.expires_at, clock.now() + 24h * 200);
  EXPECT_EQ(wait(keys->draft_rotation(acme, plain_one->record.id, 24h, "not needed")).error().code(),
            Code::invalid_argument);
}

TEST_P(KeyStoreContract, a_key_revoked_while_its_successor_is_made_has_none) {
  const auto old = make(wanted());
  auto rotation = wait(keys->draft_rotation(acme, old.record.id, 1h));
  ASSERT_TRUE(rotation);
  const Secret text = rotation->successor.text;
  EXPECT_EQ(refusal(text), Code::unauthenticated) << "a draft is no key";
  ASSERT_TRUE(wait(keys->revoke(acme, old.record.id)));
  EXPECT_EQ(wait(keys->rotate(*std::move(rotation))).error().code(), Code::conflict);
  EXPECT_EQ(refusal(text), Code::unauthenticated);
}

TEST_P(KeyStoreContract, a_key_holds_only_from_the_addresses_it_is_for) {
  auto request = wanted();
  request.addresses = {"192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"};
  const auto made = make(request);
  EXPECT_EQ(made.record.addresses.size(), 2U);
  EXPECT_TRUE(use(made.text, "192.0.2.200"));
  EXPECT_TRUE(use(made.text, "::ffff:192.0.2.200"));
  EXPECT_TRUE(use(made.text, "2001:db8::1"));
  for (const auto* other : {"192.0.3.1", "::ffff:192.0.3.1", "2001:db9::1", "::192.0.2.1"}) {
    const auto used = use(made.text, other);
    ASSERT_FALSE(used) << other;
    EXPECT_EQ(used.error().code(), Code::unauthenticated);
    EXPECT_EQ(used.error().reason().view(), "the API key is not valid");
    EXPECT_EQ(rule.view(), "address_not_allowed");
  }
  EXPECT_TRUE(vouch(made, "198.51.100.1")) << "a visitor is elsewhere than the server that vouches for them";

  auto page = wanted();
  page.kind = KeyKind::public_key;
  page.origins = {"https://intranet.example.org"};
  page.addresses = {"10.0.0.0/8"};
  const auto page_key = make(page);
  EXPECT_TRUE(vouch(page_key, "10.1.2.3"));
  EXPECT_FALSE(vouch(page_key, "198.51.100.1"));

  ASSERT_TRUE(wait(keys->rotate(acme, made.record.id, 1h)));
  EXPECT_EQ(wait(keys->list(acme))->size(), 3U);
  for (const auto& key : *wait(keys->list(acme))) EXPECT_FALSE(key.addresses.empty());

  request.addresses = {"192.0.2.1/24"};
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  request.addresses.assign(key_addresses_max + 1, "192.0.2.0/24");
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
}

TEST_P(KeyStoreContract, a_row_that_cannot_be_read_gives_a_key_that_may_do_nothing) {
  auto request = wanted();
  request.addresses = {"192.0.2.0/24"};
  const auto made = make(request);
  const auto changed = store().control().write_blocking([&](db::ControlWriter& writer) {
    return writer.run("UPDATE api_keys SET addresses = 'of a later version' WHERE id = $1"_sql, made.record.id);
  });
  ASSERT_TRUE(changed);
  const auto stored = wait(keys->load(acme, made.record.id)).value();
  EXPECT_TRUE(stored.addresses.empty());
  EXPECT_TRUE(stored.scopes.empty());
}

TEST_P(KeyStoreContract, a_key_reads_only_the_groups_it_was_given) {
  EXPECT_TRUE(make(wanted()).record.groups.names.empty());
  auto request = wanted();
  request.groups.names = {"staff", "partners", "staff"};
  const auto some = make(request);
  const auto found = use(some.text);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->groups.extent, ReadableGroups::Extent::listed);
  EXPECT_EQ((*found)->groups.names, (std::vector<std::string>{"partners", "staff"}));
  request.groups.extent = ReadableGroups::Extent::all;
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument) << "all, and some";
  request.groups.names.clear();
  EXPECT_EQ((*use(make(request).text))->groups.extent, ReadableGroups::Extent::all);

  request.kind = KeyKind::public_key;
  request.origins = {"https://docs.example.org"};
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  request.groups = {.names = {"staff"}};
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  request = wanted();
  for (const std::string& bad : {std::string(), std::string("a\nb"), std::string(65, 'x')}) {
    request.groups.names = {bad};
    EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
  }
  request.groups.names.clear();
  for (std::size_t i = 0; i <= groups_held_max; ++i) request.groups.names.push_back(std::to_string(i));
  EXPECT_EQ(refused_to_make(request), Code::invalid_argument);
}

TEST_P(KeyStoreContract, a_key_that_is_not_used_for_thirty_days_is_switched_off_until_somebody_enables_it) {
  const auto used = make(wanted());
  const auto never = make(wanted());
  clock.advance(24h * 29);
  EXPECT_TRUE(use(used.text));
  ASSERT_TRUE(wait(keys->flush_last_used()));
  clock.advance(24h);
  EXPECT_TRUE(use(used.text));
  EXPECT_EQ(refusal(never.text), Code::unauthenticated);
  EXPECT_EQ(rule.view(), "key_idle");
  EXPECT_EQ(wait(keys->load(acme, never.record.id))->state_at(clock.now()), KeyState::idle);
  EXPECT_EQ(wait(keys->load(acme, used.record.id))->state_at(clock.now()), KeyState::active);
  EXPECT_EQ(refusal(never.text), Code::unauthenticated) << "trying is no use";

  EXPECT_EQ(wait(keys->enable(zeta, never.record.id)).error().code(), Code::not_found);
  ASSERT_TRUE(wait(keys->enable(acme, never.record.id)));
  EXPECT_TRUE(use(never.text));
  clock.advance(24h * 31);  // never flushed since
  EXPECT_TRUE(wait(keys->load(acme, never.record.id))->state_at(clock.now()) == KeyState::idle);
  EXPECT_EQ(refusal(never.text), Code::unauthenticated);

  ASSERT_TRUE(wait(keys->revoke(acme, never.record.id)));
  EXPECT_EQ(wait(keys->enable(acme, never.record.id)).error().code(), Code::conflict);
  EXPECT_EQ(refusal(never.text), Code::unauthenticated);
}

TEST_P(KeyStoreContract, a_use_that_is_not_written_yet_keeps_a_key_from_being_idle) {
  const auto made = make(wanted());
  clock.advance(24h * 30 - 1s);
  ASSERT_TRUE(use(made.text));
  clock.advance(2s);
  EXPECT_TRUE(use(made.text));
}

TEST_P(KeyStoreContract, keys_that_are_long_dead_make_room) {
  std::vector<KeyId> dead;
  for (std::size_t i = 0; i < keys_per_tenant_max; ++i) {
    auto made = make(wanted());
    if (i < 2) dead.push_back(made.record.id);
  }
  EXPECT_EQ(refused_to_make(wanted()), Code::conflict);
  ASSERT_TRUE(wait(keys->revoke(acme, dead[0])));
  EXPECT_EQ(refused_to_make(wanted()), Code::conflict) << "a list still tells what became of it";
  clock.advance(24h * 89);
  ASSERT_TRUE(wait(keys->revoke(acme, dead[1])));
  clock.advance(24h * 1 + 1us);
  make(wanted());
  EXPECT_EQ(wait(keys->load(acme, dead[0])).error().code(), Code::not_found);
  EXPECT_TRUE(wait(keys->load(acme, dead[1])));
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
