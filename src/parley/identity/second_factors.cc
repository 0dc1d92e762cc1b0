#include "parley/identity/second_factors.h"

#include <fmt/format.h>

#include "parley/crypto/totp.h"
#include "parley/identity/factor_rows.h"
#include "parley/identity/qr_svg.h"
#include "parley/text/percent.h"

namespace parley::identity {

using namespace db::literals;

namespace {

constexpr crypto::TotpShape shape;

// Digits and lower-case letters without i, l, o and u: none is taken for another.
constexpr std::string_view recovery_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

crypto::SealContext context_of(AccountId account) { return crypto::SealContext("totp secret").with(account); }

std::unexpected<Error> refuse_code() {
  return fail(Code::unauthenticated, "the code is not right, or was used before");
}

// What a transaction found out. A value, not an error: an error would undo the count of tries.
struct Tried {
  bool right = false;
  std::optional<std::chrono::seconds> wait = std::nullopt;

  Result<void> outcome() const {
    if (wait)
      return fail(
          Error(Code::rate_limited, "too many wrong codes; try again later").about("second_factor").retry_after(*wait));
    if (!right) return refuse_code();
    return {};
  }
};

/// How many wrong ones there were, and since when; how long to wait if that is too many.
struct Tries {
  Timestamp since;
  std::int64_t count = 0;
  std::optional<std::chrono::seconds> wait;
};

Result<Tries> load_tries(AccountId account, FactorKind kind, std::int64_t most, Timestamp now,
                         db::ControlReader& reader) {
  auto tries = PARLEY_TRY(reader.find(
      "SELECT since, count FROM factor_tries WHERE account_id = $1 AND kind = $2"_sql,
      [](const db::Row& row) { return Tries{.since = row.time(0), .count = row.integer(1), .wait = {}}; }, account,
      name(kind)));
  if (!tries || now - tries->since >= factor_tries_window) return Tries{.since = now, .count = 0, .wait = {}};
  // The clock was set back: neither is the count forgotten, nor does it hold for longer than from now.
  tries->since = std::min(tries->since, now);
  if (tries->count >= most)
    tries->wait = std::chrono::ceil<std::chrono::seconds>(tries->since + factor_tries_window - now);
  return *tries;
}

Result<void> put_tries(AccountId account, FactorKind kind, const Tries& tries, db::ControlWriter& writer) {
  PARLEY_TRY(
      writer.run("INSERT INTO factor_tries (account_id, kind, since, count) VALUES ($1, $2, $3, $4) "
                 "ON CONFLICT (account_id, kind) DO UPDATE SET since = excluded.since, count = excluded.count"_sql,
                 account, name(kind), tries.since, tries.count));
  return {};
}

/// Runs `check` (whether it was right) unless there were too many tries, and counts.
template <class Check>
Result<Tried> counted(AccountId account, FactorKind kind, std::int64_t most, Timestamp now, db::ControlWriter& writer,
                      Check check) {
  auto tries = PARLEY_TRY(load_tries(account, kind, most, now, writer));
  if (tries.wait) {
    // As it may have been put right for the clock.
    PARLEY_TRY(put_tries(account, kind, tries, writer));
    return Tried{.right = false, .wait = tries.wait};
  }
  const bool right = PARLEY_TRY(check());
  if (right) tries = {.since = now, .count = 0, .wait = {}};
  else if (tries.count++ == 0) tries.since = now;
  PARLEY_TRY(put_tries(account, kind, tries, writer));
  return Tried{.right = right};
}

struct StoredTotp {
  std::optional<std::string> sealed;
  std::optional<std::string> pending;
  std::int64_t last_step = 0;
};

std::optional<std::string> optional_blob(const db::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(std::string(row.blob(column)));
}

Result<std::optional<StoredTotp>> find_totp(AccountId account, db::ControlReader& reader) {
  return reader.find(
      "SELECT sealed_secret, sealed_pending, last_step FROM totp_secrets WHERE account_id = $1"_sql,
      [](const db::Row& row) {
        return StoredTotp{
            .sealed = optional_blob(row, 0), .pending = optional_blob(row, 1), .last_step = row.integer(2)};
      },
      account);
}

/// The step whose code this is and that comes after the last.
Result<std::optional<std::int64_t>> find_step(AccountId account, const std::string& sealed, std::int64_t last_step,
                                              std::string_view code, const crypto::SealKey& key, Timestamp now) {
  const auto secret = PARLEY_TRY(crypto::open(key, sealed, context_of(account)));
  return crypto::find_totp_step(secret, code, crypto::totp_step(now, shape.period), last_step, shape);
}

Result<std::string> load_email(AccountId account, db::ControlReader& reader) {
  auto email = PARLEY_TRY(reader.find(
      "SELECT email FROM accounts WHERE id = $1"_sql, [](const db::Row& row) { return std::string(row.text(0)); },
      account));
  if (!email) return fail(Code::not_found, "there is no such account");
  return *std::move(email);
}

struct RecoveryCode {
  Secret text;
  crypto::Digest digest;
};

// With the account: a code is nothing to another one.
crypto::Digest digest_of(AccountId account, std::string_view characters) {
  return crypto::Sha256().update("parley recovery code 1\n").update(account.to_string()).update(characters).finish();
}

std::vector<RecoveryCode> draw_codes(AccountId account, crypto::Random& random) {
  std::vector<RecoveryCode> codes;
  for (std::size_t i = 0; i < recovery_codes_count; ++i) {
    const Secret characters(crypto::random_text(recovery_code_characters, recovery_alphabet, random));
    std::string text;
    text.reserve(recovery_code_characters * 2);
    for (std::size_t at = 0; at < recovery_code_characters; ++at) {
      if (at > 0 && at % 4 == 0) text += '-';
      text += characters.reveal()[at];
    }
    codes.push_back({.text = Secret(std::move(text)), .digest = digest_of(account, characters.reveal())});
  }
  return codes;
}

/// As it was drawn, or none: without blanks and dashes, in lower case, o and i, l read as the digits they look like.
std::optional<std::string> parse_recovery_code(std::string_view text) {
  std::string characters;
  for (char c : text) {
    if (c == ' ' || c == '-') continue;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == 'o') c = '0';
    if (c == 'i' || c == 'l') c = '1';
    if (recovery_alphabet.find(c) == std::string_view::npos || characters.size() == recovery_code_characters)
      return std::nullopt;
    characters.push_back(c);
  }
  if (characters.size() != recovery_code_characters) return std::nullopt;
  return characters;
}

Result<void> put_codes(AccountId account, const std::vector<RecoveryCode>& codes, db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM recovery_codes WHERE account_id = $1"_sql, account));
  for (const auto& code : codes)
    PARLEY_TRY(writer.run("INSERT INTO recovery_codes (account_id, digest) VALUES ($1, $2)"_sql, account,
                          db::Blob{code.digest.view()}));
  return {};
}

Result<std::int64_t> count_unused_codes(AccountId account, db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM recovery_codes WHERE account_id = $1 AND used_at IS NULL"_sql,
      [](const db::Row& row) { return row.integer(0); }, account));
  return count.value_or(0);
}

