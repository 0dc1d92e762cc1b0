#pragma once

#include "parley/api/route.h"
#include "parley/chat/ask.h"
#include "parley/crypto/jws.h"

// The actions of the HTTP interface: for each, the permission it needs, what it takes and how that arrives. The shapes
// are those of the hosted product that Parley replaces, so that its clients need no change.

namespace parley::api {

/// Reading what a page needs to show a project's chat.
struct ReadProject {
  static constexpr ActionInfo info{
      .name = "project.read",
      .summary = "A project's public settings",
      .scope = Scope::project_read,
      .cost = Cost::read,
      .anonymous = ActionInfo::Anonymous::reading,
      .public_key = ActionInfo::PublicKey::may,
      .visitors = ActionInfo::Visitors::may,
      .unverified = ActionInfo::Unverified::may,
  };
};

/// Searching a project's documents.
struct SearchProject {
  static constexpr ActionInfo info{
      .name = "project.search",
      .summary = "Search a project's documents",
      .scope = Scope::project_search,
      .cost = Cost::search,
      .anonymous = ActionInfo::Anonymous::reading,
      .public_key = ActionInfo::PublicKey::may,
      .visitors = ActionInfo::Visitors::may,
  };
};

/// Becoming somebody: a short-lived token that a chat can belong to.
struct MintVisitor {
  static constexpr ActionInfo info{
      .name = "visitor.create",
      .summary = "A short-lived token for one visitor of a page",
      .scope = Scope::chat_create,
      .cost = Cost::mint_visitor,
      .anonymous = ActionInfo::Anonymous::own_pages,
      .public_key = ActionInfo::PublicKey::may,
      .unverified = ActionInfo::Unverified::may,
  };
};

namespace actions {

struct GetProject {
  using Permission = ReadProject;
  using Input = NoInput;
  static constexpr auto input_from = Route::Input::none;
  static constexpr auto slug_from = Route::Slug::in_path;
  static constexpr std::size_t body_bytes_max = 0;
  static constexpr auto streams = Route::Streams::no;
  static Async<Reply> handle(Services& services, Context context, Authorized<Permission> permit,
                             Validated<Input> input);
};

struct SearchInput {
  std::string q;
  std::optional<std::string> url, filter_title, domain_filter;
  static constexpr auto fields() {
    return std::tuple{
        field("q", &SearchInput::q, {.required = Required::yes, .length_max = 500, .doc = "What to look for"}),
        field("url", &SearchInput::url, {.length_max = 2'000, .doc = "Address of the page that asks"}),
        field("filter_title", &SearchInput::filter_title, {.length_max = 200, .doc = "Title of a search filter"}),
        field("domain_filter", &SearchInput::domain_filter, {.length_max = 200, .doc = "The same, as widgets send it"}),
    };
  }
};

struct Search {
  using Permission = SearchProject;
  using Input = SearchInput;
  static constexpr auto input_from = Route::Input::query;
  static constexpr auto slug_from = Route::Slug::in_path;
  static constexpr std::size_t body_bytes_max = 0;
  static constexpr auto streams = Route::Streams::no;
  static Async<Reply> handle(Services& services, Context context, Authorized<Permission> permit,
                             Validated<Input> input);
};

struct MessageInput {
  std::string message, project_slug;
  std::optional<ChatId> chat_uuid;
  std::optional<std::string> url, email, metadata;
  std::optional<bool> think_mode;
  static constexpr auto fields() {
    return std::tuple{
        field("message", &MessageInput::message,
              {.required = Required::yes, .length_max = chat::message_length_max, .doc = "The question"}),
        field("project_slug", &MessageInput::project_slug,
              {.required = Required::yes, .length_max = 100, .doc = "The project to ask"}),
        field("chat_uuid", &MessageInput::chat_uuid, {.doc = "A chat of one's own to go on with"}),
        field("url", &MessageInput::url, {.length_max = 2'000, .doc = "Address of the page that asks"}),
        field("email", &MessageInput::email, {.length_max = 254, .doc = "E-mail address or other name of the person"}),
        field("metadata", &MessageInput::metadata, {.length_max = 200, .doc = "A tag, e.g. web"}),
        field("think_mode", &MessageInput::think_mode,
              {.doc = "Take more time; without effect on the built-in answerer"}),
    };
  }
};

struct SendMessage {
  using Permission = chat::Ask;
  using Input = MessageInput;
  static constexpr auto input_from = Route::Input::body;
  static constexpr auto slug_from = Route::Slug::in_body;
  // A message of 1,000 four-byte characters, all escaped, with the longest other fields, fits in half of this.
  static constexpr std::size_t body_bytes_max = 64 * 1024;
  static constexpr auto streams = Route::Streams::yes;
  static Async<Reply> handle(Services& services, Context context, Authorized<Permission> permit,
                             Validated<Input> input);
};

struct VisitorInput {
  std::string project_slug;
  std::optional<std::string> origin;
  std::optional<Secret> identity_token;
  static constexpr auto fields() {
    return std::tuple{
        field("project_slug", &VisitorInput::project_slug,
              {.required = Required::yes, .length_max = 100, .doc = "The project to visit"}),
        field("origin", &VisitorInput::origin,
              {.length_max = 300, .doc = "With a secret key: the site whose page will use the token"}),
        field("identity_token", &VisitorInput::identity_token,
              {.length_max = crypto::jws_bytes_max,
               .doc = "Who the visitor is: a JWT that an identity issuer of the project has signed"}),
    };
  }
};

struct CreateVisitor {
  using Permission = MintVisitor;
  using Input = VisitorInput;
  static constexpr auto input_from = Route::Input::body;
  static constexpr auto slug_from = Route::Slug::in_body;
  // The longest identity token, and the other fields escaped.
  static constexpr std::size_t body_bytes_max = 16 * 1024;
  static constexpr auto streams = Route::Streams::no;
  static Async<Reply> handle(Services& services, Context context, Authorized<Permission> permit,
                             Validated<Input> input);
};

}  // namespace actions

}  // namespace parley::api
