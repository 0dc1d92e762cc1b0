#include "parley/identity/identity_token_issuers.h"

#include <algorithm>
#include <array>

#include "parley/identity/account_store.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/identity/key_store.h"
#include "parley/identity/names.h"
#include "parley/text/base64.h"
#include "parley/text/utf8.h"

namespace parley::identity {
namespace {

constexpr std::size_t made_secret_bytes = 32;

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the identity token is not valid", std::move(why));
}

crypto::SealContext context_of(const IdentityIssuer& issuer) {
  return crypto::SealContext("identity_issuers.secret").with(issuer.tenant).with(issuer.project).with(issuer.id);
}

bool is_text(std::string_view text) {
  return !text.empty() && text.size() <= identity_issuer_text_bytes_max && text::is_valid_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

Result<ReadableGroups> checked_groups(const ReadableGroups& wanted) {
  if (wanted.extent == ReadableGroups::Extent::all && !wanted.names.empty())
    return fail(Code::invalid_argument, "an issuer is believed all groups or those that are named, not both");
  return ReadableGroups{.extent = wanted.extent, .names = PARLEY_TRY(checked_group_names(wanted.names))};
}

}  // namespace

Uuid visitor_id_of(const VerifiedVisitor& visitor, ProjectId project, const crypto::SealKey& key) {
  // Each part by a digest of its own, so that no two pairs are one text.
  const auto digest = crypto::hmac_sha256(key.derive("visitor ids").secret(),
                                          std::string(crypto::sha256(project.to_string()).view()) +
                                              std::string(crypto::sha256(visitor.issuer_name).view()) +
                                              std::string(crypto::sha256(visitor.subject).view()));
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy_n(digest.bytes.begin(), bytes.size(), bytes.begin());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);  // version 4, variant 1, as others have
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  return Uuid(bytes);
}

IdentityIssuers::IdentityIssuers(db::ControlSession control, crypto::SealKey key, TokenKeys& keys, const Clock& clock,
                                 crypto::Random& random)
    : control_(std::move(control)),
      key_(std::move(key)),
      keys_(keys),
      clock_(clock),
      random_(random),
      cache_({.age_max = key_age_max}) {}

Result<CreatedIdentityIssuer> IdentityIssuers::draft(NewIdentityIssuer wanted) const {
  IdentityIssuer issuer{.id = crypto::random_id<IdentityIssuerId>(random_),
                        .tenant = wanted.tenant,
                        .project = wanted.project,
                        .name = std::move(wanted.name),
                        .issuer = std::move(wanted.issuer),
                        .audience = wanted.audience.empty() ? wanted.project.to_string() : std::move(wanted.audience),
                        .created_at = clock_.now(),
                        .groups = PARLEY_TRY(checked_groups(wanted.groups))};
  if (!is_text(issuer.name) || !is_line_of_text(issuer.name) || !is_text(issuer.issuer) || !is_text(issuer.audience))
    return fail(Code::invalid_argument, "an identity issuer needs a name and an issuer of at most 512 bytes");

  Secret secret;
  if (auto* shared = std::get_if<SharedSecret>(&wanted.keys)) {
    issuer.kind = IdentityIssuer::Kind::shared_secret;
    secret = std::move(shared->text);
    if (secret.empty()) {
      const Secret bytes(crypto::random_bytes(made_secret_bytes, random_));
      secret = Secret(
          text::to_base64url({reinterpret_cast<const std::uint8_t*>(bytes.reveal().data()), bytes.reveal().size()}));
    }
    PARLEY_TRY(crypto::JwsKey::hmac(secret));
    issuer.sealed_secret = crypto::seal(key_, secret.reveal(), context_of(issuer), random_);
  } else if (auto* keys = std::get_if<InlineKeys>(&wanted.keys)) {
    issuer.kind = IdentityIssuer::Kind::inline_keys;
    PARLEY_TRY(crypto::parse_jwks(keys->jwks, crypto::KeySource::published));
    issuer.jwks = std::move(keys->jwks);
  } else {
    issuer.kind = IdentityIssuer::Kind::keys_at;
    issuer.jwks_url = PARLEY_TRY(net::parse_http_url(std::get<KeysAt>(wanted.keys).url)).to_string();
  }
  return CreatedIdentityIssuer{std::move(issuer), std::move(secret)};
}

Async<CreatedIdentityIssuer> IdentityIssuers::add(CreatedIdentityIssuer draft) {
  const IdentityIssuer& issuer = draft.issuer;
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    if (!PARLEY_TRY(by_tenant::has_project(issuer.tenant, issuer.project, writer)))
      return fail(Code::not_found, "there is no such project");
    const auto others = PARLEY_TRY(by_tenant::list_identity_issuers(issuer.tenant, issuer.project, writer));
    if (others.size() >= identity_issuers_per_project_max)
      return fail(Code::conflict, "the project has too many identity issuers");
    if (std::ranges::find(others, issuer.name, &IdentityIssuer::name) != others.end())
      return fail(Code::conflict, "the project has an identity issuer of that name");
    if (PARLEY_TRY(by_tenant::insert_identity_issuer(issuer.tenant, issuer, writer)) == 0)
      return fail(Code::conflict, "the project has that identity issuer already");
    return {};
  };
  PARLEY_CO_TRY(co_await control_.write(std::move(work)));
  co_return std::move(draft);
}

Async<CreatedIdentityIssuer> IdentityIssuers::create(NewIdentityIssuer wanted) {
  auto drafted = PARLEY_CO_TRY(draft(std::move(wanted)));
  co_return co_await add(std::move(drafted));
}