std::vector<Secret> texts_of(std::vector<RecoveryCode> codes) {
  std::vector<Secret> texts;
  for (auto& code : codes) texts.push_back(std::move(code.text));
  return texts;
}

std::unexpected<Error> refuse_stale() {
  return fail(Code::permission_denied, "present your second factor again first");
}

Result<void> require_fresh(const FullSession& session, const ProvenFactor& factor, Timestamp now) {
  if (!factor.is_fresh(session->account, now)) return refuse_stale();
  return {};
}

Result<void> require_may_enrol(const OpenSession& session) {
  // Whoever has only the password must not put a factor of their own in place of the one that is owed.
  if (session->assurance == Assurance::factor_owed)
    return fail(Code::unauthenticated, "the second factor is still to be presented");
  return {};
}

}  // namespace

SecondFactors::SecondFactors(db::ControlSession control, crypto::SealKey key, SessionStore& sessions,
                             const Clock& clock, crypto::Random& random, std::string issuer)
    : key_(std::move(key)),
      control_(std::move(control)),
      sessions_(sessions),
      clock_(clock),
      random_(random),
      issuer_(std::move(issuer)) {}

Async<std::vector<FactorKind>> SecondFactors::kinds_of(AccountId account) {
  auto work = [account](db::ControlReader& reader) -> Result<std::vector<FactorKind>> {
    auto kinds = PARLEY_TRY(list_factors(account, reader));
    if (PARLEY_TRY(count_unused_codes(account, reader)) > 0) kinds.push_back(FactorKind::recovery_code);
    return kinds;
  };
  co_return co_await control_.read(std::move(work));
}

