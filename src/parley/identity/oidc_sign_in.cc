#include "parley/identity/oidc_sign_in.h"

#include <algorithm>

#include "parley/crypto/password.h"
#include "parley/identity/account_rows.h"
#include "parley/identity/account_store.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/text/base64.h"
#include "parley/text/json.h"
#include "parley/text/percent.h"

namespace parley::identity {

using namespace db::literals;

namespace {

// A state and a nonce are guessed at once each: 128 bits. The verifier has the length that PKCE asks for.
constexpr std::size_t state_bytes = 16;
constexpr std::size_t verifier_bytes = 32;
constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr text::JsonLimits answer_limits{.bytes_max = 256 * 1024, .depth_max = 16};

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the provider did not sign you in; begin again", std::move(why));
}
std::unexpected<Error> not_let_in(std::string why) {
  return fail(Code::permission_denied, "you are signed in at the provider, and not let in here", std::move(why));
}

std::string base64url(std::string_view bytes) {
  return text::to_base64url({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::optional<std::string> text_member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string() || value->get_string().size() > token_bytes_max) return std::nullopt;
  return std::string(value->get_string());
}

struct Known {
  AccountId account;
  bool disabled = false;
};

Known known_from(const db::Row& row) { return {row.id<AccountId>(0), !row.is_null(1)}; }

}  // namespace

Result<std::optional<Role>> take_pending_invitation(TenantId tenant, std::string_view email, Timestamp now,
                                                    db::ControlWriter& writer) {
  for (const auto& invitation : PARLEY_TRY(by_tenant::list_pending_invitations(tenant, now, writer))) {
    if (invitation.email != email || invitation.grant) continue;
    if (PARLEY_TRY(by_tenant::accept_invitation(tenant, invitation.id, now, writer)) > 0)
      return std::optional(invitation.role);
  }
  return std::optional<Role>();
}

ProviderSignIns::ProviderSignIns(db::ControlSession control, net::Web& web, TokenKeys& keys,
                                 const SignInTickets& tickets, SecretReferences secrets, net::Workers& workers,
                                 ProviderSignInOptions options, const Clock& clock, crypto::Random& random)
    : control_(std::move(control)),
      web_(web),
      keys_(keys),
      tickets_(tickets),
      secrets_(std::move(secrets)),
      workers_(workers),
      options_(std::move(options)),
      clock_(clock),
      random_(random) {}

Async<SignInProvider> ProviderSignIns::create(SignInProvider wanted) {
  auto provider = PARLEY_CO_TRY(check_provider(std::move(wanted)));
  provider.id = crypto::random_id<SignInProviderId>(random_);
  provider.created_at = provider.updated_at = clock_.now();
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(by_tenant::find_tenant(provider.tenant, writer)))
      return fail(Code::not_found, "there is no such tenant");
    if (PARLEY_TRY(by_tenant::list_providers(provider.tenant, writer)).size() >= providers_per_tenant_max)
      return fail(Code::conflict, "the organisation has too many sign-in providers");
    return by_tenant::put_provider(provider.tenant, provider, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return provider;
}

Async<SignInProvider> ProviderSignIns::update(SignInProvider wanted) {
  auto provider = PARLEY_CO_TRY(check_provider(std::move(wanted)));
  provider.updated_at = clock_.now();
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    const auto before = PARLEY_TRY(by_tenant::find_provider(provider.tenant, provider.id, writer));
    if (!before) return fail(Code::not_found, "there is no such sign-in provider");
    if (before->issuer != provider.issuer)
      return fail(Code::invalid_argument, "the issuer of a provider cannot change; make another provider");
    provider.created_at = before->created_at;
    return by_tenant::put_provider(provider.tenant, provider, writer);
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return provider;
}

Async<std::vector<SignInProvider>> ProviderSignIns::list(TenantId tenant) {
  auto work = [=](db::ControlReader& reader) { return by_tenant::list_providers(tenant, reader); };
  co_return co_await control_.read(std::move(work));
}

Async<SignInProvider> ProviderSignIns::load(TenantId tenant, SignInProviderId id) {
  auto work = [=](db::ControlReader& reader) { return by_tenant::find_provider(tenant, id, reader); };
  auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such sign-in provider");
  co_return *std::move(found);
}

Async<SignInProvider> ProviderSignIns::load_any(SignInProviderId id) {
  auto work = [=](db::ControlReader& reader) { return by_tenant::find_any_provider(id, reader); };
  auto found = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  if (!found) co_return fail(Code::not_found, "there is no such sign-in provider");
  co_return *std::move(found);
}

Async<> ProviderSignIns::remove(TenantId tenant, SignInProviderId id) {
  auto work = [=](db::ControlWriter& writer) { return by_tenant::delete_provider(tenant, id, writer); };
  if (PARLEY_CO_TRY(co_await control_.write(std::move(work))) == 0)
    co_return fail(Code::not_found, "there is no such sign-in provider");
  co_return Result<void>();
}

Async<ProviderMetadata> ProviderSignIns::discover(std::string issuer) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = metadata_.find(issuer);
    const auto age = found == metadata_.end() ? metadata_age_max : clock_.now() - found->second.read_at;
    if (age < metadata_age_max && age >= std::chrono::microseconds(0)) co_return found->second.metadata;
  }
  net::FetchRequest request{.url = PARLEY_CO_TRY(discovery_address(issuer))};
  request.headers.push_back({"Accept", Secret("application/json")});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  if (answer.status != 200)
    co_return fail(Code::unavailable, "the sign-in provider's metadata cannot be used",
                   issuer + " answers with " + std::to_string(answer.status));
  auto metadata = PARLEY_CO_TRY(parse_provider_metadata(answer.body.reveal(), issuer));
  const std::lock_guard lock(mutex_);
  if (metadata_.size() >= metadata_entries_max) metadata_.clear();
  metadata_[std::move(issuer)] = {metadata, clock_.now()};
  co_return metadata;
}

