#include "parley/http/message.h"

#include "parley/http/ascii.h"

namespace parley::http {

Literal name(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::delete_: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::other: return "OTHER";
  }
  return "OTHER";
}

Method parse_method(std::string_view text) {
  for (const auto method :
       {Method::get, Method::post, Method::head, Method::options, Method::put, Method::patch, Method::delete_}) {
    if (name(method) == text) return method;
  }
  return Method::other;
}

std::optional<std::string_view> RequestHead::header(std::string_view wanted) const {
  for (const auto& header : headers) {
    if (ascii::equal_ignoring_case(header.name, wanted)) return header.value;
  }
  return std::nullopt;
}

}  // namespace parley::http