Async<std::size_t> SecondFactors::recovery_codes_left(AccountId account) {
  auto work = [account](db::ControlReader& reader) { return count_unused_codes(account, reader); };
  co_return static_cast<std::size_t>(PARLEY_CO_TRY(co_await control_.read(std::move(work))));
}

Async<TotpEnrolment> SecondFactors::begin_totp(OpenSession session, std::optional<ProvenFactor> factor) {
  PARLEY_CO_TRY(require_may_enrol(session));
  const auto account = session->account;
  const bool is_fresh = factor && factor->is_fresh(account, clock_.now());
  const Secret secret = crypto::make_totp_secret(random_);
  const auto sealed = crypto::seal(key_, secret.reveal(), context_of(account), random_);
  auto work = [&](db::ControlWriter& writer) -> Result<std::string> {
    if (!is_fresh && PARLEY_TRY(has_factor(account, writer))) return refuse_stale();
    PARLEY_TRY(
        writer.run("INSERT INTO totp_secrets (account_id, sealed_pending, last_step) VALUES ($1, $2, -1) "
                   "ON CONFLICT (account_id) DO UPDATE SET sealed_pending = excluded.sealed_pending"_sql,
                   account, db::Blob{sealed}));
    return load_email(account, writer);
  };
  const auto email = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  TotpEnrolment enrolment;
  enrolment.text = crypto::to_base32(secret);
  const auto issuer = text::percent_encode(issuer_);
  enrolment.uri = Secret(fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}&algorithm=SHA1&digits={}&period={}",
                                     issuer, text::percent_encode(email), enrolment.text.reveal(), issuer, shape.digits,
                                     shape.period.count()));
  enrolment.qr_svg = PARLEY_CO_TRY(qr_svg(enrolment.uri));
  co_return std::move(enrolment);
}

Async<TotpEnrolled> SecondFactors::confirm_totp(OpenSession session, std::string code) {
  PARLEY_CO_TRY(require_may_enrol(session));
  const auto account = session->account;
  const auto now = clock_.now();
  const auto codes = draw_codes(account, random_);
  struct Confirmed {
    Tried tried;
    bool with_codes = false;
  };
  auto work = [&](db::ControlWriter& writer) -> Result<Confirmed> {
    const auto stored = PARLEY_TRY(find_totp(account, writer));
    if (!stored || !stored->pending) return fail(Code::not_found, "no authenticator app is being set up");
    auto check = [&]() -> Result<bool> {
      // The codes of another secret say nothing about this one's, so no step was used.
      const auto step = PARLEY_TRY(find_step(account, *stored->pending, -1, code, key_, now));
      if (!step) return false;
      PARLEY_TRY(
          writer.run("UPDATE totp_secrets SET sealed_secret = sealed_pending, sealed_pending = NULL, "
                     "last_step = $2 WHERE account_id = $1"_sql,
                     account, *step));
      return true;
    };
    Confirmed confirmed;
    confirmed.tried = PARLEY_TRY(counted(account, FactorKind::totp, totp_tries_max, now, writer, check));
    if (!confirmed.tried.right) return confirmed;
    PARLEY_TRY(add_factor(account, FactorKind::totp, session->id, now, writer));
    confirmed.with_codes = PARLEY_TRY(count_unused_codes(account, writer)) == 0;
    if (confirmed.with_codes) PARLEY_TRY(put_codes(account, codes, writer));
    return confirmed;
  };
  const auto confirmed = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  PARLEY_CO_TRY(confirmed.tried.outcome());
  sessions_.forget_account(account);
  co_return TotpEnrolled{.factor = ProvenFactor(account, FactorKind::totp, now),
                         .recovery_codes = confirmed.with_codes ? texts_of(codes) : std::vector<Secret>()};
}

