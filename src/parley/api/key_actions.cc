#include "parley/api/key_actions.h"

#include <algorithm>

#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/identity/project_directory.h"

namespace parley::api {

namespace json = boost::json;

using identity::KeyRecord;

json::object to_json(const KeyRecord& key, Timestamp now) {
  json::object object{{"id", key.id.to_string()},
                      {"name", key.name},
                      {"kind", identity::name(key.kind)},
                      {"state", identity::name(key.state_at(now))},
                      {"last4", key.last4},
                      {"created_at", to_rfc3339(key.created_at)},
                      {"expires_at", to_rfc3339(key.expires_at)}};
  json::array scopes;
  for (const auto& info : all_scopes())
    if (key.scopes.contains(info.scope)) scopes.emplace_back(info.name.view());
  object["scopes"] = std::move(scopes);
  if (key.project) object["project"] = key.project->to_string();
  if (!key.origins.empty()) object["origins"] = json::array(key.origins.begin(), key.origins.end());
  if (!key.addresses.empty()) {
    json::array addresses;
    for (const auto& range : key.addresses) addresses.emplace_back(range.to_string());
    object["addresses"] = std::move(addresses);
  }
  if (key.groups.extent == ReadableGroups::Extent::all) object["all_groups"] = true;
  if (!key.groups.names.empty()) object["groups"] = json::array(key.groups.names.begin(), key.groups.names.end());
  if (key.exception)
    object["exception"] = json::object{{"reason", key.exception->reason}, {"since", to_rfc3339(key.exception->since)}};
  if (key.revoked_at) object["revoked_at"] = to_rfc3339(*key.revoked_at);
  if (key.last_used_at) object["last_used_at"] = to_rfc3339(*key.last_used_at);
  if (key.enabled_at) object["enabled_at"] = to_rfc3339(*key.enabled_at);
  return object;
}

json::object to_json(const identity::CreatedKey& created, Timestamp now) {
  json::object object = to_json(created.record, now);
  object["key"] = created.text.reveal();
  return object;
}

bool may_hand_out(const Principal& maker, const ReadableGroups& groups) {
  if (maker.groups.extent == ReadableGroups::Extent::all) return true;
  if (maker.scopes.contains(Scope::organisation_manage)) return true;
  return groups.extent != ReadableGroups::Extent::all &&
         identity::groups_within(groups.names, maker.groups).size() == groups.names.size();
}

namespace {

/// What of `wanted` goes beyond the maker's own rights: nobody hands out what they do not hold. Empty: nothing.
std::string_view beyond(const Principal& maker, const std::vector<net::NetworkRange>& maker_addresses,
                        const KeyRecord& wanted) {
  if (!maker.scopes.contains_all(wanted.scopes)) return "scopes";
  if (!may_hand_out(maker, wanted.groups)) return "groups";
  if (maker_addresses.empty()) return {};
  const bool inside = std::ranges::all_of(wanted.addresses, [&](const net::NetworkRange& range) {
    return std::ranges::any_of(maker_addresses, [&](const net::NetworkRange& own) { return own.contains(range); });
  });
  return !wanted.addresses.empty() && inside ? "" : "addresses";
}

/// Refuses, on the trail, what goes beyond the maker's own rights.
Async<void> require_held(Services& services, Context context, const ActionInfo& action, Principal maker,
                         KeyRecord wanted) {
  std::vector<net::NetworkRange> own_addresses;
  if (maker.kind == PrincipalKind::secret_key)
    own_addresses = PARLEY_CO_TRY(co_await services.keys.load(*maker.tenant, KeyId(maker.id))).addresses;
  const auto what = beyond(maker, own_addresses, wanted);
  if (what.empty()) co_return Result<void>();
  const Literal subject = what == "scopes" ? Literal("scopes") : what == "groups" ? Literal("groups") : "addresses";
  Error error = Error(Code::permission_denied, "more than you hold yourself").about(subject);
  co_return std::unexpected(
      co_await detail::refuse(services, context, action, std::move(maker), {std::move(error), "beyond_own_rights"}));
}

/// The key that the path names. One answer for a text that is no id, an unknown one, and another organisation's.
Async<KeyId> find_key(Services& services, TenantId tenant, std::string text) {
  const auto id = KeyId::parse(text);
  if (!id) co_return fail(Code::not_found, "there is no such key");
  const auto key = PARLEY_CO_TRY(co_await services.keys.load(tenant, *id));
  co_return key.id;
}

/// The same for a change of that key, which is on the trail when this returns.
template <Action A>
Async<KeyId> find_and_record(Services& services, Context context, Authorized<A> permit) {
  const auto id = PARLEY_CO_TRY(co_await find_key(services, permit.tenant(), std::string(context.parameter)));
  PARLEY_CO_TRY(co_await services.trail.write(context.request, permit.who(), A::info.name, permit.rule(),
                                              trail::Object("key", id)));
  co_return id;
}

Result<std::chrono::microseconds> read_duration(const std::optional<std::string>& text, Literal name,
                                                std::chrono::microseconds otherwise) {
  if (!text) return otherwise;
  const auto duration = parse_duration(*text);
  if (!duration) return fail(Error(Code::invalid_argument, "takes a time such as 90d or 12h").about(name));
  return *duration;
}

/// All that is in `input` but the project.
Result<identity::NewKey> read_new_key(const actions::KeyCreateInput& input, TenantId tenant) {
  identity::NewKey wanted{.tenant = tenant,
                          .project = {},
                          .name = input.name.value_or(""),
                          .scopes = {},
                          .origins = input.origins,
                          .addresses = input.addresses,
                          .groups = {.names = input.groups},
                          .exception = input.exception.value_or("")};
  for (const auto& text : input.scopes) {
    const auto scope = parse_scope(text);
    if (!scope) return fail(Error(Code::invalid_argument, "there is no such scope").about("scopes"));
    wanted.scopes.add(*scope);
  }
  if (input.kind) {
    const auto kind = identity::parse_key_kind(*input.kind);
    if (!kind) return fail(Error(Code::invalid_argument, "is secret or public").about("kind"));
    wanted.kind = *kind;
  }
  if (input.all_groups.value_or(false)) wanted.groups.extent = ReadableGroups::Extent::all;
  wanted.lifetime = PARLEY_TRY(read_duration(input.expires, "expires", wanted.lifetime));
  if (input.project_slug.has_value() == input.all_projects.value_or(false))
    return fail(Code::invalid_argument, "either project_slug or all_projects is needed");
  return wanted;
}

}  // namespace

namespace actions {

Async<Reply> KeysList::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input>) {
  const auto keys = PARLEY_CO_TRY(co_await services.keys.list(permit.tenant()));
  const auto now = services.clock.now();
  json::array list;
  for (const auto& key : keys) list.push_back(to_json(key, now));
  co_return Reply::json(200, json::object{{"keys", std::move(list)}});
}

Async<Reply> KeysCreate::handle(Services& services, Context context, Authorized<Permission> permit,
                                Validated<Input> input) {
  auto wanted = PARLEY_CO_TRY(read_new_key(*input, permit.tenant()));
  if (input->project_slug) {
    wanted.project = PARLEY_CO_TRY(co_await services.projects.load(permit.tenant(), *input->project_slug)).project;
  }
  auto draft = PARLEY_CO_TRY(services.keys.draft(std::move(wanted)));
  PARLEY_CO_TRY(co_await require_held(services, context, Permission::info, permit.who(), draft.record));
  const trail::Object object("key", draft.record.id);
  PARLEY_CO_TRY(
      co_await services.trail.write(context.request, permit.who(), Permission::info.name, permit.rule(), object));
  const auto created = PARLEY_CO_TRY(co_await services.keys.add(std::move(draft)));
  co_return Reply::json(201, to_json(created, services.clock.now()));
}

Async<Reply> KeysRotate::handle(Services& services, Context context, Authorized<Permission> permit,
                                Validated<Input> input) {
  const auto overlap = PARLEY_CO_TRY(read_duration(input->overlap, "overlap", identity::key_overlap_default));
  const auto id = PARLEY_CO_TRY(co_await find_key(services, permit.tenant(), std::string(context.parameter)));
  auto rotation =
      PARLEY_CO_TRY(co_await services.keys.draft_rotation(permit.tenant(), id, overlap, input->exception.value_or("")));
  PARLEY_CO_TRY(co_await require_held(services, context, Permission::info, permit.who(), rotation.successor.record));
  const trail::Object old("key", id), successor("key", rotation.successor.record.id);
  PARLEY_CO_TRY(
      co_await services.trail.write(context.request, permit.who(), Permission::info.name, permit.rule(), old));
  PARLEY_CO_TRY(
      co_await services.trail.write(context.request, permit.who(), CreateKey::info.name, permit.rule(), successor));
  const auto created = PARLEY_CO_TRY(co_await services.keys.rotate(std::move(rotation)));
  co_return Reply::json(201, to_json(created, services.clock.now()));
}

Async<Reply> KeysEnable::handle(Services& services, Context context, Authorized<EnableKey> permit, Validated<NoInput>) {
  const auto id = PARLEY_CO_TRY(co_await find_and_record(services, context, permit));
  PARLEY_CO_TRY(co_await services.keys.enable(permit.tenant(), id));
  const auto key = PARLEY_CO_TRY(co_await services.keys.load(permit.tenant(), id));
  co_return Reply::json(200, to_json(key, services.clock.now()));
}

Async<Reply> KeysRevoke::handle(Services& services, Context context, Authorized<RevokeKey> permit, Validated<NoInput>) {
  const auto id = PARLEY_CO_TRY(co_await find_and_record(services, context, permit));
  PARLEY_CO_TRY(co_await services.keys.revoke(permit.tenant(), id));
  co_return Reply::json(200, json::object{{"id", id.to_string()}, {"revoked", true}});
}

}  // namespace actions

}  // namespace parley::api