Async<std::vector<IdentityIssuer>> IdentityIssuers::list(TenantId tenant, ProjectId project) {
  auto work = [=](db::ControlReader& reader) { return by_tenant::list_identity_issuers(tenant, project, reader); };
  co_return co_await control_.read(std::move(work));
}

Async<IdentityIssuer> IdentityIssuers::load(TenantId tenant, ProjectId project, std::string name) {
  auto issuers = PARLEY_CO_TRY(co_await list(tenant, project));
  const auto found = std::ranges::find(issuers, name, &IdentityIssuer::name);
  if (found == issuers.end()) co_return fail(Code::not_found, "there is no such identity issuer");
  co_return std::move(*found);
}

Async<bool> IdentityIssuers::holds(TenantId tenant, ProjectId project, IdentityIssuerId id) {
  const auto now = clock_.now();
  const auto cached = cache_.find(id, now);
  auto issuer = cached.record;
  if (cached.state == Cached<IdentityIssuer>::State::unknown) {
    auto issuers = PARLEY_CO_TRY(co_await list(tenant, project));
    const auto found = std::ranges::find(issuers, id, &IdentityIssuer::id);
    if (found != issuers.end()) issuer = std::make_shared<const IdentityIssuer>(std::move(*found));
    cache_.put(id, issuer, cached.generation, now);
  }
  co_return issuer && issuer->tenant == tenant && issuer->project == project;
}

Async<> IdentityIssuers::remove(TenantId tenant, ProjectId project, IdentityIssuerId id) {
  auto work = [=](db::ControlWriter& writer) { return by_tenant::delete_identity_issuer(tenant, project, id, writer); };
  if (PARLEY_CO_TRY(co_await control_.write(std::move(work))) == 0)
    co_return fail(Code::not_found, "there is no such identity issuer");
  cache_.forget(id);
  co_return Result<void>();
}

Result<Secret> IdentityIssuers::open_secret(const IdentityIssuer& issuer) const {
  return crypto::open(key_, issuer.sealed_secret, context_of(issuer));
}

Async<VerifiedVisitor> IdentityIssuers::verify(TenantId tenant, ProjectId project, std::string token) {
  auto parsed = crypto::parse_jws(token);
  if (!parsed) co_return refuse(parsed.error().operator_detail());
  const auto named = unverified_issuer(*parsed);
  if (!named) co_return refuse("no issuer");
  auto work = [=](db::ControlReader& reader) { return by_tenant::list_identity_issuers(tenant, project, reader); };
  const auto issuers = PARLEY_CO_TRY(co_await control_.read(std::move(work)));
  const auto issuer = std::ranges::find(issuers, *named, &IdentityIssuer::issuer);
  if (issuer == issuers.end()) co_return refuse("an issuer that the project does not have");

  // No keys of another issuer are tried: a token is its issuer's, or nobody's.
  std::optional<Result<crypto::VerifiedJws>> verified;
  switch (issuer->kind) {
    case IdentityIssuer::Kind::shared_secret: {
      std::vector<crypto::NamedJwsKey> keys;
      keys.push_back({"", PARLEY_CO_TRY(crypto::JwsKey::hmac(PARLEY_CO_TRY(open_secret(*issuer))))});
      verified = crypto::verify_jws(*parsed, crypto::JwsKeys(std::move(keys)));
      break;
    }
    case IdentityIssuer::Kind::inline_keys:
      verified =
          crypto::verify_jws(*parsed, PARLEY_CO_TRY(crypto::parse_jwks(issuer->jwks, crypto::KeySource::published)));
      break;
    case IdentityIssuer::Kind::keys_at: {
      auto asked = keys_.verify(issuer->jwks_url, *std::move(parsed));
      verified = co_await std::move(asked);
      break;
    }
  }
  if (!*verified && (*verified).error().code() == Code::unauthenticated)
    co_return refuse((*verified).error().operator_detail());
  const auto proven = PARLEY_CO_TRY(std::move(*verified));
  auto claims = check_token_claims(proven,
                                   {.issuer = issuer->issuer,
                                    .audience = issuer->audience,
                                    .life_max = identity_token_life_max,
                                    .age_max = identity_token_life_max},
                                   clock_.now());
  if (!claims) co_return refuse(claims.error().operator_detail());

  VerifiedVisitor visitor{.issuer = issuer->id,
                          .issuer_name = issuer->issuer,
                          .subject = claims->subject,
                          .email = {},
                          .groups = {},
                          .expires_at = claims->expires_at};
  if (claims->all.contains("email")) {
    const auto text = text_claim(claims->all, "email");
    auto email = parse_email(text.value_or(std::string()));
    if (!email) co_return refuse("an e-mail address that is none");
    // Said to be unverified, it names nobody.
    const auto* is_verified = claims->all.if_contains("email_verified");
    if (is_verified == nullptr || *is_verified == boost::json::value(true)) visitor.email = *std::move(email);
  }
  auto groups = list_claim(claims->all, "groups");
  if (!groups) co_return refuse("groups that are no list of names, or too many");
  // What the issuer is not believed the visitor is not in; a list that was cut would be another list.
  auto held = checked_group_names(groups_within(*groups, issuer->groups));
  if (!held) co_return refuse("more groups than a visitor can have, or the name of one is too long");
  visitor.groups = *std::move(held);
  co_return visitor;
}

}  // namespace parley::identity
