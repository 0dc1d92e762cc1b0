#include "parley/api/pipeline.h"

#include <chrono>
#include <string>

#include <boost/asio/ip/address.hpp>

#include "parley/api/error_http.h"
#include "parley/api/outlet.h"
#include "parley/api/recorder.h"
#include "parley/api/route.h"
#include "parley/api/session.h"
#include "parley/crypto/random.h"
#include "parley/http/cookie.h"
#include "parley/identity/credential_watch.h"
#include "parley/identity/project_directory.h"
#include "parley/identity/sender.h"
#include "parley/log/log.h"
#include "parley/text/json.h"

namespace parley::api {
namespace {

using std::chrono::steady_clock;

/// What is known of a request so far: for its log line, whatever step it ends at.
struct Progress {
  Context context;
  Recipient to;
  boost::asio::ip::address client;
  std::optional<std::string_view> session;  ///< the session cookie's value
  steady_clock::time_point started = steady_clock::now();
  const Route* route = nullptr;
  Principal who;
  Settled settled;
  int status = 0;

  identity::Credentials credentials() const {
    return {.authorization = context.head->header("Authorization"),
            .session = session,
            .use = use_of(*context.head),
            .sender = context.sender,
            .client = client};
  }
};

/// Sends deltas as server-sent events. The stream's head goes out with the first one, so that a question which is
/// refused before that is answered with a status of its own.
class EventStream final : public chat::DeltaSink {
 public:
  EventStream(Services& services, http::Exchange& exchange, const Progress& progress)
      : outlet_(services.outlet),
        exchange_(exchange),
        progress_(progress),
        watch_(services.authenticator, services.clock) {}

  bool started() const { return started_; }

  Async<void> delta(std::string text) override {
    PARLEY_CO_TRY(co_await watch_.require_still(progress_.credentials(), progress_.who.id));
    PARLEY_CO_TRY(co_await start());
    const boost::json::object data{{"text", std::move(text)}};
    co_return co_await exchange_.write(outlet_.event("delta", boost::json::serialize(data)));
  }

  void when_reader_leaves(std::function<void()> notify) override { exchange_.when_client_leaves(std::move(notify)); }

  Async<void> done(std::string json) {
    PARLEY_CO_TRY(co_await start());
    auto still = co_await watch_.require_still(progress_.credentials(), progress_.who.id);
    if (!still) co_return co_await failed(std::move(still).error());
    PARLEY_CO_TRY(co_await exchange_.write(outlet_.event("done", json)));
    co_return co_await exchange_.finish_stream();
  }

  Async<void> failed(Error error) {
    PARLEY_CO_TRY(co_await exchange_.write(outlet_.error_event(error, progress_.to)));
    co_return co_await exchange_.finish_stream();
  }

 private:
  Async<void> start() {
    if (started_) co_return Result<void>();
    started_ = true;
    co_return co_await exchange_.start_stream(outlet_.stream_head(progress_.to));
  }

