#pragma once

#include <boost/json.hpp>

#include "parley/api/action_kinds.h"
#include "parley/api/route.h"
#include "parley/identity/key_record.h"
#include "parley/identity/key_store.h"
#include "parley/identity/origin.h"
#include "parley/identity/visitor_token.h"

// API keys over HTTP: the same as `parley key …`. All on the caller's own organisation; a key that is bound to a
// project has no say in them.

namespace parley::api {

struct ListKeys {
  static constexpr ActionInfo info = kinds::of_organisation("key.list", "The organisation's keys, without their texts",
                                                            Scope::keys_manage, kinds::reads);
};
struct CreateKey {
  static constexpr ActionInfo info =
      kinds::of_organisation("key.create", "Make a key; its text is told this once", Scope::keys_manage, kinds::writes);
};
struct RotateKey {
  static constexpr ActionInfo info = kinds::of_organisation(
      "key.rotate", "Make a key's successor; its text is told this once", Scope::keys_manage, kinds::writes);
};
struct EnableKey {
  static constexpr ActionInfo info =
      kinds::of_organisation("key.enable", "Switch a key on again that was idle", Scope::keys_manage, kinds::writes);
};
struct RevokeKey {
  static constexpr ActionInfo info =
      kinds::of_organisation("key.revoke", "End a key at once and for good", Scope::keys_manage, kinds::writes);
};

/// Whether whoever holds these rights may hand out the reading of these groups: their own, and any for administrators,
/// who say which groups they are in themselves.
bool may_hand_out(const Principal& maker, const ReadableGroups& groups);

/// A key as people and programs are told of it: everything but its text and digest.
boost::json::object to_json(const identity::KeyRecord& key, Timestamp now);
/// The same with its text.
boost::json::object to_json(const identity::CreatedKey& created, Timestamp now);

namespace actions {

struct KeysList : JsonAction<ListKeys> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ListKeys> permit,
                             Validated<NoInput> input);
};

struct KeyCreateInput {
  std::vector<std::string> scopes, origins, addresses, groups;
  std::optional<std::string> project_slug, kind, name, expires, exception;
  std::optional<bool> all_projects, all_groups;
  static constexpr auto fields() {
    return std::tuple{
        field("scopes", &KeyCreateInput::scopes,
              {.required = Required::yes, .length_max = 50, .count_max = 50, .doc = "What it may be used for"}),
        field("project_slug", &KeyCreateInput::project_slug, {.length_max = 100, .doc = "The project it is for"}),
        field("all_projects", &KeyCreateInput::all_projects,
              {.doc = "true, in place of a project: for the whole organisation"}),
        field("kind", &KeyCreateInput::kind, {.length_max = 10, .doc = "secret (as without it) or public"}),
        field("name", &KeyCreateInput::name, {.length_max = identity::key_name_bytes_max, .doc = "To tell it by"}),
        field("expires", &KeyCreateInput::expires, {.length_max = 20, .doc = "90d (as without it), 12h, 30m"}),
        field("exception", &KeyCreateInput::exception,
              {.length_max = identity::key_exception_reason_bytes_max, .doc = "Why it must live for over 90 days"}),
        field("origins", &KeyCreateInput::origins,
              {.length_max = 300, .count_max = identity::origins_max, .doc = "Sites a public key is for"}),
        field("addresses", &KeyCreateInput::addresses,
              {.length_max = 50, .count_max = identity::key_addresses_max, .doc = "Ranges it may be used from"}),
        field("groups", &KeyCreateInput::groups,
              {.length_max = identity::group_name_bytes_max,
               .count_max = identity::groups_held_max,
               .doc = "Groups whose documents it reads, besides those without groups"}),
        field("all_groups", &KeyCreateInput::all_groups, {.doc = "true: it reads every document"}),
    };
  }
};

struct KeysCreate : JsonAction<CreateKey, KeyCreateInput> {
  // The longest of each field, escaped.
  static constexpr std::size_t body_bytes_max = 64 * 1024;
  static Async<Reply> handle(Services& services, Context context, Authorized<CreateKey> permit,
                             Validated<KeyCreateInput> input);
};

struct KeyRotateInput {
  std::optional<std::string> overlap, exception;
  static constexpr auto fields() {
    return std::tuple{
        field("overlap", &KeyRotateInput::overlap,
              {.length_max = 20, .doc = "How long the old one goes on working: 24h (as without it), at most 7d"}),
        field("exception", &KeyRotateInput::exception,
              {.length_max = identity::key_exception_reason_bytes_max,
               .doc = "Why the successor must live for over 90 days, too"}),
    };
  }
};

struct KeysRotate : JsonAction<RotateKey, KeyRotateInput> {
  static constexpr std::size_t body_bytes_max = 8 * 1024;
  static Async<Reply> handle(Services& services, Context context, Authorized<RotateKey> permit,
                             Validated<KeyRotateInput> input);
};

struct KeysEnable : JsonAction<EnableKey> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EnableKey> permit,
                             Validated<NoInput> input);
};

struct KeysRevoke : JsonAction<RevokeKey> {
  static Async<Reply> handle(Services& services, Context context, Authorized<RevokeKey> permit,
                             Validated<NoInput> input);
};

}  // namespace actions

}  // namespace parley::api
