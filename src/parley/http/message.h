#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "parley/base/literal.h"

namespace parley::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

/// Upper-case name, e.g. "GET"; "OTHER" for a method nothing here offers.
Literal name(Method method);
/// `other` for a method nothing here offers. Methods are case-sensitive: "get" is one of those.
Method parse_method(std::string_view text);

struct Header {
  std::string name;  ///< as received; compare without regard to case
  std::string value;
};

/// A request before its body: what routing, authentication and admission decide on, so that a caller who may not send
/// a body never gets to send one.
struct RequestHead {
  Method method = Method::other;
  std::string path;   ///< starts with '/', as sent: not percent-decoded, no query
  std::string query;  ///< what followed '?', as sent
  std::vector<Header> headers;
  std::optional<std::uint64_t> content_length;  ///< none when chunked or absent
  boost::asio::ip::address peer;                ///< of the connection, never of a header
  bool tls = false;

  /// The value of the only header of that name. None if absent; a header that must be single and is not has been
  /// refused by the parser (Host, Content-Length, Authorization, Content-Type, Origin, Transfer-Encoding).
  std::optional<std::string_view> header(std::string_view name) const;
};

}  // namespace parley::http
