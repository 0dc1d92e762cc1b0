#pragma once

// For tests alone: a sign-in provider without a network, whose every answer can be made wrong.
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "parley/crypto/jws_testing.h"
#include "parley/net/fetch.h"
#include "parley/text/percent.h"

namespace parley::identity::soft {

class SoftProvider final : public net::Web {
 public:
  explicit SoftProvider(const Clock& clock) : clock_(clock) {}

  using Change = std::function<void(boost::json::object&)>;
  Change change_metadata = [](auto&) {};
  Change change_claims = [](auto&) {};
  Change change_userinfo = [](auto&) {};
  Change change_tokens = [](auto&) {};

  std::string issuer = "https://id.example.org";
  std::string client_id = "parley";
  crypto::testing::TestSigner signer = crypto::testing::TestSigner::ec();  ///< signs tokens
  std::string kid = "one";
  std::string published = signer.jwk("one");  ///< what the key set holds
  std::string nonce;                          ///< of the attempt at hand
  std::string subject = "42";
  std::string email = "ada@example.org";
  boost::json::array groups;
  int status = 200;                  ///< of the token endpoint
  std::map<std::string, int> asked;  ///< how often, by path
  net::FetchRequest last_token_request{.url = {}};

  Async<net::FetchAnswer> fetch(net::FetchRequest request) override {
    const auto path = request.url.target;
    ++asked[path];
    auto answer = [&](int code, const std::string& body) {
      return net::FetchAnswer{
          .status = code, .headers = {}, .body = Untrusted<std::string>(body, Origin::page), .url = request.url};
    };
    if (request.url.origin() != issuer) co_return fail(Code::unavailable, "the host could not be asked");
    if (path == "/.well-known/openid-configuration") {
      boost::json::object metadata{{"issuer", issuer},
                                   {"authorization_endpoint", issuer + "/auth?tenant=x"},
                                   {"token_endpoint", issuer + "/token"},
                                   {"jwks_uri", issuer + "/jwks"},
                                   {"userinfo_endpoint", issuer + "/userinfo"},
                                   {"authorization_response_iss_parameter_supported", true}};
      change_metadata(metadata);
      co_return answer(200, boost::json::serialize(metadata));
    }
    if (path == "/jwks") co_return answer(200, R"({"keys":[)" + published + "]}");
    if (path == "/token") {
      last_token_request = request;
      const auto seconds = clock_.now().micros / 1'000'000;
      boost::json::object claims{{"iss", issuer},  {"sub", subject},         {"aud", client_id},
                                 {"iat", seconds}, {"exp", seconds + 300},   {"nonce", nonce},
                                 {"email", email}, {"email_verified", true}, {"groups", groups}};
      change_claims(claims);
      boost::json::object tokens{{"access_token", "opaque"},
                                 {"token_type", "Bearer"},
                                 {"id_token", signer.token(boost::json::serialize(claims), kid)}};
      change_tokens(tokens);
      co_return answer(status, boost::json::serialize(tokens));
    }
    if (path == "/userinfo") {
      boost::json::object userinfo{{"sub", subject}, {"email", email}, {"email_verified", true}, {"groups", groups}};
      change_userinfo(userinfo);
      co_return answer(200, boost::json::serialize(userinfo));
    }
    co_return answer(404, "");
  }

 private:
  const Clock& clock_;
};

/// A parameter of an address, decoded.
inline std::string parameter(std::string_view address, std::string_view name) {
  const auto parameters = text::parse_query(address.substr(address.find('?') + 1)).value();
  for (const auto& each : parameters)
    if (each.name == name) return each.value;
  return {};
}

}  // namespace parley::identity::soft
