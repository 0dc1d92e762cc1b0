#include <gtest/gtest.h>

#include "parley/identity/session_store.h"
#include "parley/identity/test_stores.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using namespace db::literals;

class SessionStoreContract : public PeopleContract {
 protected:
  Code refusal(const Secret& token) {
    const auto used = use(token);
    return used ? Code::internal : used.error().code();
  }
  void run(const db::Sql& sql, const auto&... args) {
    const auto done = store().control().write_blocking(
        [&](db::ControlWriter& writer) -> Result<std::int64_t> { return writer.run(sql, args...); });
    ASSERT_TRUE(done) << describe_for_operator(done.error());
  }
  void give_factor(AccountId account) {
    run("INSERT INTO second_factors (account_id, kind, since) VALUES ($1, 'passkey', $2)"_sql, account, clock.now());
  }
  void require_factor(TenantId tenant) {
    run("UPDATE tenants SET requires_second_factor = 1 WHERE id = $1"_sql, tenant);
  }
  // Uses it every eleven hours, so that only the absolute limit can end it.
  void keep_using(const Secret& token, std::chrono::microseconds length) {
    for (const auto end = clock.now() + length; clock.now() + 11h <= end;) {
      clock.advance(11h);
      ASSERT_TRUE(use(token));
      ASSERT_TRUE(wait(sessions->flush_last_seen()));
    }
  }
};

INSTANTIATE_TEST_SUITE_P(engines, SessionStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         engine_name);

TEST_P(SessionStoreContract, a_session_is_found_by_its_text_alone) {
  const auto ann = make_member("ann", acme, Role::editor);
  const auto begun = sign_in("ann");
  const auto found = use(begun.token);
  ASSERT_TRUE(found) << describe_for_operator(found.error());
  EXPECT_EQ((*found)->account, ann);
  EXPECT_EQ((*found)->tenant, acme);
  EXPECT_EQ((*found)->client, "Firefox on Linux");
  EXPECT_EQ((*found)->assurance, Assurance::full);
  EXPECT_EQ(refusal(make_session_token()), Code::unauthenticated);
}

TEST_P(SessionStoreContract, the_text_is_nowhere_in_the_database) {
  make_account("ann");
  const auto begun = sign_in("ann");
  const auto rows = store().control().read_blocking([](db::ControlReader& r) {
    return r.all("SELECT id, digest, client, assurance FROM sessions"_sql, [](const db::Row& row) {
      std::string all;
      for (int i = 0; i < 4; ++i) all += std::string(row.text(i)) + std::string(row.blob(i));
      return all;
    });
  });
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).find(begun.token.reveal().substr(4, 40)), std::string::npos);
}

TEST_P(SessionStoreContract, acts_for_the_only_organisation_or_none_until_one_is_chosen) {
  const auto ann = make_member("ann", acme, Role::editor);
  make_account("bob");
  EXPECT_FALSE(sign_in("bob").session->tenant);
  EXPECT_EQ(wait(sessions->begin(prove("bob"), {.client = "curl", .tenant = acme})).error().code(), Code::not_found);

  add_member(ann, zeta, Role::viewer);
  const auto begun = sign_in("ann");
  EXPECT_FALSE(begun.session->tenant);
  const auto full = SessionStore::as_full(begun.session).value();
  const auto switched = wait(sessions->switch_organisation(full, zeta));
  ASSERT_TRUE(switched) << describe_for_operator(switched.error());
  EXPECT_EQ((*use(begun.token))->tenant, zeta);
  const auto other = make_tenant("other");
  EXPECT_EQ(wait(sessions->switch_organisation(*switched, other)).error().code(), Code::not_found);
  EXPECT_EQ((*use(begun.token))->tenant, zeta);
}

TEST_P(SessionStoreContract, a_factor_owed_is_good_for_nothing_else) {
  const auto ann = make_member("ann", acme, Role::administrator);
  give_factor(ann);
  const auto begun = sign_in("ann");
  EXPECT_EQ(begun.session->assurance, Assurance::factor_owed);
  EXPECT_EQ(SessionStore::as_full(begun.session).error().code(), Code::unauthenticated);
  EXPECT_EQ(wait(sessions->require_full(*parse_session_token(begun.token.reveal()), ForReading{})).error().code(),
            Code::unauthenticated);
  EXPECT_TRUE(use(begun.token)) << "to present the factor";
}

TEST_P(SessionStoreContract, who_must_have_a_factor_may_only_enrol_the_first_administrator_included) {
  make_member("ann", acme, Role::administrator);
  require_factor(acme);
  const auto begun = sign_in("ann");
  EXPECT_EQ(begun.session->assurance, Assurance::enrolment_owed);
  EXPECT_EQ(SessionStore::as_full(begun.session).error().code(), Code::unauthenticated);
}

