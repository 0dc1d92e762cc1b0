#include "parley/api/outlet.h"

#include <fmt/format.h>

#include "parley/api/error_http.h"

namespace parley::api {
namespace {

// Scripts and styles from our own files only: a page of ours never needs an inline one, so an injected one is inert.
constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors ";
constexpr std::string_view data_policy = "default-src 'none'; frame-ancestors 'none'";

/// Who may show a page in a frame: nobody, or the sites of a list. These are origins by our own reading, so none holds
/// a blank or semicolon that would begin another directive.
std::string policy_of_page(const std::vector<std::string>& frame_ancestors) {
  std::string policy(page_policy);
  if (frame_ancestors.empty()) return policy + "'none'";
  for (const auto& site : frame_ancestors) (policy += site) += ' ';
  policy.pop_back();
  return policy;
}

/// What lets pages of a listed site read the reply. `Vary` always, so that no cache hands one site's reply to another.
void add_cors(std::vector<http::Header>& headers, const Recipient& to) {
  headers.push_back({"Vary", "Origin"});
  if (to.site.empty()) return;
  headers.push_back({"Access-Control-Allow-Origin", to.site});
  headers.push_back({"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"});
}

void add_common(std::vector<http::Header>& headers, Reply::Kind kind, Outlet::Transport transport,
                const std::vector<std::string>& frame_ancestors = {}) {
  headers.push_back({"X-Content-Type-Options", "nosniff"});
  headers.push_back({"Referrer-Policy", "no-referrer"});
  headers.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
  headers.push_back({"Content-Security-Policy",
                     kind == Reply::Kind::page ? policy_of_page(frame_ancestors) : std::string(data_policy)});
  if (kind == Reply::Kind::page) headers.push_back({"Cross-Origin-Opener-Policy", "same-origin"});
  headers.push_back({"Cache-Control", kind == Reply::Kind::asset ? "public, max-age=31536000, immutable" : "no-store"});
  if (transport == Outlet::Transport::tls)
    headers.push_back({"Strict-Transport-Security", "max-age=31536000; includeSubDomains"});
}

Error error_for_status(int status) {
  switch (status) {
    case 408: return {Code::timeout, "the request took too long to arrive"};
    case 413: return {Code::too_large, "the body is too large"};
    case 414: return {Code::too_large, "the address is too long"};
    case 431: return {Code::too_large, "the headers are too large"};
    case 501: return {Code::unsupported, "that method or encoding is not offered"};
    case 505: return {Code::unsupported, "only HTTP/1.1 is spoken here"};
    default: return {Code::invalid_argument, "the request is not valid HTTP"};
  }
}

std::string event_bytes(std::string_view name, std::string_view json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

}  // namespace

http::SafeReply Outlet::reply(Reply reply, const Recipient& to) const {
  std::vector<http::Header> headers = std::move(reply.headers);
  headers.reserve(headers.size() + 12);
  if (reply.status != 204) headers.push_back({"Content-Type", std::string(reply.content_type.view())});
  headers.push_back({"X-Request-Id", to.request.to_string()});
  if (reply.kind == Reply::Kind::api) add_cors(headers, to);
  add_common(headers, reply.kind, transport_, reply.frame_ancestors);
  return {reply.status, std::move(headers), std::move(reply.body)};
}

boost::json::object Outlet::error_body(const Error& error, const RequestId& request) {
  const std::string text = error.subject().empty() ? std::string(error.reason().view())
                                                   : fmt::format("{}: {}", error.subject(), error.reason().view());
  return {{"error", text}, {"code", name(error.code())}, {"request_id", request.to_string()}};
}

http::SafeReply Outlet::error(const Error& error, const Recipient& to) const {
  Reply answer = Reply::json(http_status(error.code()), error_body(error, to.request));
  if (error.code() == Code::unauthenticated) answer.headers.push_back({"WWW-Authenticate", "Bearer, Api-Key"});
  auto retry_after = error.retry_after();
  if (error.code() == Code::unavailable && !retry_after) retry_after = std::chrono::seconds(1);
  if (retry_after) answer.headers.push_back({"Retry-After", std::to_string(retry_after->count())});
  return reply(std::move(answer), to);
}

http::SafeReply Outlet::refusal(int status) const {
  // Nothing that was received is known to be meant, so the reply echoes nothing, not even an id.
  std::vector<http::Header> headers{{"Content-Type", "application/json"}};
  add_common(headers, Reply::Kind::api, transport_);
  const Error error = error_for_status(status);
  return {status, std::move(headers), boost::json::serialize(error_body(error, RequestId()))};
}

http::SafeReply Outlet::preflight(http::Method method, const Recipient& to) const {
  Reply yes{.status = 204, .body = {}, .headers = {}};
  yes.headers.push_back({"Access-Control-Allow-Methods", std::string(http::name(method).view())});
  yes.headers.push_back(
      {"Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, Idempotency-Key"});
  // Long enough to spare most questions, short enough that a list which was shortened holds soon.
  yes.headers.push_back({"Access-Control-Max-Age", "600"});
  return reply(std::move(yes), to);
}

http::SafeReply Outlet::stream_head(const Recipient& to) const {
  std::vector<http::Header> headers{{"Content-Type", "text/event-stream"},
                                    {"X-Request-Id", to.request.to_string()},
                                    {"X-Accel-Buffering", "no"}};  // nginx would hold small events back
  add_cors(headers, to);
  add_common(headers, Reply::Kind::api, transport_);
  return {200, std::move(headers), ""};
}

http::SafeChunk Outlet::event(Literal name, std::string_view json) const {
  return http::SafeChunk(event_bytes(name.view(), json));
}

http::SafeChunk Outlet::error_event(const Error& error, const Recipient& to) const {
  return http::SafeChunk(event_bytes("error", boost::json::serialize(error_body(error, to.request))));
}

}  // namespace parley::api
