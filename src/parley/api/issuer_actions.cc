#include "parley/api/issuer_actions.h"

#include "parley/api/key_actions.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"

namespace parley::api {

namespace json = boost::json;

using identity::IdentityIssuer;

json::object to_json(const IdentityIssuer& issuer) {
  json::object object{{"id", issuer.id.to_string()},
                      {"name", issuer.name},
                      {"issuer", issuer.issuer},
                      {"audience", issuer.audience},
                      {"created_at", to_rfc3339(issuer.created_at)}};
  switch (issuer.kind) {
    case IdentityIssuer::Kind::shared_secret: object["keys"] = "shared_secret"; break;
    case IdentityIssuer::Kind::inline_keys: object["keys"] = "jwks"; break;
    case IdentityIssuer::Kind::keys_at:
      object["keys"] = "jwks_url";
      object["jwks_url"] = issuer.jwks_url;
      break;
  }
  if (issuer.groups.extent == ReadableGroups::Extent::all) object["all_groups"] = true;
  else object["groups"] = json::array(issuer.groups.names.begin(), issuer.groups.names.end());
  return object;
}

json::object to_json(const identity::CreatedIdentityIssuer& created) {
  json::object object = to_json(created.issuer);
  if (!created.secret.empty()) object["secret"] = created.secret.reveal();
  return object;
}

namespace {

Result<identity::IssuerKeys> keys_in(const actions::IssuerInput& input) {
  const bool shared = input.shared_secret.value_or(false);
  if (int{shared} + int{input.jwks.has_value()} + int{input.jwks_url.has_value()} != 1)
    return fail(Code::invalid_argument, "one of shared_secret, jwks and jwks_url is needed");
  if (input.jwks) return identity::InlineKeys{*input.jwks};
  if (input.jwks_url) return identity::KeysAt{*input.jwks_url};
  return identity::SharedSecret{};
}

}  // namespace

namespace actions {

Async<Reply> IssuersList::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input>) {
  json::array rows;
  for (const auto& issuer : PARLEY_CO_TRY(co_await services.issuers.list(permit.tenant(), permit.project().project)))
    rows.push_back(to_json(issuer));
  co_return Reply::json(200, json::object{{"issuers", std::move(rows)}});
}

Async<Reply> IssuersAdd::handle(Services& services, Context context, Authorized<Permission> permit,
                                Validated<Input> input) {
  identity::NewIdentityIssuer wanted{.tenant = permit.tenant(),
                                     .project = permit.project().project,
                                     .name = input->name,
                                     .issuer = input->issuer,
                                     .audience = input->audience.value_or(""),
                                     .keys = PARLEY_CO_TRY(keys_in(*input))};
  if (input->groups) wanted.groups.names = *input->groups;
  else wanted.groups.extent = ReadableGroups::Extent::all;
  auto draft = PARLEY_CO_TRY(services.issuers.draft(std::move(wanted)));
  // Whoever signs for an issuer puts visitors into its groups, and could be one of them.
  if (!may_hand_out(permit.who(), draft.issuer.groups)) {
    Error error = Error(Code::permission_denied, "more than you hold yourself").about("groups");
    co_return std::unexpected(co_await detail::refuse(services, context, Permission::info, permit.who(),
                                                      {std::move(error), "beyond_own_rights"}));
  }
  const trail::Object object("identity_issuer", draft.issuer.id);
  PARLEY_CO_TRY(
      co_await services.trail.write(context.request, permit.who(), Permission::info.name, permit.rule(), object));
  const auto created = PARLEY_CO_TRY(co_await services.issuers.add(std::move(draft)));
  co_return Reply::json(201, to_json(created));
}

Async<Reply> IssuersRemove::handle(Services& services, Context context, Authorized<Permission> permit,
                                   Validated<Input> input) {
  const ProjectId project = permit.project().project;
  const auto issuer = PARLEY_CO_TRY(co_await services.issuers.load(permit.tenant(), project, input->name));
  const trail::Object object("identity_issuer", issuer.id);
  PARLEY_CO_TRY(
      co_await services.trail.write(context.request, permit.who(), Permission::info.name, permit.rule(), object));
  PARLEY_CO_TRY(co_await services.issuers.remove(permit.tenant(), project, issuer.id));
  co_return Reply::json(200, json::object{{"id", issuer.id.to_string()}, {"removed", true}});
}

}  // namespace actions
}  // namespace parley::api
