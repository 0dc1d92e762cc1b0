#include "parley/identity/session_store.h"

#include <algorithm>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/factor_rows.h"

namespace parley::identity {

using namespace db::literals;

namespace {

// Sessions noted between two flushes. One more than this is noted the next time it is used.
constexpr std::size_t seen_sessions_max = 65'536;

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the session is not valid; sign in again", std::move(why));
}

std::chrono::microseconds life_of(Assurance assurance) {
  switch (assurance) {
    case Assurance::factor_owed: return factor_owed_max;
    case Assurance::enrolment_owed: return enrolment_owed_max;
    case Assurance::full: return session_life_max;
  }
  std::unreachable();
}

/// Only who may sign in at all: neither removed nor disabled.
Result<void> require_account(AccountId account, db::ControlReader& reader) {
  const auto found = PARLEY_TRY(reader.find(
      "SELECT 1 FROM accounts WHERE id = $1 AND disabled_at IS NULL"_sql, [](const db::Row&) { return true; },
      account));
  if (!found) return refuse("the account is gone or disabled");
  return {};
}

/// Room for one more. Sessions that owe something are counted apart: they cost a password alone, and must not be able
/// to push out what somebody is working in.
Result<void> end_oldest(const SessionRecord& newcomer, Timestamp now, db::ControlWriter& writer) {
  const auto is_full = [](const SessionRecord& session) { return session.assurance == Assurance::full; };
  auto open = PARLEY_TRY(by_tenant::list_sessions(newcomer.account, writer));
  std::erase_if(open, [&](const auto& each) { return each.id == newcomer.id || is_full(each) != is_full(newcomer); });
  std::ranges::sort(open, std::greater(), &SessionRecord::last_seen_at);
  const auto most = is_full(newcomer) ? sessions_per_account_max : owing_sessions_per_account_max;
  for (std::size_t i = most - 1; i < open.size(); ++i)
    PARLEY_TRY(writer.run("UPDATE sessions SET ended_at = $2 WHERE id = $1"_sql, open[i].id, now));
  return {};
}

}  // namespace

bool SessionRecord::holds_at(Timestamp now, Timestamp last_seen) const {
  if (ended_at || created_at > now + clock_skew_max || now - created_at >= life_of(assurance)) return false;
  return assurance != Assurance::full || now - last_seen < session_idle_max;
}

Result<void> end_sessions(db::ControlWriter& writer, AccountId account, Timestamp now, std::optional<SessionId> keep) {
  PARLEY_TRY(writer.run("UPDATE sessions SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL AND id <> $3"_sql,
                        account, now, keep.value_or(SessionId())));
  return {};
}

SessionStore::SessionStore(db::ControlSession control, const Clock& clock, crypto::Random& random,
                           FreshCacheLimits limits)
    : control_(std::move(control)), clock_(clock), random_(random), cache_(limits) {}