  const Outlet& outlet_;
  http::Exchange& exchange_;
  const Progress& progress_;  ///< of the same exchange, so lives as long
  identity::CredentialWatch watch_;
  bool started_ = false;
};

bool wants_events(const http::RequestHead& head) {
  const auto accept = head.header("Accept");
  return accept && accept->find("text/event-stream") != std::string_view::npos;
}

std::optional<std::string> slug_in(const Route& route, const Context& context, const boost::json::object& input) {
  switch (route.slug) {
    case Route::Slug::none: return std::nullopt;
    case Route::Slug::in_path: return std::string(context.parameter);
    case Route::Slug::in_body: {
      const auto* slug = input.if_contains("project_slug");
      if (slug && slug->is_string()) return std::string(slug->get_string());
      return std::nullopt;
    }
  }
  std::unreachable();
}

Async<boost::json::object> read_input(http::Exchange& exchange, const Route& route) {
  const http::RequestHead& head = exchange.head();
  switch (route.input) {
    case Route::Input::none: co_return boost::json::object();
    case Route::Input::query: {
      auto object = query_to_object(head.query);
      if (!object) co_return std::unexpected(std::move(object).error());
      co_return std::move(*object);
    }
    case Route::Input::body: {
      // A form or text/plain body is what another site can make a browser send without asking first.
      if (!is_json_type(head.header("Content-Type")))
        co_return fail(Code::unsupported, "the body must be application/json");
      auto body = co_await exchange.read_body(route.body_bytes_max);
      if (!body) co_return std::unexpected(std::move(body).error());
      auto value = text::parse_json(*body);
      if (!value) co_return std::unexpected(std::move(value).error());
      auto* object = value->if_object();
      if (!object) co_return fail(Code::invalid_argument, "the body must be a JSON object");
      co_return std::move(*object);
    }
  }
  std::unreachable();
}

/// The steps of an action route, in order. Each consumes what the one before has made.
Async<Reply> run_action(Services& services, http::Exchange& exchange, Progress& progress, AddressAdmitted from) {
  const Route& route = *progress.route;

  // A cookie of ours that cannot be read is a credential that does not hold.
  auto session = http::find_cookie(*progress.context.head, session_cookie);
  if (!session) {
    progress.settled.rule = "credential_invalid";
    services.trail.count_anonymous_refusal(progress.settled.rule);
    co_return std::unexpected(std::move(session).error());
  }
  progress.session = *session;

  // Authenticate. A credential that does not hold is an error, never an anonymous caller.
  auto caller = co_await services.authenticator.authenticate(progress.credentials());
  if (!caller) {
    identity::NotAuthenticated& refused = caller.error();
    progress.settled.rule = refused.rule;
    if (refused.known) {
      // In batches: whoever holds a key that is refused could otherwise make the disk sync as often as they like.
      (void)co_await services.trail.note(progress.context.request, *refused.known, route.action->name, refused.rule,
                                         trail::Decision::refused);
    } else {
      services.trail.count_anonymous_refusal(refused.rule);
    }
    co_return std::unexpected(std::move(refused.error));
  }
  progress.who = caller->who();

  // Admit. Before anything that costs: the body, the project, the work.
  auto admitted = co_await services.admission.admit(from, *caller, admission::work_of(route.action->cost));
  if (!admitted) {
    progress.settled.rule = admitted.error().limit;
    // Best effort: a limit is met too often to wait for its record, and the refusal stands either way.
    (void)co_await services.trail.note(progress.context.request, progress.who, route.action->name,
                                       admitted.error().limit, trail::Decision::refused);
    co_return std::unexpected(admitted.error().error());
  }

  // A caller whom no project could allow does not get to send a body.
  if (!identity::Gate::worth_reading(*route.action, progress.who, progress.context.sender)) {
    progress.settled.rule = "no_credential";
    services.trail.count_anonymous_refusal(progress.settled.rule);
    co_return fail(Code::unauthenticated, "a credential is needed");
  }

  auto input = co_await read_input(exchange, route);
  if (!input) co_return std::unexpected(std::move(input).error());

  std::optional<ProjectRef> project;
  if (const auto slug = slug_in(route, progress.context, *input)) {
    auto found = co_await services.projects.find(*slug, identity::Reach::of(progress.who));
    if (!found) co_return std::unexpected(std::move(found).error());
    project = std::move(*found);
  }

  // Authorize, validate, handle: route.h, where the action's own types are known.
  const auto who = progress.who;
  auto reply = co_await route.perform(services, progress.context, *std::move(admitted), std::move(project),
                                      *std::move(input), &progress.settled);
  if (!reply) co_return std::unexpected(std::move(reply).error());
  // What changes something has put its record into the same transaction; a read is recorded here, in batches.
  if (route.action->effect == ActionInfo::Effect::reads) {
    auto noted = co_await services.trail.note(progress.context.request, who, route.action->name, progress.settled.rule,
                                              trail::Decision::allowed);
    if (!noted) co_return std::unexpected(std::move(noted).error());
  }
  co_return std::move(*reply);
}

Async<Reply> run_public(Services& services, http::Exchange& exchange, Progress& progress) {
  const Route& route = *progress.route;
  progress.settled.rule = "public_route";
  // Another site's page may not fill in a form of ours: it could sign its reader in as somebody else.
  const auto sender = progress.context.sender.kind;
  if (route.input != Route::Input::none && sender != Sender::Kind::own_page && sender != Sender::Kind::program) {
    progress.settled.rule = "other_site";
    services.trail.count_anonymous_refusal(progress.settled.rule);
    co_return fail(Code::permission_denied, "only this server's own page may do this");
  }
  auto input = co_await read_input(exchange, route);
  if (!input) co_return std::unexpected(std::move(input).error());
  auto reply = co_await route.answer(services, progress.context, *std::move(input));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return std::move(*reply);
}

Literal kind_name(PrincipalKind kind) {
  switch (kind) {
    case PrincipalKind::anonymous: return "anonymous";
    case PrincipalKind::secret_key: return "secret_key";
    case PrincipalKind::public_key: return "public_key";
    case PrincipalKind::visitor: return "visitor";
    case PrincipalKind::member: return "member";
    case PrincipalKind::local_user: return "local_user";
  }
  std::unreachable();
}

/// One line a request, of typed fields only: the route's pattern and not the path, ids and not names.
void log_request(const Progress& progress, const Error* error) {
  const auto spent =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - progress.started).count();
  const Literal route = progress.route ? progress.route->path : Literal("unknown");
  log::write(log::Level::info, "request",
             {{"request_id", progress.context.request},
              {"method", http::name(progress.context.head->method)},
              {"route", route},
              {"status", std::int64_t{progress.status}},
              {"duration_us", std::int64_t{spent}},
              {"caller", kind_name(progress.who.kind)},
              {"user_id", Id<PrincipalKind>(progress.who.id)},
              {"tenant", progress.who.tenant.value_or(TenantId())},
              {"rule", progress.settled.rule}});
  if (error && http_status(error->code()) >= 500) {
    log::write(log::Level::error, "request_failed",
               {{"request_id", progress.context.request},
                {"reason", error->reason()},
                log::Field::operator_text("detail", error->operator_detail())});
  }
}

}  // namespace