Result<void> ProviderSignIns::require_secret(const SignInProvider& provider) const {
  if (provider.authentication == ClientAuthentication::none) return {};
  PARLEY_TRY(secrets_.load(provider.tenant, provider.client_secret));
  return {};
}

Async<ProviderRequest> ProviderSignIns::begin(TenantId tenant, SignInProviderId id, std::string binding,
                                              std::string return_to, std::optional<AccountId> link_to) {
  if (options_.redirect_uri.empty())
    co_return fail(Code::unsupported, "signing in elsewhere needs the server to have a public address");
  auto loading = load(tenant, id);
  const auto provider = PARLEY_CO_TRY(co_await std::move(loading));
  auto discovering = discover(provider.issuer);
  const auto metadata = PARLEY_CO_TRY(co_await std::move(discovering));
  const auto random_text = [&](std::size_t bytes) { return base64url(crypto::random_bytes(bytes, random_)); };
  const SignInAttempt attempt{.provider = id,
                              .state = random_text(state_bytes),
                              .nonce = random_text(state_bytes),
                              .verifier = Secret(random_text(verifier_bytes)),
                              .return_to = local_path(return_to),
                              .link_to = link_to};
  co_return ProviderRequest{
      .address = authorization_address(metadata, provider, attempt, options_.redirect_uri),
      .ticket = tickets_.make(TicketPurpose::provider_sign_in, binding, attempt.to_text(), provider_attempt_life)};
}