Async<BegunSession> SessionStore::begin(ProvenAccount who, NewSession wanted) {
  Secret token = make_session_token(random_);
  const auto now = clock_.now();
  SessionRecord record;
  record.id = crypto::random_id<SessionId>(random_);
  record.digest = PARLEY_CO_TRY(parse_session_token(token.reveal())).digest();
  record.account = who.account();
  record.client = std::move(wanted.client);
  record.created_at = now;
  record.last_seen_at = now;
  if (includes_factor(who.step())) record.factor_at = now;
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(require_account(record.account, writer));
    const auto memberships = PARLEY_TRY(by_tenant::list_memberships(record.account, writer));
    record.tenant.reset();
    bool factor_required = false;
    for (const auto& each : memberships) {
      factor_required = factor_required || PARLEY_TRY(by_tenant::requires_second_factor(each.tenant, writer));
      if (each.tenant == wanted.tenant || memberships.size() == 1) record.tenant = each.tenant;
    }
    if (wanted.tenant && record.tenant != wanted.tenant) return fail(Code::not_found, "there is no such organisation");
    record.assurance = decide_sign_in({.step = who.step(),
                                       .has_factor = PARLEY_TRY(has_factor(record.account, writer)),
                                       .factor_required = factor_required});
    PARLEY_TRY(end_oldest(record, now, writer));
    return by_tenant::insert_session(record, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  // It may have made another one end.
  forget_account(record.account);
  co_return BegunSession{OpenSession(std::make_shared<const SessionRecord>(std::move(record))), std::move(token)};
}

Async<BegunSession> SessionStore::raise(OpenSession session, ProvenFactor factor) {
  const auto now = clock_.now();
  if (!factor.is_fresh(session->account, now)) co_return refuse("a second factor of another account, or a stale one");
  Secret token = make_session_token(random_);
  SessionRecord record = *session;
  record.digest = PARLEY_CO_TRY(parse_session_token(token.reveal())).digest();
  record.assurance = Assurance::full;
  record.factor_at = now;
  record.last_seen_at = now;
  // The life of a session that was owed something begins now; that of a full one goes on.
  if (session->assurance != Assurance::full) record.created_at = now;
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(require_account(record.account, writer));
    // By the digest that was presented: of two requests that raise one session, one wins.
    const auto changed =
        PARLEY_TRY(writer.run("UPDATE sessions SET digest = $3, assurance = $4, factor_at = $5, created_at = $6, "
                              "last_seen_at = $5 WHERE id = $1 AND digest = $2 AND ended_at IS NULL"_sql,
                              record.id, db::Blob{session->digest.view()}, db::Blob{record.digest.view()},
                              name(record.assurance), now, record.created_at));
    if (changed == 0) return refuse("the session ended, or was raised already");
    return end_oldest(record, now, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget_account(record.account);
  co_return BegunSession{OpenSession(std::make_shared<const SessionRecord>(std::move(record))), std::move(token)};
}

Async<OpenSession> SessionStore::require_open(PresentedSession presented, SessionUse use) {
  if (const auto* change = std::get_if<ForChange>(&use))
    if (!change->csrf || !presented.matches_csrf(*change->csrf))
      co_return fail(Code::permission_denied, "the request did not come from our own page; load the page again");
  const auto now = clock_.now();
  const auto cached = cache_.find(presented.digest(), now);
  auto record = cached.record;
  if (cached.state == Cached<SessionRecord>::State::unknown) {
    auto read = [digest = presented.digest()](db::ControlReader& reader) {
      return by_tenant::find_session(digest, reader);
    };
    auto found = PARLEY_CO_TRY(co_await control_.read(std::move(read)));
    if (found) record = std::make_shared<const SessionRecord>(std::move(*found));
    cache_.put(presented.digest(), record, cached.generation, now);
  }
  if (!record) co_return refuse("no such session");
  if (record->ended_at) co_return refuse("the session ended");
  if (!record->holds_at(now, last_seen(*record))) {
    // Durable before the refusal is given: a clock set back later must not make it hold again.
    auto end = [id = record->id, now](db::ControlWriter& writer) {
      return writer.run("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL"_sql, id, now);
    };
    PARLEY_CO_TRY(co_await control_.write(std::move(end)));
    cache_.forget(presented.digest());
    co_return refuse("the session is past its time");
  }
  note_seen(record->id, now);
  co_return OpenSession(std::move(record));
}

Async<FullSession> SessionStore::require_full(PresentedSession presented, SessionUse use) {
  co_return as_full(PARLEY_CO_TRY(co_await require_open(std::move(presented), use)));
}

Result<FullSession> SessionStore::as_full(OpenSession session) {
  switch (session->assurance) {
    case Assurance::factor_owed: return fail(Code::unauthenticated, "the second factor is still to be presented");
    case Assurance::enrolment_owed: return fail(Code::unauthenticated, "a second factor is to be set up first");
    case Assurance::full: return FullSession(std::move(session));
  }
  std::unreachable();
}

Result<ProvenFactor> SessionStore::fresh_factor(const OpenSession& session) const {
  if (session->factor_at) {
    // Which kind it was is not kept, and nothing asks.
    const ProvenFactor factor(session->account, FactorKind::totp, *session->factor_at);
    if (factor.is_fresh(session->account, clock_.now())) return factor;
  }
  return fail(Code::permission_denied, "present a second factor again first");
}

Async<FullSession> SessionStore::switch_organisation(FullSession session, TenantId tenant) {
  SessionRecord record = *session;
  record.tenant = tenant;
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto memberships = PARLEY_TRY(by_tenant::list_memberships(record.account, writer));
    if (std::ranges::find(memberships, tenant, &Membership::tenant) == memberships.end())
      return fail(Code::not_found, "there is no such organisation");
    if (!record.factor_at && PARLEY_TRY(by_tenant::requires_second_factor(tenant, writer)))
      return fail(Code::permission_denied, "this organisation requires a second factor");
    if (PARLEY_TRY(by_tenant::set_session_tenant(tenant, record.id, record.digest, writer)) == 0)
      return refuse("the session ended");
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  cache_.forget(record.digest);
  co_return FullSession(OpenSession(std::make_shared<const SessionRecord>(std::move(record))));
}

Async<std::vector<SessionRecord>> SessionStore::list(AccountId account) {
  auto work = [account](db::ControlReader& reader) { return by_tenant::list_sessions(account, reader); };
  auto sessions = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  const auto now = clock_.now();
  for (auto& session : sessions) session.last_seen_at = last_seen(session);
  std::erase_if(sessions, [&](const auto& session) { return !session.holds_at(now, session.last_seen_at); });
  std::ranges::sort(sessions, std::greater(), &SessionRecord::last_seen_at);
  co_return std::move(sessions);
}

Async<> SessionStore::end(AccountId account, SessionId id) {
  auto work = [account, id, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    // By the account's own, which are few: were the id looked up, somebody else's session would take longer than none.
    const auto ended =
        PARLEY_TRY(writer.run("UPDATE sessions SET ended_at = CASE WHEN ended_at IS NULL THEN $3 ELSE ended_at END "
                              "WHERE account_id = $2 AND id || '' = $1"_sql,
                              id, account, now));
    if (ended == 0) return fail(Code::not_found, "there is no such session");
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget_account(account);
  co_return Result<void>();
}

Async<> SessionStore::end_all_but(OpenSession keep) {
  auto work = [&keep, now = clock_.now()](db::ControlWriter& writer) {
    return end_sessions(writer, keep->account, now, keep->id);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget_account(keep->account);
  co_return Result<void>();
}

Async<> SessionStore::end_all(AccountId account) {
  auto work = [account, now = clock_.now()](db::ControlWriter& writer) { return end_sessions(writer, account, now); };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  forget_account(account);
  co_return Result<void>();
}

Async<> SessionStore::flush_last_seen() {
  std::unordered_map<SessionId, Timestamp> seen;
  {
    const std::scoped_lock lock(seen_mutex_);
    seen.swap(seen_);
  }
  if (seen.empty()) co_return Result<void>();
  auto work = [&seen](db::ControlWriter& writer) -> Result<void> {
    for (const auto& [id, at] : seen) {
      // The newest of several nodes' counts; one from the future was written while a clock was wrong, and goes.
      PARLEY_TRY(
          writer.run("UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND ended_at IS NULL AND "
                     "(last_seen_at < $2 OR last_seen_at > $3)"_sql,
                     id, at, at + clock_skew_max));
    }
    return {};
  };
  auto written = co_await control_.write(std::move(work));
  if (!written) {
    // Kept for the next time; what was noted meanwhile is newer.
    const std::scoped_lock lock(seen_mutex_);
    seen_.merge(seen);
  }
  co_return written;
}

Async<> SessionStore::sweep() {
  auto work = [before = clock_.now() - session_life_max - session_rows_kept](db::ControlWriter& writer) {
    return writer.run("DELETE FROM sessions WHERE created_at < $1"_sql, before);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return Result<void>();
}

void SessionStore::forget_account(AccountId account) {
  cache_.forget_if([&](const auto&, const SessionRecord* record) { return record && record->account == account; });
}

void SessionStore::forget_tenant(TenantId tenant) {
  cache_.forget_if([&](const auto&, const SessionRecord* record) { return record && record->tenant == tenant; });
}

void SessionStore::forget_all() {
  cache_.forget_if([](const auto&, const SessionRecord*) { return true; });
}

Timestamp SessionStore::last_seen(const SessionRecord& record) const {
  const std::scoped_lock lock(seen_mutex_);
  const auto found = seen_.find(record.id);
  return found == seen_.end() ? record.last_seen_at : std::max(found->second, record.last_seen_at);
}

void SessionStore::note_seen(SessionId id, Timestamp now) {
  const std::scoped_lock lock(seen_mutex_);
  if (const auto found = seen_.find(id); found != seen_.end()) found->second = now;
  else if (seen_.size() < seen_sessions_max) seen_.emplace(id, now);
}

}  // namespace parley::identity
