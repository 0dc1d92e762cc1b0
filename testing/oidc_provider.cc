#include "testing/oidc_provider.h"

#include <map>

#include <boost/json.hpp>

#include "testing/http_client.h"

namespace parley::testing {

std::string OidcProvider::why_not() {
  const auto installed = run_program({"testing/node/install"});
  return installed.status == 0 ? std::string() : "npm's packages cannot be had: " + installed.err;
}

OidcProvider::OidcProvider(const std::string& client_secret, const std::string& redirect_uri,
                           const std::string& authentication)
    : node_(std::make_unique<Program>(std::vector<std::string>{"node", "testing/node/oidc_provider.mjs"},
                                      Variables{{"PARLEY_TEST_CLIENT_SECRET", client_secret},
                                                {"PARLEY_TEST_REDIRECT", redirect_uri},
                                                {"PARLEY_TEST_AUTHENTICATION", authentication}})) {
  const auto said = node_->read_until("\"}\n");
  if (!said) return;
  const auto line = said->substr(said->find("{\"issuer\""));
  issuer_ = std::string(boost::json::parse(line.substr(0, line.find('\n'))).at("issuer").as_string());
  port_ = static_cast<std::uint16_t>(std::stoi(issuer_.substr(issuer_.rfind(':') + 1)));
}

std::string OidcProvider::walk(std::string address, const std::string& person) const {
  bool signed_in = false;
  std::map<std::string, std::string> cookies;
  for (int step = 0; step < 16; ++step) {
    if (address.starts_with(issuer_)) address = address.substr(issuer_.size());
    if (!address.starts_with('/')) return address;
    HttpCall call{.path = address};
    // The provider makes addresses of it.
    call.headers.push_back({"Host", place()});
    if (address.starts_with("/interaction/")) {
      call.method = "POST";
      call.body = signed_in ? std::string("prompt=consent") : "prompt=login&password=any&login=" + person;
      call.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
      signed_in = true;
    }
    std::string sent;
    for (const auto& [name, value] : cookies) (sent += sent.empty() ? "" : "; ") += name + "=" + value;
    if (!sent.empty()) call.headers.push_back({"Cookie", sent});
    const auto answer = HttpClient(port_).send(call);
    for (const auto& header : answer.headers) {
      if (header.name != "Set-Cookie" && header.name != "set-cookie") continue;
      const auto equals = header.value.find('=');
      const auto end = header.value.find(';');
      cookies[header.value.substr(0, equals)] = header.value.substr(equals + 1, end - equals - 1);
    }
    const auto location = answer.header("location");
    if (!location) return "stuck at " + address + ": " + std::to_string(answer.status);
    address = *location;
  }
  return "lost";
}

}  // namespace parley::testing
