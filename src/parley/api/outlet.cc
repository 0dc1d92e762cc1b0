#include "parley/api/outlet.h"

#include <fmt/format.h>

#include "parley/api/error_http.h"

namespace parley::api {
namespace {

// Scripts and styles from our own files only: a page of ours never needs an inline one, so an injected one is inert.
constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
constexpr std::string_view data_policy = "default-src 'none'; frame-ancestors 'none'";

void add_common(std::vector<http::Header>& headers, Reply::Kind kind, Outlet::Transport transport) {
  headers.push_back({"X-Content-Type-Options", "nosniff"});
  headers.push_back({"Referrer-Policy", "no-referrer"});
  headers.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
  headers.push_back({"Content-Security-Policy", std::string(kind == Reply::Kind::page ? page_policy : data_policy)});
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

http::SafeReply Outlet::reply(Reply reply, const RequestId& request) const {
  std::vector<http::Header> headers = std::move(reply.headers);
  headers.reserve(headers.size() + 9);
  if (reply.status != 204) headers.push_back({"Content-Type", std::string(reply.content_type.view())});
  headers.push_back({"X-Request-Id", request.to_string()});
  add_common(headers, reply.kind, transport_);
  return {reply.status, std::move(headers), std::move(reply.body)};
}

boost::json::object Outlet::error_body(const Error& error, const RequestId& request) {
  const std::string text = error.subject().empty() ? std::string(error.reason().view())
                                                   : fmt::format("{}: {}", error.subject(), error.reason().view());
  return {{"error", text}, {"code", name(error.code())}, {"request_id", request.to_string()}};
}

http::SafeReply Outlet::error(const Error& error, const RequestId& request) const {
  Reply answer = Reply::json(http_status(error.code()), error_body(error, request));
  if (error.code() == Code::unauthenticated) answer.headers.push_back({"WWW-Authenticate", "Bearer, Api-Key"});
  auto retry_after = error.retry_after();
  if (error.code() == Code::unavailable && !retry_after) retry_after = std::chrono::seconds(1);
  if (retry_after) answer.headers.push_back({"Retry-After", std::to_string(retry_after->count())});
  return reply(std::move(answer), request);
}

http::SafeReply Outlet::refusal(int status) const {
  // Nothing that was received is known to be meant, so the reply echoes nothing, not even an id.
  std::vector<http::Header> headers{{"Content-Type", "application/json"}};
  add_common(headers, Reply::Kind::api, transport_);
  const Error error = error_for_status(status);
  return {status, std::move(headers), boost::json::serialize(error_body(error, RequestId()))};
}

http::SafeReply Outlet::stream_head(const RequestId& request) const {
  std::vector<http::Header> headers{{"Content-Type", "text/event-stream"},
                                    {"X-Request-Id", request.to_string()},
                                    {"X-Accel-Buffering", "no"}};  // nginx would hold small events back
  add_common(headers, Reply::Kind::api, transport_);
  return {200, std::move(headers), ""};
}

http::SafeChunk Outlet::event(Literal name, std::string_view json) const {
  return http::SafeChunk(event_bytes(name.view(), json));
}

http::SafeChunk Outlet::error_event(const Error& error, const RequestId& request) const {
  return http::SafeChunk(event_bytes("error", boost::json::serialize(error_body(error, request))));
}

}  // namespace parley::api