TEST_P(SessionStoreContract, without_a_factor_there_is_no_switching_to_where_one_is_required) {
  const auto ann = make_member("ann", acme, Role::editor);
  const auto begun = sign_in("ann");
  add_member(ann, zeta, Role::editor);
  require_factor(zeta);
  const auto full = SessionStore::as_full(begun.session).value();
  EXPECT_EQ(wait(sessions->switch_organisation(full, zeta)).error().code(), Code::permission_denied);
  EXPECT_EQ((*use(begun.token))->tenant, acme);
}

TEST_P(SessionStoreContract, what_is_owed_is_owed_for_minutes_however_much_it_is_used) {
  give_factor(make_account("ann"));
  const auto begun = sign_in("ann");
  for (int i = 0; i < 9; ++i) {
    clock.advance(1min);
    EXPECT_TRUE(use(begun.token));
  }
  clock.advance(1min);
  EXPECT_EQ(refusal(begun.token), Code::unauthenticated);
}

TEST_P(SessionStoreContract, ends_when_unused_for_half_a_day) {
  make_account("ann");
  const auto begun = sign_in("ann");
  clock.advance(session_idle_max - 1s);
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(sessions->flush_last_seen()));
  clock.advance(session_idle_max - 1s);
  ASSERT_TRUE(use(begun.token));
  clock.advance(session_idle_max);
  EXPECT_EQ(refusal(begun.token), Code::unauthenticated);
}

TEST_P(SessionStoreContract, ends_after_two_weeks_although_it_was_used) {
  make_account("ann");
  const auto begun = sign_in("ann");
  keep_using(begun.token, session_life_max - 1s);
  clock.advance(begun.session->created_at + session_life_max - clock.now() - 1us);
  EXPECT_TRUE(use(begun.token));
  clock.advance(1us);
  EXPECT_EQ(refusal(begun.token), Code::unauthenticated);
}

TEST_P(SessionStoreContract, one_that_was_refused_for_its_time_is_not_revived_by_any_clock) {
  make_account("ann");
  const auto begun = sign_in("ann");
  clock.advance(session_idle_max);
  ASSERT_EQ(refusal(begun.token), Code::unauthenticated);
  clock.advance(-session_idle_max);
  EXPECT_EQ(refusal(begun.token), Code::unauthenticated) << "the clock was set back";
  SessionStore other(store().control(), clock);
  EXPECT_FALSE(wait(other.require_open(*parse_session_token(begun.token.reveal()), ForReading{})))
      << "not by another node either";
}

TEST_P(SessionStoreContract, a_clock_set_forward_and_put_right_leaves_those_who_were_not_there) {
  make_account("ann");
  make_account("bob");
  const auto ann = sign_in("ann");
  const auto bob = sign_in("bob");
  clock.advance(20 * 24h);
  EXPECT_EQ(refusal(ann.token), Code::unauthenticated);
  const auto meanwhile = sign_in("ann");
  EXPECT_TRUE(use(meanwhile.token)) << "signing in works at any time";
  ASSERT_TRUE(wait(sessions->sweep()));
  clock.advance(-20 * 24h);
  EXPECT_TRUE(use(bob.token));
  EXPECT_EQ(refusal(ann.token), Code::unauthenticated);
  EXPECT_EQ(refusal(meanwhile.token), Code::unauthenticated) << "from the future: it would live for 34 days";
  EXPECT_TRUE(use(sign_in("ann").token));
}

TEST_P(SessionStoreContract, a_last_use_from_the_future_is_put_right_by_the_next) {
  make_account("ann");
  const auto begun = sign_in("ann");
  clock.advance(6h);
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(sessions->flush_last_seen()));
  clock.advance(-5h);
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(sessions->flush_last_seen()));
  EXPECT_EQ(wait(sessions->list(begun.session->account))->at(0).last_seen_at, clock.now());
}

TEST_P(SessionStoreContract, an_ended_session_stops_at_once_here_and_within_a_second_elsewhere) {
  const auto ann = make_account("ann");
  const auto begun = sign_in("ann");
  SessionStore other(store().control(), clock);
  const auto presented = *parse_session_token(begun.token.reveal());
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(other.require_open(presented, ForReading{})));
  ASSERT_TRUE(wait(sessions->end(ann, begun.session->id)));
  EXPECT_EQ(refusal(begun.token), Code::unauthenticated);
  EXPECT_TRUE(wait(other.require_open(presented, ForReading{}))) << "not told yet";
  other.forget_account(ann);
  EXPECT_FALSE(wait(other.require_open(presented, ForReading{}))) << "told";
  SessionStore third(store().control(), clock);
  const auto again = sign_in("ann");
  const auto second = *parse_session_token(again.token.reveal());
  ASSERT_TRUE(wait(third.require_open(second, ForReading{})));
  ASSERT_TRUE(wait(sessions->end_all(ann)));
  clock.advance(1s);
  EXPECT_FALSE(wait(third.require_open(second, ForReading{}))) << "never told";
}

