#include "parley/http/reply_head.h"

#include <ctime>

#include <fmt/format.h>

#include "parley/http/ascii.h"

namespace parley::http {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

bool is_ours(std::string_view name) {
  switch (name.size()) {
    case 4: return ascii::equal_ignoring_case(name, "date");
    case 10: return ascii::equal_ignoring_case(name, "connection");
    case 14: return ascii::equal_ignoring_case(name, "content-length");
    case 17: return ascii::equal_ignoring_case(name, "transfer-encoding");
    default: return false;
  }
}

}  // namespace

bool append_reply_head(std::string& out, const SafeReply& reply, ReplyFraming framing, Persistence persistence,
                       std::string_view date) {
  // An interim or nonsensical status here would leave the client waiting for another reply.
  const bool upgraded = framing == ReplyFraming::upgraded;
  if (upgraded ? reply.status() != 101 : reply.status() < 200 || reply.status() > 599) return false;
  const auto before = out.size();
  if (reply.status() == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
  } else {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", reply.status(), reason_phrase(reply.status()));
  }
  out.append(date);
  for (const auto& [name, value] : reply.headers()) {
    if (name.empty() || !ascii::all(name, ascii::token) || !ascii::all(value, ascii::field_value) || is_ours(name)) {
      out.resize(before);
      return false;
    }
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (!is_bodiless(reply.status())) {
    if (framing == ReplyFraming::length) {
      const fmt::format_int length(reply.body().size());
      out.append("Content-Length: ").append(length.data(), length.size()).append("\r\n");
    } else if (framing == ReplyFraming::chunked) {
      out.append("Transfer-Encoding: chunked\r\n");
    }
  }
  if (upgraded) {
    out.append("Connection: Upgrade\r\n\r\n");
    return true;
  }
  if (persistence == Persistence::close) out.append("Connection: close\r\n");
  if (persistence == Persistence::keep_alive) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
  return true;
}

std::string make_date_line(std::int64_t unix_seconds) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = unix_seconds;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  // Not strftime: the names would follow the locale.
  return fmt::format("Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", days[utc.tm_wday], utc.tm_mday,
                     months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string_view bare_500() {
  return "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

}  // namespace parley::http
