#include "parley/identity/account_links.h"

#include "parley/identity/account_rows.h"
#include "parley/identity/token_text.h"

namespace parley::identity {

using namespace db::literals;

namespace {

/// What a link is for: in its text, its row and its digest, so that one for another purpose is unknown.
struct Purpose {
  Literal name;
  Literal prefix;
  std::chrono::microseconds lifetime;
};
constexpr Purpose to_reset{"reset", "pr_1", reset_link_lifetime};
constexpr Purpose to_confirm{"confirm", "pc_1", confirmation_link_lifetime};

constexpr std::size_t token_random_characters = 43;  // 256 bits

std::unexpected<Error> refuse_token() {
  return fail(Code::not_found, "the link is not valid any more; ask for a new one");
}

Result<crypto::Digest> digest_of(const Purpose& purpose, const Secret& token) {
  if (!is_token_text(token.reveal(), purpose.prefix, token_random_characters)) return refuse_token();
  return crypto::Sha256().update("parley link 1\n").update(purpose.name).update("\n").update(token.reveal()).finish();
}

struct NewLink {
  Purpose purpose;
  Secret token;
  crypto::Digest digest;
  Timestamp now;
};

Result<NewLink> draw_link(const Purpose& purpose, Timestamp now, crypto::Random& random) {
  Secret token = make_token_text(purpose.prefix, token_random_characters, random);
  const auto digest = PARLEY_TRY(digest_of(purpose, token));
  return NewLink{.purpose = purpose, .token = std::move(token), .digest = digest, .now = now};
}

/// Ends earlier links for the purpose, and writes this one. Without an account it writes a row that leads nowhere and
/// that the next call removes, so that asking for an address nobody has takes the same statements and the same sync.
Result<void> put_link(const NewLink& link, std::optional<AccountId> account, std::string_view email,
                      db::ControlWriter& writer) {
  PARLEY_TRY(writer.run("DELETE FROM one_time_tokens WHERE expires_at <= $1"_sql, link.now));
  PARLEY_TRY(writer.run(
      "UPDATE one_time_tokens SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL"_sql,
      account.value_or(AccountId()), link.purpose.name, link.now));
  PARLEY_TRY(
      writer.run("INSERT INTO one_time_tokens (digest, purpose, account_id, email, created_at, expires_at) "
                 "VALUES ($1, $2, $3, $4, $5, $6)"_sql,
                 db::Blob{link.digest.view()}, link.purpose.name, account, email, link.now,
                 account ? link.now + link.purpose.lifetime : link.now));
  return {};
}

Result<bool> was_written_to_enough(const Purpose& purpose, AccountId account, Timestamp now,
                                   db::ControlReader& reader) {
  const auto count = PARLEY_TRY(reader.find(
      "SELECT count(*) FROM one_time_tokens WHERE account_id = $1 AND purpose = $2 AND created_at > $3"_sql,
      [](const db::Row& row) { return row.integer(0); }, account, purpose.name, now - std::chrono::hours(1)));
  return count.value_or(0) >= letters_per_hour_max;
}

/// Whom it leads to: an account that may sign in and still has the address the letter went to.
Result<Account> load_owner(const Purpose& purpose, const crypto::Digest& digest, Timestamp now,
                           db::ControlReader& reader) {
  struct Owner {
    AccountId account;
    std::string email;
  };
  const auto owner = PARLEY_TRY(reader.find(
      "SELECT account_id, email FROM one_time_tokens WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND "
      "expires_at > $3 AND account_id IS NOT NULL"_sql,
      [](const db::Row& row) { return Owner{.account = row.id<AccountId>(0), .email = std::string(row.text(1))}; },
      db::Blob{digest.view()}, purpose.name, now));
  if (!owner) return refuse_token();
  auto account = PARLEY_TRY(account_rows::find(owner->account, reader));
  if (!account || account->disabled_at || account->email != owner->email) return refuse_token();
  return *std::move(account);
}

Result<void> use_link(const crypto::Digest& digest, Timestamp now, db::ControlWriter& writer) {
  const auto used =
      PARLEY_TRY(writer.run("UPDATE one_time_tokens SET used_at = $2 WHERE digest = $1 AND used_at IS NULL"_sql,
                            db::Blob{digest.view()}, now));
  if (used == 0) return refuse_token();
  return {};
}

}  // namespace

AccountLinks::AccountLinks(db::ControlSession control, PasswordHasher& hasher, SessionStore& sessions,
                           const Clock& clock, crypto::Random& random)
    : control_(std::move(control)), hasher_(hasher), sessions_(sessions), clock_(clock), random_(random) {}

Async<std::optional<Letter>> AccountLinks::create_reset(std::string email) {
  // Text that is no address takes the same way as an address nobody has.
  const auto folded = parse_email(email).value_or(std::string());
  auto link = PARLEY_CO_TRY(draw_link(to_reset, clock_.now(), random_));
  auto work = [&](db::ControlWriter& writer) -> Result<bool> {
    const auto account = PARLEY_TRY(account_rows::find_by_email(folded, writer));
    const auto id = account ? account->id : AccountId();
    const bool enough = PARLEY_TRY(was_written_to_enough(to_reset, id, link.now, writer));
    const bool known = account && !account->disabled_at && !enough;
    // Whoever was written to enough keeps the last link.
    PARLEY_TRY(put_link(link, known ? std::optional(id) : std::nullopt, known ? folded : "", writer));
    return known;
  };
  const bool known = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  if (!known) co_return std::optional<Letter>();
  co_return std::optional(Letter{.email = folded, .token = std::move(link.token)});
}

Async<Letter> AccountLinks::create_reset(LocalOperator, AccountId id) {
  auto link = PARLEY_CO_TRY(draw_link(to_reset, clock_.now(), random_));
  auto work = [&](db::ControlWriter& writer) -> Result<std::string> {
    const auto account = PARLEY_TRY(account_rows::find(id, writer));
    if (!account) return fail(Code::not_found, "there is no such account");
    if (account->disabled_at) return fail(Code::conflict, "the account is disabled; enable it first");
    PARLEY_TRY(put_link(link, id, account->email, writer));
    return account->email;
  };
  auto email = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return Letter{.email = std::move(email), .token = std::move(link.token)};
}

Async<AccountId> AccountLinks::require_reset(Secret token) {
  const auto digest = PARLEY_CO_TRY(digest_of(to_reset, token));
  auto work = [&, now = clock_.now()](db::ControlReader& reader) { return load_owner(to_reset, digest, now, reader); };
  co_return PARLEY_CO_TRY(co_await control_.read(std::move(work))).id;
}

Async<AccountId> AccountLinks::reset_password(Secret token, Secret password) {
  const auto digest = PARLEY_CO_TRY(digest_of(to_reset, token));
  const auto now = clock_.now();
  // Looked at before the password is hashed, so that a stranger without a link cannot keep the hasher busy.
  auto look = [&](db::ControlReader& reader) { return load_owner(to_reset, digest, now, reader); };
  const auto owner = PARLEY_CO_TRY(co_await control_.read(std::move(look)));
  const auto hash = PARLEY_CO_TRY(co_await hash_new_password(hasher_, owner.email, std::move(password)));
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(load_owner(to_reset, digest, now, writer));
    PARLEY_TRY(use_link(digest, now, writer));
    PARLEY_TRY(account_rows::set_password_hash(owner.id, hash, writer));
    PARLEY_TRY(account_rows::end_links(owner.id, now, writer));
    return end_sessions(writer, owner.id, now);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  sessions_.forget_account(owner.id);
  co_return owner.id;
}

Async<std::optional<Letter>> AccountLinks::create_confirmation(AccountId id) {
  auto link = PARLEY_CO_TRY(draw_link(to_confirm, clock_.now(), random_));
  auto work = [&](db::ControlWriter& writer) -> Result<std::optional<std::string>> {
    const auto account = PARLEY_TRY(account_rows::find(id, writer));
    if (!account || account->disabled_at) return fail(Code::not_found, "there is no such account");
    if (account->confirmed_at || PARLEY_TRY(was_written_to_enough(to_confirm, id, link.now, writer)))
      return std::optional<std::string>();
    PARLEY_TRY(put_link(link, id, account->email, writer));
    return std::optional(account->email);
  };
  auto email = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  if (!email) co_return std::optional<Letter>();
  co_return std::optional(Letter{.email = *std::move(email), .token = std::move(link.token)});
}

Async<AccountId> AccountLinks::confirm(Secret token) {
  const auto digest = PARLEY_CO_TRY(digest_of(to_confirm, token));
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<AccountId> {
    const auto owner = PARLEY_TRY(load_owner(to_confirm, digest, now, writer));
    PARLEY_TRY(use_link(digest, now, writer));
    PARLEY_TRY(account_rows::confirm(owner.id, now, writer));
    return owner.id;
  };
  co_return co_await control_.write(std::move(work));
}

}  // namespace parley::identity
