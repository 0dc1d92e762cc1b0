#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/net/network_range.h"

namespace parley::net {

namespace asio = boost::asio;

/// What an address is for, by the special-purpose registries of IANA (RFC 6890 and its successors). Everything that is
/// not known to be ordinary and public has another kind than `global`.
enum class AddressKind : std::uint8_t {
  global,
  unspecified,    ///< 0.0.0.0/8, ::
  loopback,       ///< 127.0.0.0/8, ::1
  private_use,    ///< 10.0.0.0/8 and its like, fc00::/7, fec0::/10
  shared,         ///< 100.64.0.0/10: behind a carrier's translator
  link_local,     ///< 169.254.0.0/16 (where clouds answer with credentials), fe80::/10
  multicast,      ///< 224.0.0.0/4, ff00::/8
  broadcast,      ///< 255.255.255.255
  documentation,  ///< 192.0.2.0/24 and its like, 2001:db8::/32, 3fff::/20
  benchmarking,   ///< 198.18.0.0/15, 2001:2::/48
  translation,    ///< carries another address: 6to4, Teredo, ISATAP, IPv4-compatible, a local NAT64
  platform,       ///< 168.63.129.16: public by number, a cloud's own services by use
  reserved,       ///< everything else that is not in use
};
Literal name(AddressKind kind);

/// The kind of an address, as a packet to it would be treated: an IPv4 address inside an IPv6 one (::ffff:0:0/96, the
/// NAT64 prefix 64:ff9b::/96) is judged as the IPv4 address.
AddressKind classify(const asio::ip::address& address);

/// An IPv4 address in any spelling that some reader of URLs accepts: 1 to 4 parts, decimal, octal (0177) or hexadecimal
/// (0x7f), the last one filling what is left. None for anything else.
std::optional<asio::ip::address_v4> parse_ipv4_any_spelling(std::string_view text);

inline constexpr std::size_t url_bytes_max = 4096;

enum class UrlScheme : std::uint8_t { http, https };

/// An http or https address, parsed once: what is checked is what is connected to. No part of it is read again by
/// anybody else.
struct HttpUrl {
  UrlScheme scheme = UrlScheme::https;
  /// In one spelling: lower case, ASCII (IDNA2008 for other letters), no trailing dot; an IP address without brackets
  /// in its usual form, however it was written.
  std::string host;
  std::optional<asio::ip::address> address;  ///< the host, if it is one
  std::uint16_t port = 443;
  std::string target = "/";  ///< path and query, ASCII; never empty

  /// "https://host", with the port unless it is the scheme's own: as the Origin header has it.
  std::string origin() const;
  std::string to_string() const { return origin() + target; }

  bool operator==(const HttpUrl&) const = default;
};

/// Untrusted text to an address. `invalid_argument`, the reason saying which part, for everything whose readers differ:
/// another scheme, user names and passwords, backslashes, blanks and control characters, percent signs in the host, a
/// zone id, port 0, an empty host, names that are no host names. A fragment is dropped. Blanks and letters beyond ASCII
/// in path and query are percent-encoded; dot segments stay as they are (the server's own concern).
Result<HttpUrl> parse_http_url(std::string_view text);

/// What a Location header means, seen from the address that sent it. `invalid_argument` as above.
Result<HttpUrl> resolve_http_url(const HttpUrl& base, std::string_view reference);

enum class Permission : std::uint8_t {
  refused,
  open,          ///< a public address on a port of the web
  allow_listed,  ///< somebody who runs this installation wrote it down
};

/// Where the program may connect to for one purpose: public addresses on ports of the web, and beyond that what the
/// operator lists (`[egress.NAME] allow = ["127.0.0.1:9100", "models.internal:8080", "10.1.0.0/16"]`). Pure; immutable,
/// so safe from any thread.
class EgressPolicy {
 public:
  /// Public addresses alone.
  EgressPolicy() = default;

  /// Each entry is HOST:PORT (a name, an IPv4 address, or an IPv6 address in brackets) or a network in CIDR form, for
  /// any port. `invalid_argument` names the first that is neither; a network with bits beyond its prefix, or one so
  /// short that it takes in most of the Internet (below /8, for IPv6 below /16), is none.
  static Result<EgressPolicy> parse(std::span<const std::string> entries);

  /// Whether this address may be connected to under this name. Unspecified, multicast and broadcast addresses never.
  /// `host` as in `HttpUrl::host`.
  Permission judge(std::string_view host, const asio::ip::address& address, std::uint16_t port) const;

 private:
  struct Place {
    std::string host;  ///< as in HttpUrl
    std::optional<asio::ip::address> address;
    std::uint16_t port;
  };
  std::vector<Place> places_;
  std::vector<NetworkRange> networks_;
};

}  // namespace parley::net
