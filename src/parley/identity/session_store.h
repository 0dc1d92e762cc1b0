#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/random.h"
#include "parley/db/session.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/session_token.h"
#include "parley/identity/sign_in.h"
#include "parley/net/async.h"

namespace parley::identity {

using SessionId = Id<struct SessionTag>;

/// Unused for so long, a session ends: a working day with its breaks fits in, a machine left signed in over night does
/// not.
inline constexpr std::chrono::microseconds session_idle_max = std::chrono::hours(12);
/// Used or not: a cookie that was copied unnoticed stops by itself, and people sign in twice a month.
inline constexpr std::chrono::microseconds session_life_max = std::chrono::days(14);
/// With a factor owed: long enough to find the telephone. Use does not prolong it.
inline constexpr std::chrono::microseconds factor_owed_max = std::chrono::minutes(10);
/// With an enrolment owed: long enough to install an app first. Use does not prolong it.
inline constexpr std::chrono::microseconds enrolment_owed_max = std::chrono::minutes(30);
/// More than anyone's machines; the one used least recently ends when another begins.
inline constexpr std::size_t sessions_per_account_max = 50;
/// The same for those that owe something; counted apart, since a stolen password alone makes them.
inline constexpr std::size_t owing_sessions_per_account_max = 10;
/// How far the clocks of two nodes may be apart. A session made further than this in the future was made while a clock
/// was wrong.
inline constexpr std::chrono::microseconds clock_skew_max = std::chrono::minutes(5);
/// How long rows stay once no session in them can hold. A clock that is wrong by less destroys nothing.
inline constexpr std::chrono::microseconds session_rows_kept = std::chrono::days(30);

/// A session as stored: everything but its text.
struct SessionRecord {
  SessionId id;
  crypto::Digest digest;
  AccountId account;
  std::optional<TenantId> tenant;  ///< which organisation it acts for; none until one of several is chosen
  Assurance assurance = Assurance::factor_owed;
  std::optional<Timestamp> factor_at;  ///< when a second factor was last presented in it
  std::string client;                  ///< from `client_label`
  Timestamp created_at;
  Timestamp last_seen_at;  ///< to about a minute
  std::optional<Timestamp> ended_at;

  /// Whether it may still be used at this time, having last been used at `last_seen`.
  bool holds_at(Timestamp now, Timestamp last_seen) const;
};

/// A session that was presented and holds, of whatever assurance. Says nothing about what it is good for.
class OpenSession {
 public:
  const SessionRecord& operator*() const { return *record_; }
  const SessionRecord* operator->() const { return record_.get(); }

 private:
  friend class SessionStore;
  explicit OpenSession(std::shared_ptr<const SessionRecord> record) : record_(std::move(record)) {}
  std::shared_ptr<const SessionRecord> record_;
};

/// A session that nothing is owed in: what everything but presenting or enrolling a factor asks for.
class FullSession {
 public:
  const SessionRecord& operator*() const { return *open_; }
  const SessionRecord* operator->() const { return open_.operator->(); }
  operator const OpenSession&() const { return open_; }  // NOLINT(google-explicit-constructor): it is one

 private:
  friend class SessionStore;
  explicit FullSession(OpenSession open) : open_(std::move(open)) {}
  OpenSession open_;
};

/// What a request with a session cookie is for. A browser sends the cookie along with a request that another site
/// made, so what changes something must show that our page made it.
struct ForReading {};
struct ForChange {
  std::optional<std::string_view> csrf;  ///< what the request's header holds, if it has one
};
using SessionUse = std::variant<ForReading, ForChange>;

struct NewSession {
  std::string client;              ///< from `client_label`
  std::optional<TenantId> tenant;  ///< none: the only organisation, or none yet if there are several
};

/// A session at the only moment its text is known.
struct BegunSession {
  OpenSession session;
  Secret token;
};

/// Who is signed in, on which machines. Safe from any thread; must outlive the operations it started.
///
/// Time is the wall clock's, which may be set. What holds whatever it does:
/// - A session that was once refused for its time is ended durably before the refusal is given, so no clock brings it
///   back.
/// - Set forward: sessions presented meanwhile end, others hold again once the clock is right (rows stay for
///   `session_rows_kept` longer); signing in works at any time.
/// - Set back: a session made more than `clock_skew_max` in the future is refused, and ended. Another one that was not
///   seen past its time lives longer by at most what the clock was set back.
class SessionStore {
 public:
  SessionStore(db::ControlSession control, const Clock& clock, crypto::Random& random = crypto::system_random(),
               FreshCacheLimits limits = {});

  /// What it may become is decided here (`decide_sign_in`), in the transaction that makes it. `unauthenticated` if the
  /// account was disabled or removed meanwhile; `not_found` if it does not belong to the wanted organisation.
  Async<BegunSession> begin(ProvenAccount who, NewSession wanted);

  /// After a second factor: the session is full from now on, under a new token; the old one is dead. For a full session
  /// as well, whenever a fresh factor was asked for. `unauthenticated` if the factor is another account's or stale, or
  /// the session ended meanwhile.
  Async<BegunSession> raise(OpenSession session, ProvenFactor factor);

  /// The session that was presented, if it holds; else `unauthenticated` with one reason for unknown, ended and too
  /// old. From memory when seen in the last second. `permission_denied` for a change without the right CSRF token.
  Async<OpenSession> require_open(PresentedSession presented, SessionUse use);
  /// The same, and `unauthenticated` while something is owed: what every request but those of signing in asks for.
  Async<FullSession> require_full(PresentedSession presented, SessionUse use);

  /// `unauthenticated` while something is owed.
  static Result<FullSession> as_full(OpenSession session);

  /// The second factor that was presented in this session a moment ago (`factor_fresh_for`), for what asks for one;
  /// `permission_denied` if it must be presented again.
  Result<ProvenFactor> fresh_factor(const OpenSession& session) const;

  /// Acts for another organisation from now on. `not_found` if the account does not belong to it; `permission_denied`
  /// if it requires a second factor and none was presented in this session.
  Async<FullSession> switch_organisation(FullSession session, TenantId tenant);

  /// Those that hold, latest used first.
  Async<std::vector<SessionRecord>> list(AccountId account);

  /// Ends one of the account's own; another account's is `not_found`, as one that does not exist.
  Async<> end(AccountId account, SessionId id);
  Async<> end_all_but(OpenSession keep);
  /// For a person who lost a machine and for the operator.
  Async<> end_all(AccountId account);

  /// Writes when sessions were last used, all in one transaction. Call it about once a minute and at shutdown.
  Async<> flush_last_seen();
  /// Deletes rows of sessions that ended long ago. Call it about once an hour.
  Async<> sweep();

  /// Reads these anew from now on. After a change by a store whose transaction ended sessions, and by a signal from
  /// another node, without which it takes a second.
  void forget_account(AccountId account);
  void forget_tenant(TenantId tenant);
  void forget_all();

 private:
  Timestamp last_seen(const SessionRecord& record) const;
  void note_seen(SessionId id, Timestamp now);

  db::ControlSession control_;
  const Clock& clock_;
  crypto::Random& random_;
  FreshCache<crypto::Digest, SessionRecord> cache_;
  mutable std::mutex seen_mutex_;
  std::unordered_map<SessionId, Timestamp> seen_;
};

/// For transactions that end sessions along with what they change; `SessionStore::forget_account` comes after the
/// commit.
Result<void> end_sessions(db::ControlWriter& writer, AccountId account, Timestamp now,
                          std::optional<SessionId> keep = std::nullopt);

}  // namespace parley::identity