TEST_P(SessionStoreContract, ends_one_all_others_or_all_and_only_ones_own) {
  const auto ann = make_account("ann");
  const auto bob = make_account("bob");
  const auto first = sign_in("ann");
  const auto second = sign_in("ann");
  const auto third = sign_in("ann");
  const auto bobs = sign_in("bob");
  EXPECT_EQ(wait(sessions->list(ann))->size(), 3U);
  EXPECT_EQ(wait(sessions->end(bob, first.session->id)).error().code(), Code::not_found);
  EXPECT_EQ(wait(sessions->end(bob, crypto::random_id<SessionId>())).error().code(), Code::not_found);
  ASSERT_TRUE(wait(sessions->end(ann, first.session->id)));
  EXPECT_EQ(refusal(first.token), Code::unauthenticated);
  EXPECT_TRUE(use(second.token));
  ASSERT_TRUE(wait(sessions->end_all_but(third.session)));
  EXPECT_EQ(refusal(second.token), Code::unauthenticated);
  EXPECT_TRUE(use(third.token));
  ASSERT_TRUE(wait(sessions->end_all(ann)));
  EXPECT_EQ(refusal(third.token), Code::unauthenticated);
  EXPECT_TRUE(use(bobs.token));
  EXPECT_TRUE(wait(sessions->list(ann))->empty());
}

TEST_P(SessionStoreContract, a_change_needs_the_csrf_token_of_this_session) {
  make_account("ann");
  const auto begun = sign_in("ann");
  const auto presented = *parse_session_token(begun.token.reveal());
  const auto change = [&](std::optional<std::string_view> csrf) {
    return wait(sessions->require_full(presented, ForChange{csrf}));
  };
  EXPECT_EQ(change(std::nullopt).error().code(), Code::permission_denied);
  EXPECT_EQ(change("").error().code(), Code::permission_denied);
  const auto others = parse_session_token(sign_in("ann").token.reveal())->csrf_token();
  EXPECT_EQ(change(others).error().code(), Code::permission_denied);
  const auto own = presented.csrf_token();
  EXPECT_TRUE(change(own));
}

TEST_P(SessionStoreContract, one_more_than_allowed_ends_the_one_used_least_recently) {
  const auto ann = make_account("ann");
  const auto oldest = sign_in("ann");
  clock.advance(1s);
  const auto second = sign_in("ann");
  for (std::size_t i = 2; i < sessions_per_account_max; ++i) {
    clock.advance(1s);
    sign_in("ann");
  }
  EXPECT_TRUE(use(oldest.token));
  ASSERT_TRUE(wait(sessions->flush_last_seen()));
  clock.advance(1s);
  sign_in("ann");
  EXPECT_EQ(wait(sessions->list(ann))->size(), sessions_per_account_max);
  EXPECT_TRUE(use(oldest.token)) << "it was used since";
  EXPECT_EQ(refusal(second.token), Code::unauthenticated);
}

TEST_P(SessionStoreContract, a_stolen_password_alone_pushes_nobody_out) {
  const auto ann = make_account("ann");
  const auto working = sign_in("ann");
  give_factor(ann);
  for (std::size_t i = 0; i < sessions_per_account_max + 1; ++i) {
    clock.advance(1ms);
    sign_in("ann");
  }
  EXPECT_TRUE(use(working.token));
  EXPECT_EQ(wait(sessions->list(ann))->size(), owing_sessions_per_account_max + 1);
}

TEST_P(SessionStoreContract, a_removed_tenant_is_acted_for_by_nobody) {
  make_member("ann", acme, Role::administrator);
  const auto begun = sign_in("ann");
  TenantHooks hooks;
  hooks.forget = [&](TenantId id) { sessions->forget_tenant(id); };
  TenantStore with_hooks(store(), keyring, workers, clock, crypto::system_random(), hooks);
  ASSERT_TRUE(use(begun.token));
  ASSERT_TRUE(wait(with_hooks.remove(acme)));
  EXPECT_FALSE((*use(begun.token))->tenant);
}

TEST_P(SessionStoreContract, rows_go_long_after_their_end) {
  make_account("ann");
  sign_in("ann");
  const auto rows = [&] {
    return store()
        .control()
        .read_blocking([](db::ControlReader& r) {
          return r.find("SELECT count(*) FROM sessions"_sql, [](const db::Row& row) { return row.integer(0); });
        })
        .value()
        .value_or(-1);
  };
  clock.advance(session_life_max + session_rows_kept);
  ASSERT_TRUE(wait(sessions->sweep()));
  EXPECT_EQ(rows(), 1);
  clock.advance(1us);
  ASSERT_TRUE(wait(sessions->sweep()));
  EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace parley::identity
