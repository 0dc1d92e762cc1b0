#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/evidence/sender.h"

namespace parley::identity {

/// The headers that tell where a request comes from; each none if absent. Views into the request.
struct SenderHeaders {
  std::optional<std::string_view> origin;      ///< Origin
  std::optional<std::string_view> fetch_site;  ///< Sec-Fetch-Site, which no script can set
  std::optional<std::string_view> host;        ///< Host
};

/// Which addresses are our own: what tells a page of ours from one of another site.
class OwnAddress {
 public:
  /// Without a configured address: an IP address or "localhost", on any port. No other name, since anybody can make a
  /// name of theirs lead here, and a page under it would then pass for ours (DNS rebinding).
  OwnAddress() = default;
  /// `public_url`: as people reach us, e.g. "https://chat.example.org". `invalid_argument` if it is no origin.
  static Result<OwnAddress> parse(std::string_view public_url);

  /// Whether a request to this Host came to us under our own name.
  bool is_host(std::string_view host) const;
  const std::string& origin() const { return origin_; }

 private:
  std::string origin_;  ///< empty: not configured
};

/// Reads where a request comes from:
///
/// | Origin          | Sec-Fetch-Site        | Host | sender   |
/// |-----------------|-----------------------|------|----------|
/// | ours or absent  | same-origin           | ours | own_page |
/// | ours            | absent (plain HTTP)   | ours | own_page |
/// | absent          | absent or none        | any  | program  |
/// | a site          | not same-origin       | any  | site     |
/// | anything else   |                       |      | hidden   |
Sender read_sender(const SenderHeaders& headers, const OwnAddress& own);

}  // namespace parley::identity
