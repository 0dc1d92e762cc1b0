#include "parley/identity/authenticator.h"

#include <algorithm>
#include <span>

#include "parley/identity/api_key.h"
#include "parley/identity/origin.h"

namespace parley::identity {
namespace {

// One reason for every credential that does not hold, so that trying tells nothing.
constexpr Literal not_valid = "the credential is not valid";

/// What follows `Bearer ` or `Api-Key `; schemes are compared without regard to case, as HTTP asks.
std::optional<std::string_view> token_in(std::string_view header) {
  const auto blank = header.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto is = [scheme = header.substr(0, blank)](std::string_view known) {
    return std::ranges::equal(scheme, known, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  };
  if (!is("bearer") && !is("api-key")) return std::nullopt;
  return header.substr(blank + 1);
}

/// Whether a token or key that was made for some sites is used on one of them.
bool is_used_on(std::span<const std::string> origins, const Sender& sender) {
  return sender.kind == Sender::Kind::site && is_listed(origins, sender.origin);
}

Principal principal_of(const KeyRecord& key) {
  Principal who{.kind = PrincipalKind::secret_key,
                .id = key.id.uuid(),
                .tenant = key.tenant,
                .project = key.project,
                .scopes = key.scopes,
                .groups = key.groups};
  if (key.kind == KeyKind::public_key) {
    who.kind = PrincipalKind::public_key;
    who.vouched_by = key.id;
  }
  return who;
}

/// The refusal of a key, with the one reason for all credentials.
NotAuthenticated refusal_of(KeyRefused refused) {
  if (refused.error.code() != Code::unauthenticated) return std::move(refused.error);
  NotAuthenticated no(Error(Code::unauthenticated, not_valid, refused.error.operator_detail()));
  // A public key is everybody's: a record each would let anybody fill its owner's trail.
  if (refused.key && refused.key->kind == KeyKind::secret) {
    no.rule = refused.rule;
    no.known = principal_of(*refused.key);
  }
  return no;
}

}  // namespace

asio::awaitable<std::expected<Authenticated, NotAuthenticated>> Authenticator::authenticate(
    Credentials credentials) const {
  if (!credentials.authorization) {
    if (!credentials.session) co_return Authenticated(Principal{});
    auto member = co_await find_member(std::move(credentials));
    if (!member) co_return std::unexpected(std::move(member).error());
    co_return Authenticated(*std::move(member));
  }
  const auto token = token_in(*credentials.authorization);
  if (!token) co_return fail(Code::unauthenticated, not_valid, "no Bearer or Api-Key scheme");
  if (token->starts_with(visitor_token_prefix)) {
    auto visitor = co_await find_visitor(*token, std::move(credentials));
    if (!visitor) co_return std::unexpected(std::move(visitor).error());
    co_return Authenticated(*std::move(visitor));
  }
  auto presented = parse_api_key(*token);
  if (!presented) co_return fail(Code::unauthenticated, not_valid, "malformed key");
  auto caller = co_await find_key(*std::move(presented), std::move(credentials));
  if (!caller) co_return std::unexpected(std::move(caller).error());
  co_return Authenticated(*std::move(caller));
}

auto Authenticator::find_key(PresentedKey presented, Credentials credentials) const -> asio::awaitable<Found> {
  auto key = co_await keys_.require(std::move(presented), credentials.client);
  if (!key) co_return std::unexpected(refusal_of(std::move(key).error()));
  if ((*key)->kind == KeyKind::public_key && !is_used_on((*key)->origins, credentials.sender))
    co_return fail(Code::unauthenticated, not_valid, "a public key, used from a site it is not for");
  co_return principal_of(**key);
}

auto Authenticator::find_visitor(std::string_view token, Credentials credentials) const -> asio::awaitable<Found> {
  const Sender& sender = credentials.sender;
  auto pass = PARLEY_CO_TRY(visitors_.read(token));
  if (pass.vouched_by) {
    const auto key = co_await keys_.require_voucher(pass.vouched_by->digest, credentials.client);
    if (!key && key.error().error.code() != Code::unauthenticated) co_return std::unexpected(key.error().error);
    if (!key || ((*key)->kind == KeyKind::public_key && !is_listed((*key)->origins, pass.origin)))
      co_return fail(Code::unauthenticated, not_valid, "a visitor whose key no longer holds");
  }
  const bool in_place = pass.origin.empty() ? sender.kind == Sender::Kind::own_page
                                            : sender.kind == Sender::Kind::site && sender.origin == pass.origin;
  if (!in_place) co_return fail(Code::unauthenticated, not_valid, "a visitor token, used on another site");
  // Whoever can sign in its name could call themselves anybody until the token ends.
  if (pass.identity && !PARLEY_CO_TRY(co_await issuers_.holds(pass.tenant, pass.project, pass.identity->issuer)))
    co_return fail(Code::unauthenticated, not_valid, "a visitor whose identity issuer was removed");
  Principal who{.kind = PrincipalKind::visitor,
                .id = pass.visitor,
                .tenant = pass.tenant,
                .project = pass.project,
                .scopes = pass.scopes};
  who.groups.names = std::move(pass.groups);
  if (pass.vouched_by) who.vouched_by = pass.vouched_by->key;
  who.identity = std::move(pass.identity);
  co_return who;
}

auto Authenticator::find_member(Credentials credentials) const -> asio::awaitable<Found> {
  // The cookie is SameSite=Strict, so a browser sends it from elsewhere only within our own registrable domain.
  if (credentials.sender.kind != Sender::Kind::own_page && credentials.sender.kind != Sender::Kind::program)
    co_return fail(Code::permission_denied, "a session is for this server's own pages");
  auto presented = PARLEY_CO_TRY(parse_session_token(*credentials.session));
  auto session = PARLEY_CO_TRY(co_await sessions_.require_open(std::move(presented), credentials.use));
  Principal who{.kind = PrincipalKind::member, .id = session->account.uuid(), .session = session->id.uuid()};
  switch (session->assurance) {
    case Assurance::factor_owed: co_return fail(Code::unauthenticated, "a second factor is owed");
    case Assurance::enrolment_owed: who.shown = Shown::must_enrol; co_return who;
    case Assurance::full: break;
  }
  if (!session->tenant) co_return who;
  // Out of the organisation since: still somebody, who may choose another.
  const auto member = PARLEY_CO_TRY(co_await members_.find(session->account, *session->tenant));
  if (!member) co_return who;
  who.tenant = member->tenant;
  who.scopes = scopes_of(member->role);
  who.groups.names = member->groups;
  for (const auto& grant : member->grants) who.grants.push_back({grant.project, scopes_of(grant.role)});
  co_return who;
}

}  // namespace parley::identity