namespace detail {

asio::awaitable<Error> refuse(Services& services, const Context& context, const ActionInfo& action, Principal who,
                              identity::Denied denied) {
  // Visitors and public keys are whoever opens a page: a record each would let anybody fill a tenant's trail.
  const bool known = who.kind == PrincipalKind::secret_key || who.kind == PrincipalKind::member ||
                     who.kind == PrincipalKind::local_user;
  if (known) {
    if (denied.rule.view() == "secret_key_in_browser") {
      // For an operator's alert: the key is out, and every minute until it is revoked counts.
      log::write(log::Level::warning, "secret_key_in_browser",
                 {{"request_id", context.request},
                  {"key", KeyId(who.id)},
                  {"tenant", who.tenant.value_or(TenantId())},
                  {"action", action.name}});
    }
    const auto recorded = co_await services.trail.refused(context.request, who, action.name, denied.rule);
    if (!recorded) co_return recorded.error();
  } else {
    services.trail.count_anonymous_refusal(denied.rule);
  }
  co_return std::move(denied.error);
}

asio::awaitable<std::optional<admission::Refused>> admit_on_project(Services& services, const ActionInfo& action,
                                                                    Principal who, ProjectRef project) {
  co_return co_await services.admission.admit_target(admission::work_of(action.cost), std::move(who),
                                                     {project.tenant, project.project, {}});
}

}  // namespace detail