Async<ProvenFactor> SecondFactors::verify_totp(OpenSession session, std::string code) {
  const auto account = session->account;
  const auto now = clock_.now();
  auto work = [&](db::ControlWriter& writer) -> Result<Tried> {
    auto check = [&]() -> Result<bool> {
      const auto stored = PARLEY_TRY(find_totp(account, writer));
      if (!stored || !stored->sealed) return false;
      const auto step = PARLEY_TRY(find_step(account, *stored->sealed, stored->last_step, code, key_, now));
      if (!step) return false;
      PARLEY_TRY(writer.run("UPDATE totp_secrets SET last_step = $2 WHERE account_id = $1"_sql, account, *step));
      return true;
    };
    return counted(account, FactorKind::totp, totp_tries_max, now, writer, check);
  };
  const auto tried = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  PARLEY_CO_TRY(tried.outcome());
  co_return ProvenFactor(account, FactorKind::totp, now);
}

Async<ProvenFactor> SecondFactors::verify_recovery_code(OpenSession session, std::string code) {
  const auto account = session->account;
  const auto now = clock_.now();
  const auto characters = parse_recovery_code(code);
  const auto digest = digest_of(account, characters.value_or(std::string()));
  auto work = [&](db::ControlWriter& writer) -> Result<Tried> {
    auto check = [&]() -> Result<bool> {
      // A code stands in for a factor. Without one (whose session would owe an enrolment) it is nothing.
      if (!PARLEY_TRY(has_factor(account, writer))) return false;
      const auto used = PARLEY_TRY(writer.run(
          "UPDATE recovery_codes SET used_at = $3 WHERE account_id = $1 AND digest = $2 AND used_at IS NULL"_sql,
          account, db::Blob{digest.view()}, now));
      return used == 1;
    };
    return counted(account, FactorKind::recovery_code, recovery_tries_max, now, writer, check);
  };
  const auto tried = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  PARLEY_CO_TRY(tried.outcome());
  co_return ProvenFactor(account, FactorKind::recovery_code, now);
}

Async<std::vector<Secret>> SecondFactors::make_recovery_codes(FullSession session, ProvenFactor factor) {
  PARLEY_CO_TRY(require_fresh(session, factor, clock_.now()));
  const auto account = session->account;
  auto codes = draw_codes(account, random_);
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(has_factor(account, writer)))
      return fail(Code::conflict, "there is no second factor that recovery codes could stand in for");
    return put_codes(account, codes, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return texts_of(std::move(codes));
}

Async<> SecondFactors::remove_totp(FullSession session, ProvenFactor factor) {
  PARLEY_CO_TRY(require_fresh(session, factor, clock_.now()));
  auto work = [account = session->account](db::ControlWriter& writer) -> Result<void> {
    const auto removed = PARLEY_TRY(
        writer.run("DELETE FROM totp_secrets WHERE account_id = $1 AND sealed_secret IS NOT NULL"_sql, account));
    if (removed == 0) return fail(Code::not_found, "there is no authenticator app");
    return drop_factor(account, FactorKind::totp, writer);
  };
  co_return co_await control_.write(std::move(work));
}

Async<> SecondFactors::reset(LocalOperator, AccountId account) {
  auto work = [account, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(writer.run("DELETE FROM totp_secrets WHERE account_id = $1"_sql, account));
    PARLEY_TRY(writer.run("DELETE FROM recovery_codes WHERE account_id = $1"_sql, account));
    // With what was lost somebody else may sign in: a passkey is a way in by itself.
    PARLEY_TRY(writer.run("DELETE FROM passkeys WHERE account_id = $1"_sql, account));
    PARLEY_TRY(writer.run("DELETE FROM second_factors WHERE account_id = $1"_sql, account));
    PARLEY_TRY(writer.run("DELETE FROM factor_tries WHERE account_id = $1"_sql, account));
    return end_sessions(writer, account, now);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  sessions_.forget_account(account);
  co_return Result<void>();
}

}  // namespace parley::identity
