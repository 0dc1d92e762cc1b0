#include "parley/identity/account_store.h"

#include <algorithm>

#include <zxcvbn.h>

#include "parley/crypto/hash.h"
#include "parley/identity/account_rows.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/identity/role_rules.h"

namespace parley::identity {

using namespace db::literals;

namespace {

constexpr std::string_view token_prefix = "setup_";
constexpr std::size_t token_random_characters = 32;
constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t token_characters_max = 100;

// zxcvbn's work grows faster than the length. What stands after so many bytes cannot make a password weaker.
constexpr std::size_t judged_bytes_max = 72;

crypto::Digest token_digest(const Secret& token) {
  return crypto::Sha256().update("parley setup token 1\n").update(token.reveal()).finish();
}

int score_of(double entropy_bits) {
  // zxcvbn's own steps: 10^3, 10^6, 10^8 and 10^10 guesses, in bits.
  int score = 0;
  for (const double step : {9.97, 19.93, 26.58, 33.22})
    if (entropy_bits >= step) ++score;
  return score;
}

Result<void> require_no_account(db::ControlReader& reader) {
  const auto any = PARLEY_TRY(reader.find("SELECT 1 FROM accounts LIMIT 1"_sql, [](const db::Row&) { return true; }));
  if (any) return fail(Code::conflict, "set-up is over: there is an account already");
  return {};
}

std::unexpected<Error> refuse_token() {
  return fail(Code::unauthenticated, "the set-up token is not valid; start the server again for a new one");
}

}  // namespace

Result<std::string> parse_email(std::string_view text) {
  const auto refuse = [](std::string why) {
    return fail(Code::invalid_argument, "that is not an e-mail address", std::move(why));
  };
  if (text.size() > email_bytes_max) return refuse("too long");
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return refuse("no local part, or too long a one");
  std::string email;
  for (const char c : text) {
    // ASCII alone: two spellings of one letter must not be two accounts.
    if (c <= ' ' || c > '~' || c == '"' || c == '<' || c == '>' || c == ',' || c == ';' || c == '\\')
      return refuse("a character that is not allowed");
    email.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (std::ranges::count(email, '@') != 1) return refuse("more than one @");
  const auto domain = std::string_view(email).substr(at + 1);
  const bool is_domain = domain.size() >= 3 && domain.find('.') != std::string_view::npos && domain.front() != '.' &&
                         domain.back() != '.' && domain.find("..") == std::string_view::npos &&
                         domain.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
  if (!is_domain) return refuse("not a domain");
  return email;
}

Result<void> check_password_strength(const Secret& password, std::string_view email) {
  const auto text = password.reveal();
  if (text.size() > crypto::password_bytes_max) return fail(Code::too_large, "the password is too long");
  // Characters, not bytes: UTF-8 continuation bytes do not count.
  const auto characters = std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
  if (characters < static_cast<std::ptrdiff_t>(password_characters_min))
    return fail(Code::invalid_argument, "the password needs at least 10 characters");

  std::string judged(text.substr(0, judged_bytes_max));
  std::string local(email.substr(0, email.find('@')));
  std::string domain(email.substr(std::min(email.size(), local.size() + 1)));
  std::string site = domain.substr(0, domain.find('.'));
  const std::string whole(email);
  const char* words[] = {whole.c_str(), local.c_str(), domain.c_str(), site.c_str(), "parley", nullptr};
  const int score = score_of(ZxcvbnMatch(judged.c_str(), words, nullptr));
  const Secret wiped(std::move(judged));
  if (score < password_score_min)
    return fail(Code::invalid_argument, "the password is too easy to guess; several unrelated words make a good one");
  return {};
}

AccountStore::AccountStore(db::ControlSession control, PasswordHasher& hasher, SessionStore& sessions,
                           const Clock& clock, crypto::Random& random)
    : control_(std::move(control)), hasher_(hasher), sessions_(sessions), clock_(clock), random_(random) {}

Async<Secret> AccountStore::create_setup_token() {
  const Secret body(crypto::random_text(token_random_characters, base62, random_));
  std::string text(token_prefix);
  text.reserve(token_prefix.size() + token_random_characters);
  text += body.reveal();
  Secret token(std::move(text));
  const auto digest = token_digest(token);
  auto work = [&digest, end = clock_.now() + setup_token_lifetime](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(require_no_account(writer));
    PARLEY_TRY(writer.run("DELETE FROM setup_tokens"_sql));
    PARLEY_TRY(
        writer.run("INSERT INTO setup_tokens (digest, expires_at) VALUES ($1, $2)"_sql, db::Blob{digest.view()}, end));
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return std::move(token);
}

Async<> AccountStore::require_setup_token(Secret token) {
  if (token.reveal().size() > token_characters_max) co_return refuse_token();
  const auto digest = token_digest(token);
  auto look = [&](db::ControlReader& reader) -> Result<void> {
    PARLEY_TRY(require_no_account(reader));
    const auto held = PARLEY_TRY(reader.find(
        "SELECT 1 FROM setup_tokens WHERE digest = $1 AND used_at IS NULL AND expires_at > $2"_sql,
        [](const db::Row&) { return true; }, db::Blob{digest.view()}, clock_.now()));
    if (!held) return refuse_token();
    return {};
  };
  co_return co_await control_.read(std::move(look));
}

Async<> AccountStore::check_candidate(std::string email, Secret password) {
  const auto folded = PARLEY_CO_TRY(parse_email(email));
  auto work = [&] { return check_password_strength(password, folded); };
  co_return co_await hasher_.run(std::move(work));
}

Async<Account> AccountStore::create_first_administrator(Secret token, std::string email, Secret password,
                                                        TenantId tenant) {
  const auto digest = token_digest(token);
  const auto now = clock_.now();
  Account account{.id = crypto::random_id<AccountId>(random_),
                  .email = PARLEY_CO_TRY(parse_email(email)),
                  .created_at = now,
                  .confirmed_at = {},
                  .disabled_at = {}};
  // Looked at before the password is hashed, so that a stranger without a token cannot keep the hasher busy.
  PARLEY_CO_TRY(co_await require_setup_token(token));
  const auto hash = PARLEY_CO_TRY(co_await hash_new_password(hasher_, account.email, std::move(password)));
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(require_no_account(writer));
    const auto used = PARLEY_TRY(
        writer.run("UPDATE setup_tokens SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2"_sql,
                   db::Blob{digest.view()}, now));
    if (used == 0) return refuse_token();
    if (!PARLEY_TRY(by_tenant::find_tenant(tenant, writer))) return fail(Code::not_found, "there is no such tenant");
    PARLEY_TRY(account_rows::insert(account, hash, writer));
    return by_tenant::put_member(tenant, account.id, Role::administrator, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return std::move(account);
}

Async<Account> AccountStore::create(std::string email, Secret password) {
  Account account{.id = crypto::random_id<AccountId>(random_),
                  .email = PARLEY_CO_TRY(parse_email(email)),
                  .created_at = clock_.now(),
                  .confirmed_at = {},
                  .disabled_at = {}};
  const auto hash = PARLEY_CO_TRY(co_await hash_new_password(hasher_, account.email, std::move(password)));
  auto work = [&](db::ControlWriter& writer) { return account_rows::insert(account, hash, writer); };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return std::move(account);
}

Async<Account> AccountStore::create_without_password(std::string email) {
  Account account{.id = crypto::random_id<AccountId>(random_),
                  .email = PARLEY_CO_TRY(parse_email(email)),
                  .created_at = clock_.now(),
                  .confirmed_at = {},
                  .disabled_at = {}};
  auto work = [&, hash = crypto::decoy_hash(hasher_.cost())](db::ControlWriter& writer) {
    return account_rows::insert(account, hash, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return std::move(account);
}

Async<ProvenAccount> AccountStore::verify_password(std::string email, Secret password) {
  // Text that is no address takes the same way as an address nobody has.
  const auto folded = parse_email(email).value_or(std::string());
  struct Stored {
    std::optional<Account> account;
    std::optional<std::string> hash;
  };
  auto work = [&folded](db::ControlReader& reader) -> Result<Stored> {
    Stored stored;
    stored.account = PARLEY_TRY(account_rows::find_by_email(folded, reader));
    // Asked for nobody as well, so that both take two statements.
    stored.hash =
        PARLEY_TRY(account_rows::find_password_hash(stored.account ? stored.account->id : AccountId(), reader));
    return stored;
  };
  auto stored = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  auto hash = stored.hash ? *stored.hash : crypto::decoy_hash(hasher_.cost());
  const auto verdict = PARLEY_CO_TRY(co_await hasher_.verify(std::move(password), std::move(hash)));
  const bool holds =
      stored.account && stored.hash && !stored.account->disabled_at && verdict == crypto::PasswordVerdict::match;
  if (!holds) co_return fail(Code::unauthenticated, "the address or the password is not right");
  co_return ProvenAccount(stored.account->id, FirstStep::password);
}

Async<> AccountStore::change_password(FullSession session, Secret old_password, Secret new_password) {
  const auto id = session->account;
  const auto account = PARLEY_CO_TRY(co_await load(id));
  auto read = [id](db::ControlReader& reader) { return account_rows::find_password_hash(id, reader); };
  const auto stored = PARLEY_CO_TRY(co_await control_.read(std::move(read)));
  const auto verdict = PARLEY_CO_TRY(
      co_await hasher_.verify(std::move(old_password), stored.value_or(crypto::decoy_hash(hasher_.cost()))));
  if (verdict != crypto::PasswordVerdict::match) co_return fail(Code::unauthenticated, "the old password is not right");
  const auto hash = PARLEY_CO_TRY(co_await hash_new_password(hasher_, account.email, std::move(new_password)));
  auto work = [&, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(account_rows::set_password_hash(id, hash, writer));
    PARLEY_TRY(account_rows::end_links(id, now, writer));
    return end_sessions(writer, id, now, session->id);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  sessions_.forget_account(id);
  co_return Result<void>();
}

Async<> AccountStore::disable(LocalOperator, AccountId id) {
  auto work = [id, now = clock_.now()](db::ControlWriter& writer) -> Result<void> {
    const auto account = PARLEY_TRY(account_rows::find(id, writer));
    if (!account) return fail(Code::not_found, "there is no such account");
    if (account->disabled_at) return {};
    for (const auto& each : PARLEY_TRY(by_tenant::list_memberships(id, writer))) {
      // For an organisation, disabled is as good as removed.
      PARLEY_TRY(check_member_change(
          {.actor = Role::administrator,
           .from = each.role,
           .to = {},
           .last_administrator = PARLEY_TRY(by_tenant::count_other_administrators(each.tenant, id, writer)) == 0}));
      PARLEY_TRY(by_tenant::revoke_invitations_by(each.tenant, id, now, writer));
    }
    PARLEY_TRY(writer.run("UPDATE accounts SET disabled_at = $2 WHERE id = $1"_sql, id, now));
    PARLEY_TRY(account_rows::end_links(id, now, writer));
    return end_sessions(writer, id, now);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  sessions_.forget_account(id);
  co_return Result<void>();
}

Async<> AccountStore::enable(LocalOperator, AccountId id) {
  auto work = [id](db::ControlWriter& writer) -> Result<void> {
    if (PARLEY_TRY(writer.run("UPDATE accounts SET disabled_at = NULL WHERE id = $1"_sql, id)) == 0)
      return fail(Code::not_found, "there is no such account");
    return {};
  };
  co_return co_await control_.write(std::move(work));
}

Async<Account> AccountStore::load(AccountId id) {
  auto work = [id](db::ControlReader& reader) { return account_rows::find(id, reader); };
  auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such account");
  co_return std::move(*found);
}

Async<std::optional<Account>> AccountStore::find_by_email(std::string email) {
  const auto folded = PARLEY_CO_TRY(parse_email(email));
  auto work = [&folded](db::ControlReader& reader) { return account_rows::find_by_email(folded, reader); };
  co_return co_await control_.read(std::move(work));
}

Async<std::vector<Account>> AccountStore::list(LocalOperator) {
  auto work = [](db::ControlReader& reader) { return account_rows::list(reader); };
  co_return co_await control_.read(std::move(work));
}

}  // namespace parley::identity
