#include "parley/identity/passkey_store.h"

#include "parley/identity/factor_rows.h"
#include "parley/text/utf8.h"

namespace parley::identity {

using namespace db::literals;

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) (text += text.empty() ? "" : ",") += word;
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = text.find(',');
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

Result<std::string> checked_name(std::string name) {
  if (name.empty() || name.size() > passkey_name_bytes_max || !text::is_valid_utf8(name))
    return fail(Code::invalid_argument, "a passkey's name has 1 to 100 bytes");
  return name;
}

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the passkey was not accepted", std::move(why));
}

Result<std::vector<PasskeyDescriptor>> descriptors_of(AccountId account, db::ControlReader& reader) {
  return reader.all(
      "SELECT credential_id, transports FROM passkeys WHERE account_id = $1 ORDER BY created_at, id LIMIT $2"_sql,
      [](const db::Row& row) {
        return PasskeyDescriptor{.credential_id = std::string(row.blob(0)), .transports = split(row.text(1))};
      },
      account, passkeys_per_account_max);
}

// By the session's id, which a rotation of its token leaves as it is.
std::string binding_of(const OpenSession& session) {
  std::string binding = session->account.to_string();
  binding += ' ';
  binding += session->id.to_string();
  return binding;
}

struct Known {
  PasskeyId id;
  AccountId account;
  KnownPasskey passkey;
};

std::optional<PasskeyAlgorithm> algorithm_of(std::int64_t number) {
  for (const auto algorithm : {PasskeyAlgorithm::es256, PasskeyAlgorithm::eddsa, PasskeyAlgorithm::rs256})
    if (number == static_cast<std::int64_t>(algorithm)) return algorithm;
  return std::nullopt;
}

}  // namespace

PasskeyStore::PasskeyStore(db::ControlSession control, const SignInTickets& tickets, std::optional<PasskeySite> site,
                           const Clock& clock, crypto::Random& random)
    : control_(std::move(control)), tickets_(tickets), site_(std::move(site)), clock_(clock), random_(random) {}

std::string PasskeyStore::make_challenge() const { return crypto::random_bytes(passkey_challenge_bytes, random_); }

Result<PasskeySite> PasskeyStore::require_site() const {
  if (!site_)
    return fail(Code::unsupported, "passkeys need the server to have a public address: https and a name, no number");
  return *site_;
}

Async<PasskeyRequest> PasskeyStore::begin_registration(OpenSession session, std::optional<ProvenFactor> factor) {
  const auto site = PARLEY_CO_TRY(require_site());
  // Whoever has only the password must not put a passkey of their own in place of the factor that is owed.
  if (session->assurance == Assurance::factor_owed)
    co_return fail(Code::unauthenticated, "the second factor is still to be presented");
  const auto account = session->account;
  const bool is_fresh = factor && factor->is_fresh(account, clock_.now());
  struct Wanted {
    PasskeyPerson person;
    std::vector<PasskeyDescriptor> known;
  };
  // Made with the first passkey and kept: a second one on the same authenticator then replaces the first.
  const auto fresh = crypto::random_bytes(passkey_handle_bytes, random_);
  auto work = [&](db::ControlWriter& writer) -> Result<Wanted> {
    const auto email = PARLEY_TRY(writer.find(
        "SELECT email FROM accounts WHERE id = $1 AND disabled_at IS NULL"_sql,
        [](const db::Row& row) { return std::string(row.text(0)); }, account));
    if (!email) return fail(Code::not_found, "there is no such account");
    if (!is_fresh && PARLEY_TRY(has_factor(account, writer)))
      return fail(Code::permission_denied, "present your second factor again first");
    PARLEY_TRY(writer.run(
        "INSERT INTO passkey_users (account_id, handle) VALUES ($1, $2) ON CONFLICT (account_id) DO NOTHING"_sql,
        account, db::Blob{fresh}));
    auto handle = PARLEY_TRY(writer.find(
        "SELECT handle FROM passkey_users WHERE account_id = $1"_sql,
        [](const db::Row& row) { return std::string(row.blob(0)); }, account));
    auto known = PARLEY_TRY(descriptors_of(account, writer));
    if (known.size() >= passkeys_per_account_max) return fail(Code::conflict, "there are too many passkeys already");
    return Wanted{.person = {.handle = std::move(handle).value_or(fresh), .name = *email}, .known = std::move(known)};
  };
  const auto wanted = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  const auto challenge = make_challenge();
  // Preferred: it may come on top of a password. A sign-in by passkey alone asks again, and refuses one without.
  co_return PasskeyRequest{
      .options = passkey_creation_options(site, challenge, wanted.person, wanted.known, UserVerification::preferred),
      .ticket = tickets_.make(TicketPurpose::passkey_registration, binding_of(session), Secret(challenge),
                              passkey_challenge_life)};
}

