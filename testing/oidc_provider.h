#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "testing/process.h"

namespace parley::testing {

/// Somebody else's implementation of OpenID Connect: oidc-provider from npm, on loopback, until the value goes. Its
/// people are in testing/node/oidc_provider.mjs.
class OidcProvider {
 public:
  /// Why there is none; empty if there is one to be had.
  static std::string why_not();

  /// With the client "parley". `authentication` as the standard calls it.
  OidcProvider(const std::string& client_secret, const std::string& redirect_uri, const std::string& authentication);

  std::uint16_t port() const { return port_; }  ///< 0: it did not start
  const std::string& issuer() const { return issuer_; }
  std::string place() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Ends it.
  void stop() { node_.reset(); }

  /// Follows an address through the provider's pages as this person, until it leads elsewhere: that address.
  std::string walk(std::string address, const std::string& person) const;

 private:
  std::unique_ptr<Program> node_;
  std::string issuer_;
  std::uint16_t port_ = 0;
};

}  // namespace parley::testing
