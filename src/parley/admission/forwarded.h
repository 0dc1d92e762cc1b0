#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "parley/base/literal.h"
#include "parley/net/network_range.h"

namespace parley::admission {

enum class ForwardedHeader : std::uint8_t {
  x_forwarded_for,  ///< "X-Forwarded-For: client, proxy"
  forwarded,        ///< RFC 7239: "Forwarded: for=client, for=proxy"
};
Literal name(ForwardedHeader header);
/// Whether a header of a request is that one; names know no case.
bool is_named(ForwardedHeader header, std::string_view name);

/// Who may say where a request comes from, and in which header. Only one is believed: a proxy sets one and passes the
/// other on as the client sent it.
struct Proxies {
  std::vector<net::NetworkRange> trusted;
  ForwardedHeader header = ForwardedHeader::x_forwarded_for;
};

/// The address a request comes from: the right-most hop that no trusted proxy is, since everything left of it is
/// hearsay from outside. `peer` is the connection's; `lines` are all values of the believed header, in their order.
///
/// It is the peer itself if the peer is not trusted, if there is no such header, if a hop that must be read is not an
/// address (unknown, a name, garbage), and if every hop is trusted: an address inside the trusted ranges could
/// otherwise choose its own name. Hops left of the answer are not read, so garbage there changes nothing.
boost::asio::ip::address client_of(const boost::asio::ip::address& peer, std::span<const std::string_view> lines,
                                   const Proxies& proxies);

/// The same from a whole request: `headers` is a range of what has a `name` and a `value`.
template <class Headers>
boost::asio::ip::address client_in(const boost::asio::ip::address& peer, const Headers& headers,
                                   const Proxies& proxies) {
  std::vector<std::string_view> lines;
  if (!proxies.trusted.empty())
    for (const auto& header : headers)
      if (is_named(proxies.header, header.name)) lines.emplace_back(header.value);
  return client_of(peer, lines, proxies);
}

}  // namespace parley::admission
