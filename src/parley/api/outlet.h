#pragma once

#include <string>

#include <boost/json.hpp>

#include "parley/api/reply.h"
#include "parley/base/error.h"
#include "parley/base/uuid.h"
#include "parley/http/safe_reply.h"

namespace parley::api {

/// To whom a reply goes.
struct Recipient {
  RequestId request;
  std::string site;  ///< origin of a listed site, whose pages may read the reply; empty otherwise
};

/// The last step of the pipeline and the only maker of what reaches a socket. Adds the security headers and the request
/// id, and gives errors their one form: {"error":"…","code":"…","request_id":"…"}.
class Outlet {
 public:
  /// Whether clients reach us over TLS: then browsers are told never to come without it.
  enum class Transport : bool { plain, tls };
  explicit Outlet(Transport transport) : transport_(transport) {}

  http::SafeReply reply(Reply reply, const Recipient& to) const;

  /// Reads the error's code, public reason, subject and waiting time; never its operator detail.
  http::SafeReply error(const Error& error, const Recipient& to) const;

  /// For bytes that never became a request.
  http::SafeReply refusal(int status) const;

  /// The head of a stream of server-sent events, with what keeps proxies from holding it back.
  http::SafeReply stream_head(const Recipient& to) const;
  /// `json` is one serialised value; it holds no raw line break, so one data line carries it.
  http::SafeChunk event(Literal name, std::string_view json) const;
  http::SafeChunk error_event(const Error& error, const Recipient& to) const;

  /// Yes to a browser that asks whether a page of that site may send such a request.
  http::SafeReply preflight(http::Method method, const Recipient& to) const;

  static boost::json::object error_body(const Error& error, const RequestId& request);

 private:
  Transport transport_;
};

}  // namespace parley::api
