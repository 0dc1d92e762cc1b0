// Whatever a header says: a peer outside the list stays itself; and any other answer stands in the header as an address
// of its own, with nothing but trusted hops behind it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "parley/admission/forwarded.h"

namespace {

using namespace parley::admission;
using boost::asio::ip::address;
using boost::asio::ip::make_address;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Every way to read an address at the begin of a stretch of its characters; deliberately not how the parser reads.
std::set<address> readings(std::string_view stretch) {
  std::set<address> found;
  for (std::size_t size = stretch.size(); size > 0; --size) {
    boost::system::error_code error;
    const auto parsed = make_address(std::string(stretch.substr(0, size)), error);
    if (!error) found.insert(parley::net::unmapped(parsed));
  }
  return found;
}

bool of_an_address(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size == 0 ? "" : reinterpret_cast<const char*>(data), size);
  // The first byte picks the header; line feeds part the lines that a request may repeat the header on.
  const bool standard = !text.empty() && text.front() % 2 != 0;
  if (!text.empty()) text.erase(0, 1);
  std::vector<std::string_view> lines;
  for (std::string_view rest = text; lines.size() < 8;) {
    const auto end = rest.find('\n');
    lines.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }

  Proxies proxies{.trusted = {*parley::net::parse_network_range("10.0.0.0/8"),
                              *parley::net::parse_network_range("2001:db8:aaaa::/48")},
                  .header = standard ? ForwardedHeader::forwarded : ForwardedHeader::x_forwarded_for};
  const auto trusted = [&](const address& hop) {
    return proxies.trusted[0].contains(hop) || proxies.trusted[1].contains(hop);
  };

  for (const auto* outside : {"192.0.2.1", "::ffff:192.0.2.1", "2001:db8:bbbb::1"})
    require(client_of(make_address(outside), lines, proxies) == parley::net::unmapped(make_address(outside)));

  const address peer = make_address("10.0.0.1");
  const address client = client_of(peer, lines, proxies);
  if (client == peer) return 0;
  require(!trusted(client));

  // Walk the lines from the right over stretches of address characters, until one can be read as the answer.
  bool found = false;
  for (std::size_t line = lines.size(); line > 0 && !found; --line) {
    const std::string_view value = lines[line - 1];
    for (std::size_t end = value.size(); end > 0 && !found;) {
      if (!of_an_address(value[end - 1])) {
        --end;
        continue;
      }
      std::size_t begin = end;
      while (begin > 0 && of_an_address(value[begin - 1])) --begin;
      const auto read = readings(value.substr(begin, end - begin));
      found = read.contains(client);
      // In X-Forwarded-For a stretch is a hop or a hop's port, so what stands behind the answer must be trusted.
      // (In Forwarded it may as well be a part of "by=" or "host=".)
      if (!found && !standard && !read.empty() && value.substr(begin, end - begin).find_first_of(".:") != 0) {
        bool any = false;
        for (const address& one : read) any = any || trusted(one);
        require(any);
      }
      end = begin;
    }
  }
  require(found);
  return 0;
}