Async<ProviderSignIns::Tokens> ProviderSignIns::exchange(ProviderMetadata metadata, SignInProvider provider,
                                                         Secret code, Secret verifier) {
  net::FetchRequest request{.url = metadata.token_endpoint};
  request.headers.push_back({"Content-Type", Secret("application/x-www-form-urlencoded")});
  request.headers.push_back({"Accept", Secret("application/json")});
  std::string body = "grant_type=authorization_code&code=" + text::percent_encode(code.reveal());
  body += "&redirect_uri=" + text::percent_encode(options_.redirect_uri);
  body += "&code_verifier=" + text::percent_encode(verifier.reveal());
  if (provider.authentication != ClientAuthentication::secret_basic)
    body += "&client_id=" + text::percent_encode(provider.client_id);
  if (provider.authentication != ClientAuthentication::none) {
    // On a worker: it may be a file.
    auto loading = workers_.run([this, tenant = provider.tenant, reference = provider.client_secret] {
      return secrets_.load(tenant, reference);
    });
    const auto secret = PARLEY_CO_TRY(co_await std::move(loading));
    if (provider.authentication == ClientAuthentication::secret_post) {
      body += "&client_secret=" + text::percent_encode(secret.reveal());
    } else {
      // RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
      const Secret pair(text::percent_encode(provider.client_id) + ":" + text::percent_encode(secret.reveal()));
      const auto bytes = pair.reveal();
      request.headers.push_back(
          {"Authorization",
           Secret("Basic " + text::to_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}))});
    }
  }
  request.body = Secret(std::move(body));
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  const auto value = text::parse_json(answer.body.reveal(), answer_limits);
  const auto* object = value && value->is_object() ? &value->get_object() : nullptr;
  if (answer.status != 200 || object == nullptr) {
    const auto error = object == nullptr ? std::nullopt : text_member(*object, "error");
    co_return refuse("the token endpoint answers with " + std::to_string(answer.status) + " " +
                     error.value_or("").substr(0, 100));
  }
  auto access_token = text_member(*object, "access_token");
  auto id_token = text_member(*object, "id_token");
  if (!access_token || !id_token) co_return refuse("the token endpoint gives no access token or no ID token");
  co_return Tokens{.access_token = Secret(*std::move(access_token)), .id_token = *std::move(id_token)};
}

Async<boost::json::object> ProviderSignIns::ask_userinfo(net::HttpUrl endpoint, Secret access_token) {
  net::FetchRequest request{.url = std::move(endpoint)};
  request.headers.push_back({"Authorization", Secret("Bearer " + std::string(access_token.reveal()))});
  request.headers.push_back({"Accept", Secret("application/json")});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  auto value = text::parse_json(answer.body.reveal(), answer_limits);
  if (answer.status != 200 || !value || !value->is_object())
    co_return refuse("the userinfo endpoint answers with " + std::to_string(answer.status));
  co_return std::move(value->get_object());
}

Async<ProviderProof> ProviderSignIns::finish(std::string binding, std::string ticket, std::string query,
                                             BeforeLettingIn before) {
  auto taken = tickets_.take(TicketPurpose::provider_sign_in, std::move(binding), std::move(ticket));
  const auto text = PARLEY_CO_TRY(co_await std::move(taken));
  const auto attempt = PARLEY_CO_TRY(SignInAttempt::from_text(text.reveal()));
  auto find = [&](db::ControlReader& reader) { return by_tenant::find_any_provider(attempt.provider, reader); };
  const auto found = PARLEY_CO_TRY(co_await control_.read(std::move(find)));
  if (!found) co_return refuse("the provider is gone");
  const auto& provider = *found;
  auto discovering = discover(provider.issuer);
  const auto metadata = PARLEY_CO_TRY(co_await std::move(discovering));
  auto code = PARLEY_CO_TRY(check_authorization_answer(query, metadata, attempt));
  auto exchanging = exchange(metadata, provider, std::move(code), attempt.verifier);
  const auto tokens = PARLEY_CO_TRY(co_await std::move(exchanging));

  auto parsed = crypto::parse_jws(tokens.id_token);
  if (!parsed) co_return refuse(parsed.error().operator_detail());
  auto verifying = keys_.verify(metadata.jwks_uri.to_string(), *std::move(parsed));
  const auto verified = co_await std::move(verifying);
  if (!verified && verified.error().code() == Code::unauthenticated)
    co_return refuse(verified.error().operator_detail());
  if (!verified) co_return fail(verified.error());
  const auto claims = PARLEY_CO_TRY(check_id_token(*verified, provider, attempt, tokens.access_token, clock_.now()));
  std::optional<boost::json::object> userinfo;
  if (needs_userinfo(provider, claims) && metadata.userinfo_endpoint) {
    auto asking = ask_userinfo(*metadata.userinfo_endpoint, tokens.access_token);
    userinfo = PARLEY_CO_TRY(co_await std::move(asking));
  }
  if (before) {
    auto recording = before(provider);
    PARLEY_CO_TRY(co_await std::move(recording));
  }
  const auto said = PARLEY_CO_TRY(make_sign_in(provider, claims, userinfo));

  auto work = [&, now = clock_.now()](db::ControlWriter& writer) {
    return resolve(provider, attempt, said, now, writer);
  };
  auto proof = PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  proof.proven = ProvenAccount(proof.account, said.used_factor ? FirstStep::provider_with_factor : FirstStep::provider);
  proof.said = said;
  proof.return_to = attempt.return_to;
  proof.asked_to_link = attempt.link_to.has_value();
  co_return proof;
}

