#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "parley/admission/admission.h"
#include "parley/api/reply.h"
#include "parley/api/wire.h"
#include "parley/chat/ask.h"
#include "parley/evidence/proofs.h"
#include "parley/http/message.h"
#include "parley/identity/gate.h"
#include "parley/net/async.h"

namespace parley::api {

struct Services;

/// What a handler may know of its request beside its permission and its input.
struct Context {
  RequestId request;
  const http::RequestHead* head = nullptr;  ///< lives as long as the exchange
  const AddressAdmitted* from = nullptr;    ///< likewise
  std::string_view parameter;               ///< what stood for {…} in the path, decoded; empty if the path has none
  Sender sender;
  chat::DeltaSink* deltas = nullptr;  ///< set when the client asked for server-sent events and the action streams
};

/// The id that stands in the path. `not_found` for a text that is none: nothing has such an address.
template <class IdType>
Result<IdType> id_in(const Context& context) {
  const auto id = IdType::parse(context.parameter);
  if (!id) return fail(Code::not_found, "no such address");
  return *id;
}

/// How a caller's question was settled before the handler ran; what the log and the trail record.
struct Settled {
  Literal rule = "none";
  std::optional<ProjectRef> project;
};

/// One line of the route table.
struct Route {
  enum class Input : std::uint8_t { none, query, body };
  enum class Slug : std::uint8_t { none, in_path, in_body };

  http::Method method;
  Literal path;  ///< at most one segment is a parameter, in braces: "/api/v1/projects/{slug}/"
  const ActionInfo* action = nullptr;
  std::string_view public_reason;  ///< for a route that needs no credential: why not. Exactly one of the two is there
  Input input = Input::none;
  Slug slug = Slug::none;
  std::size_t body_bytes_max = 0;
  enum class Streams : bool { no, yes } streams = Streams::no;
  boost::json::object (*input_schema)() = nullptr;
  Literal summary = "";

  /// Authorizes, validates and handles. For an action route.
  Async<Reply> (*perform)(Services& services, Context context, Admitted caller, std::optional<ProjectRef> project,
                          boost::json::object input, Settled* settled) = nullptr;
  /// Validates and handles. For a public route.
  Async<Reply> (*answer)(Services& services, Context context, boost::json::object input) = nullptr;
};

/// What most actions have in common; each says what is different.
template <class P, class I = struct NoInput>
struct JsonAction {
  using Permission = P;
  using Input = I;
  static constexpr auto input_from = std::is_same_v<I, NoInput> ? Route::Input::none : Route::Input::body;
  static constexpr auto slug_from = P::info.on == ActionInfo::On::project ? Route::Slug::in_path : Route::Slug::none;
  // Some short fields, escaped.
  static constexpr std::size_t body_bytes_max = input_from == Route::Input::body ? std::size_t{16} * 1024 : 0;
  static constexpr auto streams = Route::Streams::no;
};

/// Says that a route needs no credential, and why that is right.
struct Public {
  Literal reason;
};

/// Checks inputs. The only maker of `Validated`.
class Validator {
 public:
  template <class Wire>
  static Result<Validated<Wire>> validate(const boost::json::object& input) {
    return Validated<Wire>(PARLEY_TRY(read_wire<Wire>(input)));
  }
};

namespace detail {

/// Records that an identified caller was refused, durably, and returns the error to answer with.
asio::awaitable<Error> refuse(Services& services, const Context& context, const ActionInfo& action, Principal who,
                              identity::Denied denied);

/// Counts a request against the project it turned out to be about, where the credential named none.
asio::awaitable<std::optional<admission::Refused>> admit_on_project(Services& services, const ActionInfo& action,
                                                                    Principal who, ProjectRef project);

template <class A>
Async<Reply> perform(Services& services, Context context, Admitted caller, std::optional<ProjectRef> project,
                     boost::json::object input, Settled* settled) {
  using Permission = typename A::Permission;
  settled->project = project;
  auto permit = [&] {
    if constexpr (Permission::info.on == ActionInfo::On::project)
      return identity::Gate::authorize<Permission>(caller, std::move(project), context.sender);
    else return identity::Gate::authorize<Permission>(caller, context.sender);
  }();
  if (!permit) {
    settled->rule = permit.error().rule;
    Error error = co_await refuse(services, context, Permission::info, caller.who(), std::move(permit).error());
    co_return std::unexpected(std::move(error));
  }
  settled->rule = permit->rule();
  auto validated = Validator::validate<typename A::Input>(input);
  if (!validated) co_return std::unexpected(std::move(validated).error());
  // A question counts in its chat as well, at once with the project or not at all: its handler knows which chat.
  if constexpr (Permission::info.on == ActionInfo::On::project && Permission::info.cost != Cost::chat) {
    const auto refused = co_await admit_on_project(services, Permission::info, permit->who(), permit->project());
    if (refused) {
      settled->rule = refused->limit;
      co_return std::unexpected(refused->error());
    }
  }
  co_return co_await A::handle(services, context, *std::move(permit), *std::move(validated));
}

template <class A>
Async<Reply> answer(Services& services, Context context, boost::json::object input) {
  auto validated = Validator::validate<typename A::Input>(input);
  if (!validated) co_return std::unexpected(std::move(validated).error());
  co_return co_await A::handle(services, context, *std::move(validated));
}

}  // namespace detail

/// A route that does an action: `A` names its `Permission` (the action), its `Input` (a wire type) and how both arrive.
template <class A>
  requires Action<typename A::Permission>
consteval Route action(http::Method method, Literal path) {
  Route route{.method = method, .path = path};
  route.action = &A::Permission::info;
  route.summary = A::Permission::info.summary;
  route.input = A::input_from;
  route.slug = A::slug_from;
  if ((route.slug == Route::Slug::none) != (A::Permission::info.on != ActionInfo::On::project))
    throw "an action on a project, and no other, says where its slug stands";
  route.body_bytes_max = A::body_bytes_max;
  route.streams = A::streams;
  route.input_schema = &schema<typename A::Input>;
  route.perform = &detail::perform<A>;
  return route;
}

/// A route that anybody may ask for and that takes nothing but its path: pages, files, what load balancers ask.
template <Async<Reply> (*Answer)(Services&, Context)>
consteval Route open(Literal path, Public why, Literal summary) {
  Route route{.method = http::Method::get, .path = path};
  route.public_reason = why.reason.view();
  route.summary = summary;
  route.answer = [](Services& services, Context context, boost::json::object) { return Answer(services, context); };
  return route;
}

/// A route that needs no credential but judges what is in its body, as signing in does: `A` names its `summary`, its
/// `Input` (a wire type) and its `body_bytes_max`, or that it comes by the query. Pages of other sites cannot use it.
template <class A>
consteval Route open(http::Method method, Literal path, Public why) {
  Route route{.method = method, .path = path};
  route.public_reason = why.reason.view();
  route.summary = A::summary;
  if constexpr (requires { A::body_bytes_max; }) {
    route.input = Route::Input::body;
    route.body_bytes_max = A::body_bytes_max;
  } else {
    route.input = Route::Input::query;
  }
  route.input_schema = &schema<typename A::Input>;
  route.answer = &detail::answer<A>;
  return route;
}

/// Every address this program answers. `parley routes`, the API description and the access tests read it too.
std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;  ///< none: see `allowed`
  std::string parameter;
  std::string allowed;  ///< methods the path has, for 405; empty for a path that is not known
};
/// Exact: no other case, no missing slash, no encoded slash finds a route. HEAD finds the GET route.
Match find_route(http::Method method, std::string_view path);

}  // namespace parley::api
