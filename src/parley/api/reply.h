#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>

#include "parley/base/literal.h"
#include "parley/http/message.h"

namespace parley::api {

/// What a handler answers. `Outlet` turns it into the reply that is sent.
struct Reply {
  /// Decides the security headers that go with it.
  enum class Kind : std::uint8_t {
    api,    ///< JSON: never cached, never rendered
    page,   ///< HTML of ours: may run our scripts and styles, nothing else
    asset,  ///< a script, style or image of ours, named by its content: cached for good
  };

  int status = 200;
  Kind kind = Kind::api;
  Literal content_type = "application/json";
  std::string body;
  std::vector<http::Header> headers;              ///< further ones, e.g. Allow, Retry-After
  std::vector<std::string> frame_ancestors = {};  ///< sites that may show this page in a frame; a page's alone

  static Reply json(int status, const boost::json::value& value) {
    return {.status = status, .body = boost::json::serialize(value), .headers = {}};
  }
  static Reply html(int status, std::string body) {
    return {.status = status,
            .kind = Kind::page,
            .content_type = "text/html; charset=utf-8",
            .body = std::move(body),
            .headers = {}};
  }
};

}  // namespace parley::api
