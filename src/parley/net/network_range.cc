#include "parley/net/network_range.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace parley::net {
namespace {

using boost::asio::ip::address;

// "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"; anything longer is no address.
constexpr std::size_t address_characters_max = 45;

/// Exactly an address: no scope, no blanks, no other spelling of numbers.
std::optional<address> parse_plain(std::string_view text) {
  if (text.empty() || text.size() > address_characters_max || text.find('%') != std::string_view::npos)
    return std::nullopt;
  // The library reads up to the first NUL and would take what stands before it.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return parsed;
}

unsigned bits_of(const address& of) { return of.is_v4() ? 32 : 128; }

std::uint8_t byte_at(const address& of, std::size_t i) {
  return of.is_v4() ? of.to_v4().to_bytes()[i] : of.to_v6().to_bytes()[i];
}

bool equal_up_to(const address& a, const address& b, unsigned prefix) {
  const std::size_t whole = prefix / 8;
  for (std::size_t i = 0; i < whole; ++i)
    if (byte_at(a, i) != byte_at(b, i)) return false;
  const unsigned rest = prefix % 8;
  return rest == 0 || ((byte_at(a, whole) ^ byte_at(b, whole)) >> (8 - rest)) == 0;
}

}  // namespace

address unmapped(const address& from) {
  if (from.is_v4()) return from;
  if (from.to_v6().is_v4_mapped()) return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, from.to_v6());
  return boost::asio::ip::address_v6(from.to_v6().to_bytes());
}

bool NetworkRange::contains(const address& given) const {
  const address plain = unmapped(given);
  return plain.is_v4() == base_.is_v4() && equal_up_to(plain, base_, prefix_);
}

bool NetworkRange::contains(const NetworkRange& other) const {
  return other.prefix_ >= prefix_ && contains(other.base_);
}

std::string NetworkRange::to_string() const { return base_.to_string() + "/" + std::to_string(prefix_); }

Result<NetworkRange> parse_network_range(std::string_view text) {
  const auto refuse = [](Literal why) { return fail(Code::invalid_argument, why); };
  const auto slash = text.find('/');
  const auto base = parse_plain(text.substr(0, slash));
  if (!base) return refuse("an address or a range such as 10.0.0.0/8 is needed");
  NetworkRange range;
  range.base_ = *base;
  const unsigned bits = bits_of(*base);
  range.prefix_ = bits;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), range.prefix_);
    if (status != std::errc() || end != digits.data() + digits.size() || range.prefix_ > bits)
      return refuse("the number behind the slash is not a prefix");
  }
  if (range.prefix_ == 0) return refuse("a range of all addresses is no range");
  if (base->is_v6() && base->to_v6().is_v4_mapped()) return refuse("write an IPv4 range as IPv4");
  for (unsigned bit = range.prefix_; bit < bits; ++bit)
    if ((byte_at(*base, bit / 8) >> (7 - bit % 8) & 1) != 0) return refuse("the address has bits behind its prefix");
  return range;
}

}  // namespace parley::net
