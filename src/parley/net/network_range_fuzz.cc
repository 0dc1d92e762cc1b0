// Whatever is written as a range: what is accepted has one spelling, takes in its own address, and no address whose
// bits within the prefix differ; a mapped address is judged as the IPv4 address it is.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/net/network_range.h"

namespace {

using namespace parley;
namespace ip = boost::asio::ip;

void require(bool holds) {
  if (!holds) std::abort();
}

ip::address with_bit_changed(const ip::address& from, unsigned bit) {
  const auto change = [bit](auto bytes) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (0x80U >> (bit % 8)));
    return bytes;
  };
  if (from.is_v4()) return ip::address_v4(change(from.to_v4().to_bytes()));
  return ip::address_v6(change(from.to_v6().to_bytes()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  const auto range = net::parse_network_range(text);
  if (!range) return 0;

  const std::string spelt = range->to_string();
  const auto again = net::parse_network_range(spelt);
  require(again.has_value() && *again == *range && again->to_string() == spelt);

  const auto slash = spelt.find('/');
  const auto base = ip::make_address(spelt.substr(0, slash));
  const auto prefix = static_cast<unsigned>(std::stoul(spelt.substr(slash + 1)));
  require(prefix >= 1 && range->contains(base) && range->contains(*range));
  for (unsigned bit = 0; bit < (base.is_v4() ? 32U : 128U); ++bit) {
    const auto other = with_bit_changed(base, bit);
    const bool inside = bit >= prefix;
    // One changed bit can turn an IPv6 address into a mapped one, which no range of IPv6 holds.
    const bool mapped = other.is_v6() && other.to_v6().is_v4_mapped();
    require(range->contains(other) == (inside && !mapped));
    if (base.is_v4()) require(range->contains(ip::make_address_v6(ip::v4_mapped, other.to_v4())) == inside);
  }
  return 0;
}