Result<ProviderProof> ProviderSignIns::resolve(const SignInProvider& provider, const SignInAttempt& attempt,
                                               const SignIn& said, Timestamp now, db::ControlWriter& writer) {
  // What it says may be minutes old: the provider may have been removed while its people were on their way.
  if (!PARLEY_TRY(by_tenant::find_provider(provider.tenant, provider.id, writer)))
    return refuse("the provider is gone");
  ProviderProof proof{.account = {}, .tenant = provider.tenant, .used_factor = said.used_factor};
  const auto linked = PARLEY_TRY(
      writer.find("SELECT a.id, a.disabled_at FROM federated_identities f JOIN accounts a ON a.id = f.account_id "
                  "WHERE f.provider_id = $1 AND f.issuer = $2 AND f.subject = $3"_sql,
                  known_from, provider.id, said.issuer, said.subject));
  std::optional<Role> invited;
  const auto take_invitation = [&]() -> Result<void> {
    if (options_.take_invitation)
      invited = PARLEY_TRY(options_.take_invitation(provider.tenant, said.email, now, writer));
    return {};
  };

  if (attempt.link_to) {
    if (linked && linked->account != *attempt.link_to)
      return fail(Code::conflict, "that identity is linked to another account");
    const auto owner =
        PARLEY_TRY(writer.find("SELECT id, disabled_at FROM accounts WHERE id = $1"_sql, known_from, *attempt.link_to));
    if (!owner || owner->disabled) return refuse("the account to be linked is gone or disabled");
    proof.account = owner->account;
    if (!linked) proof.made = ProviderProof::Made::link;
  } else if (linked) {
    if (linked->disabled) return refuse("the account is disabled");
    proof.account = linked->account;
  } else {
    PARLEY_TRY(take_invitation());
    const auto with_address =
        PARLEY_TRY(writer.find("SELECT id, disabled_at FROM accounts WHERE email = $1"_sql, known_from, said.email));
    if (with_address) {
      if (with_address->disabled) return refuse("the account is disabled");
      // A provider's word on an address is no proof to somebody else's account, whatever it is protected with.
      if (!invited)
        return fail(Code::conflict, "there is an account with that address; sign in with it, then link the provider");
      proof.account = with_address->account;
      proof.made = ProviderProof::Made::link;
    } else {
      if (!invited && !provider.creates_accounts) return not_let_in("no account, and none is made");
      if (!invited && !said.role) return not_let_in("no group gives a role");
      proof.account = crypto::random_id<AccountId>(random_);
      // A well-formed hash that no password has: signing in with one costs and says the same as for any account. The
      // provider's word on the address counts as a letter that was read.
      const Account account{.id = proof.account, .email = said.email, .created_at = now};
      PARLEY_TRY(account_rows::insert(account, crypto::decoy_hash(), writer));
      PARLEY_TRY(account_rows::confirm(account.id, now, writer));
      proof.made = ProviderProof::Made::account;
    }
  }

  const auto memberships = PARLEY_TRY(by_tenant::list_memberships_of(proof.account, writer));
  const auto elsewhere = std::ranges::any_of(
      memberships, [&](const Membership& membership) { return membership.tenant != provider.tenant; });
  const auto here = std::ranges::find(memberships, provider.tenant, &Membership::tenant);
  // Linking by invitation is never for somebody who belongs elsewhere, not even where sessions are confined: the
  // provider would then hold a way to an account that its organisation did not make.
  const bool by_invitation = proof.made == ProviderProof::Made::link && !attempt.link_to;
  if (elsewhere && (options_.sessions == ProviderSessions::are_whole || by_invitation))
    return fail(Code::conflict,
                "that account belongs to another organisation too; sign in with its password or passkey");

  if (here == memberships.end() && !invited) PARLEY_TRY(take_invitation());
  std::optional<Role> role;
  const bool provider_decides = !provider.group_roles.empty();
  if (here != memberships.end()) {
    role = provider_decides ? said.role : here->role;
  } else {
    // A linked account that is no member any more was removed by an administrator; it returns as a stranger would.
    role = provider_decides && said.role ? said.role : invited;
    if (!role && provider.creates_accounts) role = said.role;
  }
  if (!role) return not_let_in("no role here");
  if (here != memberships.end() && here->role == Role::administrator && *role != Role::administrator) {
    // Groups that were mapped wrongly must not leave the organisation without anybody who can mend them.
    if (PARLEY_TRY(by_tenant::count_other_administrators(provider.tenant, proof.account, writer)) == 0)
      role = Role::administrator;
  }
  if (here == memberships.end()) PARLEY_TRY(by_tenant::require_room_for_member(provider.tenant, writer));
  if (here == memberships.end() || here->role != *role)
    PARLEY_TRY(by_tenant::put_member(provider.tenant, proof.account, *role, writer));
  proof.role = *role;
  if (here != memberships.end()) proof.role_before = here->role;

  PARLEY_TRY(writer.run(
      "INSERT INTO federated_identities (provider_id, issuer, subject, account_id, created_at, last_used_at) "
      "VALUES ($1, $2, $3, $4, $5, $5) "
      "ON CONFLICT (provider_id, issuer, subject) DO UPDATE SET last_used_at = excluded.last_used_at"_sql,
      provider.id, said.issuer, said.subject, proof.account, now));
  return proof;
}