namespace {

/// Whether pages of other sites have any business there.
bool is_for_pages(const ActionInfo& action) {
  return action.visitors == ActionInfo::Visitors::may || action.public_key != ActionInfo::PublicKey::may_not;
}

/// The origin of the page that asks, if some project lists it: then its page may read what we answer. Not whether
/// *this* project does, since the answers to a stranger must not differ by that; without permission the answer is an
/// error, and holds nothing.
Async<std::string> listed_site(Services& services, Sender sender) {
  if (sender.kind != Sender::Kind::site) co_return std::string();
  const bool listed = PARLEY_CO_TRY(co_await services.projects.is_listed_anywhere(sender.origin));
  co_return listed ? std::move(sender.origin) : std::string();
}

/// A browser asks whether a page of another site may send a request. The request itself is judged when it comes.
asio::awaitable<void> preflight(Services& services, http::Exchange& exchange, Progress& progress) {
  const http::RequestHead& head = exchange.head();
  const auto method = http::parse_method(head.header("Access-Control-Request-Method").value_or(""));
  const Match match = find_route(method, head.path);
  std::optional<Error> error;
  if (!match.route || !match.route->action || !is_for_pages(*match.route->action)) {
    error = Error(Code::permission_denied, "not for pages of other sites");
  } else {
    auto site = co_await listed_site(services, progress.context.sender);
    if (!site) error = std::move(site).error();
    else if (site->empty()) error = Error(Code::permission_denied, "this origin is not listed");
    else progress.to.site = *std::move(site);
  }
  progress.settled.rule = error ? Literal("preflight_refused") : Literal("preflight");
  progress.status = error ? http_status(error->code()) : 204;
  co_await exchange.send(error ? services.outlet.error(*error, progress.to)
                               : services.outlet.preflight(method, progress.to));
}

}  // namespace

asio::awaitable<void> serve(Services& services, http::Exchange& exchange) {
  const http::RequestHead& head = exchange.head();
  Progress progress;
  progress.context.request = crypto::random_id<RequestId>(services.random);
  progress.context.head = &head;

  progress.to.request = progress.context.request;
  progress.context.sender = identity::read_sender(
      {.origin = head.header("Origin"), .fetch_site = head.header("Sec-Fetch-Site"), .host = head.header("Host")},
      services.own_address);

  const auto reply_to = [&](const Error& error) {
    progress.status = http_status(error.code());
    return services.outlet.error(error, progress.to);
  };

  auto from = services.admission.admit_address(head.peer, head.headers);
  if (!from) {
    progress.settled.rule = from.error().limit;
    services.trail.count_anonymous_refusal(progress.settled.rule);
    co_await exchange.send(reply_to(from.error().error()));
    log_request(progress, nullptr);
    co_return;
  }

  progress.client = from->client();
  progress.context.from = &*from;

  if (head.method == http::Method::options && head.header("Access-Control-Request-Method")) {
    co_await preflight(services, exchange, progress);
    log_request(progress, nullptr);
    co_return;
  }

  Match match = find_route(head.method, head.path);
  if (!match.route) {
    Reply reply;
    if (match.allowed.empty()) {
      co_await exchange.send(reply_to(Error(Code::not_found, "no such address")));
    } else {
      progress.status = 405;
      reply = Reply::json(405, Outlet::error_body(Error(Code::unsupported, "that method is not offered here"),
                                                  progress.context.request));
      reply.headers.push_back({"Allow", match.allowed});
      co_await exchange.send(services.outlet.reply(std::move(reply), progress.to));
    }
    log_request(progress, nullptr);
    co_return;
  }
  progress.route = match.route;
  progress.context.parameter = match.parameter;

  if (match.route->action && is_for_pages(*match.route->action)) {
    auto site = co_await listed_site(services, progress.context.sender);
    if (!site) {
      co_await exchange.send(reply_to(site.error()));
      log_request(progress, &site.error());
      co_return;
    }
    progress.to.site = *std::move(site);
  }

  EventStream events(services, exchange, progress);
  const bool streamed = match.route->streams == Route::Streams::yes && wants_events(head);
  if (streamed) progress.context.deltas = &events;

  auto outcome = match.route->action ? co_await run_action(services, exchange, progress, *from)
                                     : co_await run_public(services, exchange, progress);

  if (outcome && streamed) {
    progress.status = 200;
    (void)co_await events.done(std::move(outcome->body));
  } else if (outcome) {
    progress.status = outcome->status;
    co_await exchange.send(services.outlet.reply(*std::move(outcome), progress.to));
  } else if (events.started()) {
    progress.status = http_status(outcome.error().code());
    (void)co_await events.failed(outcome.error());
  } else {
    co_await exchange.send(reply_to(outcome.error()));
  }
  log_request(progress, outcome ? nullptr : &outcome.error());
}

}  // namespace parley::api
