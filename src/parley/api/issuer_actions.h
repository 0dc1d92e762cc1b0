#pragma once

#include <boost/json.hpp>

#include "parley/api/action_kinds.h"
#include "parley/api/route.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/names.h"

// Who vouches for a project's visitors, over HTTP: the same as `parley issuer …`. For whoever may manage who reaches
// the project.

namespace parley::api {

struct ListIssuers {
  static constexpr ActionInfo info =
      kinds::of_project("issuer.list", "Who vouches for a project's visitors", Scope::project_manage, kinds::reads);
};
struct AddIssuer {
  static constexpr ActionInfo info =
      kinds::of_project("issuer.add", "Believe somebody who says who visitors are; a shared secret is told this once",
                        Scope::project_manage, kinds::writes);
};
struct RemoveIssuer {
  static constexpr ActionInfo info = kinds::of_project("issuer.remove", "Believe them no longer, nor their visitors",
                                                       Scope::project_manage, kinds::writes);
};

/// An issuer as people and programs are told of it: everything but its secret.
boost::json::object to_json(const identity::IdentityIssuer& issuer);
/// The same with its secret, if it was made a shared one.
boost::json::object to_json(const identity::CreatedIdentityIssuer& created);

namespace actions {

struct IssuersList : JsonAction<ListIssuers> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ListIssuers> permit,
                             Validated<NoInput> input);
};

struct IssuerInput {
  // A key set of many keys, with the certificates that some publish along.
  static constexpr std::size_t jwks_length_max = 32 * 1024;

  std::string name, issuer;
  std::optional<std::string> audience, jwks, jwks_url;
  std::optional<bool> shared_secret;
  std::optional<std::vector<std::string>> groups;
  static constexpr auto fields() {
    constexpr auto text_max = identity::identity_issuer_text_bytes_max;
    return std::tuple{
        field("name", &IssuerInput::name, {.required = Required::yes, .length_max = text_max, .doc = "To tell it by"}),
        field("issuer", &IssuerInput::issuer,
              {.required = Required::yes, .length_max = text_max, .doc = "What its tokens say in iss"}),
        field("audience", &IssuerInput::audience,
              {.length_max = text_max, .doc = "What they say in aud; without it, the project's id"}),
        field("shared_secret", &IssuerInput::shared_secret,
              {.doc = "true: tokens are signed with a secret that is made and told now. This, jwks or jwks_url"}),
        field("jwks", &IssuerInput::jwks,
              {.length_max = jwks_length_max, .doc = "Its public keys: a JWK set, as text"}),
        field("jwks_url", &IssuerInput::jwks_url,
              {.length_max = 2'000, .doc = "Where its public keys are, https; asked for when needed"}),
        field("groups", &IssuerInput::groups,
              {.length_max = identity::group_name_bytes_max,
               .count_max = identity::groups_held_max,
               .doc = "Groups that its tokens may put visitors in; without it, any"}),
    };
  }
};

struct IssuersAdd : JsonAction<AddIssuer, IssuerInput> {
  // A key set, escaped once more.
  static constexpr std::size_t body_bytes_max = 128 * 1024;
  static Async<Reply> handle(Services& services, Context context, Authorized<AddIssuer> permit,
                             Validated<IssuerInput> input);
};

struct IssuerNameInput {
  std::string name;
  static constexpr auto fields() {
    return std::tuple{field("name", &IssuerNameInput::name,
                            {.required = Required::yes,
                             .length_max = identity::identity_issuer_text_bytes_max,
                             .doc = "Which of the project's"})};
  }
};

struct IssuersRemove : JsonAction<RemoveIssuer, IssuerNameInput> {
  static constexpr auto input_from = Route::Input::query;
  static constexpr std::size_t body_bytes_max = 0;
  static Async<Reply> handle(Services& services, Context context, Authorized<RemoveIssuer> permit,
                             Validated<IssuerNameInput> input);
};

}  // namespace actions

}  // namespace parley::api