Async<std::vector<LinkedIdentity>> ProviderSignIns::identities_of(AccountId account) {
  auto work = [=](db::ControlReader& reader) {
    return reader.all(
        "SELECT f.provider_id, p.name, f.issuer, f.subject, f.created_at, f.last_used_at FROM federated_identities f "
        "JOIN sign_in_providers p ON p.id = f.provider_id WHERE f.account_id = $1 ORDER BY f.created_at"_sql,
        [](const db::Row& row) {
          return LinkedIdentity{.provider = row.id<SignInProviderId>(0),
                                .provider_name = std::string(row.text(1)),
                                .issuer = std::string(row.text(2)),
                                .subject = std::string(row.text(3)),
                                .created_at = row.time(4),
                                .last_used_at = row.time(5)};
        },
        account);
  };
  co_return co_await control_.read(std::move(work));
}

Async<> ProviderSignIns::unlink(AccountId account, SignInProviderId provider) {
  auto work = [=](db::ControlWriter& writer) {
    return writer.run("DELETE FROM federated_identities WHERE account_id = $1 AND provider_id = $2"_sql, account,
                      provider);
  };
  if (PARLEY_CO_TRY(co_await control_.write(std::move(work))) == 0)
    co_return fail(Code::not_found, "there is no such link");
  co_return Result<void>();
}

}  // namespace parley::identity