Async<MadePasskey> PasskeyStore::finish_registration(OpenSession session, std::string ticket, std::string response,
                                                     std::string name) {
  const auto site = PARLEY_CO_TRY(require_site());
  const auto account = session->account;
  auto called = PARLEY_CO_TRY(checked_name(name.empty() ? "Passkey" : std::move(name)));
  auto taken = tickets_.take(TicketPurpose::passkey_registration, binding_of(session), std::move(ticket));
  const auto challenge = PARLEY_CO_TRY(co_await std::move(taken));
  const auto made = PARLEY_CO_TRY(verify_passkey_registration(
      {.site = site, .challenge = challenge.reveal(), .verification = UserVerification::preferred}, response));
  Passkey passkey{.id = crypto::random_id<PasskeyId>(random_),
                  .account = account,
                  .name = std::move(called),
                  .transports = made.transports,
                  .created_at = clock_.now(),
                  .last_used_at = {}};
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto count = PARLEY_TRY(writer.find(
        "SELECT count(*) FROM passkeys WHERE account_id = $1"_sql, [](const db::Row& row) { return row.integer(0); },
        account));
    if (count.value_or(0) >= static_cast<std::int64_t>(passkeys_per_account_max))
      return fail(Code::conflict, "there are too many passkeys already");
    const auto inserted = PARLEY_TRY(writer.run(
        "INSERT INTO passkeys (id, account_id, credential_id, algorithm, public_key, sign_count, name, transports, "
        "created_at) SELECT $1, id, $3, $4, $5, $6, $7, $8, $9 FROM accounts WHERE id = $2 AND disabled_at IS NULL "
        "ON CONFLICT (credential_id) DO NOTHING"_sql,
        passkey.id, account, db::Blob{made.credential_id}, static_cast<std::int64_t>(made.algorithm),
        db::Blob{made.public_key}, static_cast<std::int64_t>(made.sign_count), passkey.name, joined(passkey.transports),
        passkey.created_at));
    if (inserted == 0) return fail(Code::conflict, "that passkey is known already");
    if (count.value_or(0) > 0) return {};
    return add_factor(account, FactorKind::passkey, session->id, passkey.created_at, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  const ProvenFactor shown(account, FactorKind::passkey, passkey.created_at);
  co_return MadePasskey{.passkey = std::move(passkey), .factor = shown};
}

Result<PasskeyRequest> PasskeyStore::begin_sign_in(std::string binding) const {
  const auto site = PARLEY_TRY(require_site());
  const auto challenge = make_challenge();
  return PasskeyRequest{
      .options = passkey_request_options(site, challenge, {}, UserVerification::required),
      .ticket = tickets_.make(TicketPurpose::passkey_sign_in, binding, Secret(challenge), passkey_challenge_life)};
}

Async<PasskeyProof> PasskeyStore::finish_sign_in(std::string binding, std::string ticket, std::string response) {
  return finish(TicketPurpose::passkey_sign_in, std::move(binding), std::move(ticket), std::move(response),
                UserVerification::required, std::nullopt);
}

Async<PasskeyRequest> PasskeyStore::begin_factor(OpenSession session) {
  const auto site = PARLEY_CO_TRY(require_site());
  auto work = [account = session->account](db::ControlReader& reader) { return descriptors_of(account, reader); };
  const auto known = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (known.empty()) co_return fail(Code::not_found, "the account has no passkey");
  const auto challenge = make_challenge();
  co_return PasskeyRequest{.options = passkey_request_options(site, challenge, known, UserVerification::preferred),
                           .ticket = tickets_.make(TicketPurpose::passkey_factor, binding_of(session),
                                                   Secret(challenge), passkey_challenge_life)};
}

Async<PasskeyProof> PasskeyStore::finish_factor(OpenSession session, std::string ticket, std::string response) {
  return finish(TicketPurpose::passkey_factor, binding_of(session), std::move(ticket), std::move(response),
                UserVerification::preferred, session->account);
}

Async<PasskeyProof> PasskeyStore::finish(TicketPurpose purpose, std::string binding, std::string ticket,
                                         std::string response, UserVerification verification,
                                         std::optional<AccountId> account) {
  const auto site = PARLEY_CO_TRY(require_site());
  auto taken = tickets_.take(purpose, std::move(binding), std::move(ticket));
  const auto challenge = PARLEY_CO_TRY(co_await std::move(taken));
  const auto presented = PARLEY_CO_TRY(parse_passkey_assertion(response));
  const auto now = clock_.now();
  // One transaction: what is compared with the counter is what is written over, so of two answers with one counter one
  // is refused.
  auto work = [&](db::ControlWriter& writer) -> Result<PasskeyProof> {
    const auto known = PARLEY_TRY(writer.find(
        "SELECT p.id, p.account_id, p.algorithm, p.public_key, p.sign_count, u.handle FROM passkeys p "
        "JOIN passkey_users u ON u.account_id = p.account_id JOIN accounts a ON a.id = p.account_id "
        "WHERE p.credential_id = $1 AND a.disabled_at IS NULL"_sql,
        [](const db::Row& row) {
          return std::pair(row.integer(2), Known{.id = row.id<PasskeyId>(0),
                                                 .account = row.id<AccountId>(1),
                                                 .passkey = {.public_key = std::string(row.blob(3)),
                                                             .sign_count = static_cast<std::uint32_t>(row.integer(4)),
                                                             .user_handle = std::string(row.blob(5))}});
        },
        db::Blob{presented.credential_id}));
    if (!known) return refuse("no such credential, or its account is disabled");
    auto found = known->second;
    const auto algorithm = algorithm_of(known->first);
    if (!algorithm) return refuse("an algorithm that this program does not know");
    found.passkey.algorithm = *algorithm;
    if (account && found.account != *account) return refuse("another account's");
    // Alone it has to say whose it is; as a factor the account is known.
    if (!account && presented.user_handle.empty()) return refuse("no user handle");
    const auto use = PARLEY_TRY(verify_passkey_assertion(
        {.site = site, .challenge = challenge.reveal(), .verification = verification}, presented, found.passkey));
    if (use.copied) return PasskeyProof{.account = found.account, .passkey = found.id, .copied = true};
    PARLEY_TRY(writer.run("UPDATE passkeys SET sign_count = $2, last_used_at = $3 WHERE id = $1"_sql, found.id,
                          static_cast<std::int64_t>(use.sign_count), now));
    return PasskeyProof{.account = found.account, .passkey = found.id, .user_verified = use.user_verified};
  };
  auto proof = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  if (proof.copied) co_return proof;
  if (account) proof.factor = ProvenFactor(proof.account, FactorKind::passkey, now);
  else proof.proven = ProvenAccount(proof.account, FirstStep::passkey);
  co_return proof;
}

Async<std::vector<Passkey>> PasskeyStore::list(AccountId account) {
  auto work = [account](db::ControlReader& reader) {
    return reader.all(
        "SELECT id, name, transports, created_at, last_used_at FROM passkeys WHERE account_id = $1 "
        "ORDER BY created_at, id LIMIT $2"_sql,
        [account](const db::Row& row) {
          return Passkey{.id = row.id<PasskeyId>(0),
                         .account = account,
                         .name = std::string(row.text(1)),
                         .transports = split(row.text(2)),
                         .created_at = row.time(3),
                         .last_used_at = row.is_null(4) ? std::nullopt : std::optional(row.time(4))};
        },
        account, passkeys_per_account_max);
  };
  co_return co_await control_.read(std::move(work));
}

Async<> PasskeyStore::rename(AccountId account, PasskeyId id, std::string name) {
  const auto called = PARLEY_CO_TRY(checked_name(std::move(name)));
  auto work = [&](db::ControlWriter& writer) {
    return writer.run("UPDATE passkeys SET name = $3 WHERE id = $1 AND account_id = $2"_sql, id, account, called);
  };
  if (PARLEY_CO_TRY(co_await control_.write(std::move(work))) == 0)
    co_return fail(Code::not_found, "there is no such passkey");
  co_return Result<void>();
}

Async<> PasskeyStore::remove(ProvenFactor factor, PasskeyId id) {
  const auto account = factor.account();
  if (!factor.is_fresh(account, clock_.now()))
    co_return fail(Code::permission_denied, "present your second factor again first");
  auto work = [=](db::ControlWriter& writer) -> Result<void> {
    if (PARLEY_TRY(writer.run("DELETE FROM passkeys WHERE id = $1 AND account_id = $2"_sql, id, account)) == 0)
      return fail(Code::not_found, "there is no such passkey");
    const auto left = PARLEY_TRY(writer.find(
        "SELECT count(*) FROM passkeys WHERE account_id = $1"_sql, [](const db::Row& row) { return row.integer(0); },
        account));
    return left.value_or(0) > 0 ? Result<void>() : drop_factor(account, FactorKind::passkey, writer);
  };
  co_return co_await control_.write(std::move(work));
}

}  // namespace parley::identity
