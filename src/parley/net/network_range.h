#pragma once

#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "parley/base/result.h"

namespace parley::net {

/// An IPv4 address that came in IPv6's clothes (::ffff:192.0.2.1) as itself, so that it has one count and matches
/// ranges; any other without its scope ("%eth0"), which says how to reach an address and not whose it is.
boost::asio::ip::address unmapped(const boost::asio::ip::address& address);

/// A range of addresses, e.g. 10.0.0.0/8. Holds either IPv4 or IPv6 addresses; a mapped address is an IPv4 one.
class NetworkRange {
 public:
  bool contains(const boost::asio::ip::address& address) const;
  /// Whether every address of `other` is in this one.
  bool contains(const NetworkRange& other) const;

  const boost::asio::ip::address& base() const { return base_; }
  unsigned prefix() const { return prefix_; }

  /// The one spelling that `parse_network_range` reads back to the same range: always with its prefix, "10.0.0.1/32".
  std::string to_string() const;

  bool operator==(const NetworkRange&) const = default;

 private:
  friend Result<NetworkRange> parse_network_range(std::string_view text);
  boost::asio::ip::address base_;
  unsigned prefix_ = 32;  ///< a range that nobody has parsed is one address that is nobody's
};

/// "10.0.0.0/8", "2001:db8::/32", or one address. `invalid_argument` for anything else, for bits behind the prefix (the
/// writer meant something else than the range that would result) and for /0, which would take in everybody.
Result<NetworkRange> parse_network_range(std::string_view text);

}  // namespace parley::net
