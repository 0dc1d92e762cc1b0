#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/text/json.h"
#include "testing/test_server.h"

namespace parley::scenarios {

inline const std::string good_password = "quartz lantern oblique ferry";
inline const std::string other_password = "velvet anchor paprika sundial";

/// A browser on one of our pages: keeps the cookies and the CSRF token, and says where it is.
class Browser {
 public:
  explicit Browser(testing::TestServer& server, std::string host = {})
      : server_(server), client_(server.client()), host_(std::move(host)) {}

  testing::HttpAnswer send(std::string method, std::string path, std::optional<boost::json::object> body = {},
                           std::vector<testing::HttpHeader> headers = {testing::TestServer::own_page()}) {
    testing::HttpCall call{.method = std::move(method), .path = std::move(path), .headers = std::move(headers)};
    if (!host_.empty()) call.headers.push_back({"Host", host_});
    std::string cookies = "theme=dark";
    if (!cookie.empty()) cookies += "; __Host-parley_session=" + cookie;
    if (!ticket.empty()) cookies += "; __Host-parley_ticket=" + ticket;
    call.headers.push_back({"Cookie", std::move(cookies)});
    if (!csrf.empty()) call.headers.push_back({"X-CSRF-Token", csrf});
    if (body) {
      call.headers.push_back({"Content-Type", "application/json"});
      call.body = boost::json::serialize(*body);
    }
    auto answer = client_.send(call);
    EXPECT_THAT(server_.problems_of(answer, {.readable = {"alpha-closed"}, .issues_token = true}), ::testing::IsEmpty())
        << answer.body;
    for (const auto& header : answer.headers) {
      if (header.name != "Set-Cookie") continue;
      const auto equals = header.value.find('=');
      const auto value = header.value.substr(equals + 1, header.value.find(';') - equals - 1);
      const bool is_ticket = header.value.starts_with("__Host-parley_ticket=");
      (is_ticket ? set_ticket : set_cookie) = header.value;
      (is_ticket ? ticket : cookie) = value;
      if (!value.empty()) server_.add_secret(value);
    }
    if (const auto value = text::parse_json(answer.body); value && value->is_object())
      if (const auto* token = value->as_object().if_contains("csrf")) csrf = std::string(token->as_string());
    return answer;
  }
  boost::json::object get(std::string path) { return object(send("GET", std::move(path))); }
  static boost::json::object object(const testing::HttpAnswer& answer) {
    const auto value = text::parse_json(answer.body);
    EXPECT_TRUE(value && value->is_object()) << answer.status << answer.body;
    return value && value->is_object() ? value->as_object() : boost::json::object();
  }
  testing::HttpAnswer sign_in(const std::string& email, const std::string& password = good_password) {
    cookie.clear();
    csrf.clear();
    return send("POST", "/api/v1/session/", boost::json::object{{"email", email}, {"password", password}});
  }

  std::string cookie, ticket, csrf;
  std::string set_cookie, set_ticket;  ///< the headers that last set these

 private:
  testing::TestServer& server_;
  testing::HttpClient client_;
  std::string host_;
};

}  // namespace parley::scenarios
