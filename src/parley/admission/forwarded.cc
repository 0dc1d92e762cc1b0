#include "parley/admission/forwarded.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>

namespace parley::admission {
namespace {

using boost::asio::ip::address;

/// More proxies in a row than anyone has; reading on would be work for whoever sends long headers.
constexpr std::size_t hops_max = 32;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Exactly an address: no scope ("%eth0"), no blanks, no other spelling of numbers.
std::optional<address> parse_plain(std::string_view text) {
  // The longest is an IPv6 address with an IPv4 tail.
  constexpr std::size_t characters_max = 45;
  if (text.empty() || text.size() > characters_max || text.contains('%')) return std::nullopt;
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return parsed;
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
  return status == std::errc() && end == text.data() + text.size() && port <= 65535;
}

/// "192.0.2.1", "192.0.2.1:443", "[2001:db8::1]", "[2001:db8::1]:443"; where allowed, "2001:db8::1" too.
enum class BareIpv6 : bool { refuse, take };
std::optional<address> parse_hop(std::string_view text, BareIpv6 bare) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !(rest.starts_with(':') && is_port(rest.substr(1)))) return std::nullopt;
    const auto parsed = parse_plain(text.substr(1, end - 1));
    return parsed && parsed->is_v6() ? parsed : std::nullopt;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    const auto parsed = parse_plain(text);
    return parsed && parsed->is_v4() ? parsed : std::nullopt;
  }
  if (text.find(':', colon + 1) == std::string_view::npos) {
    const auto parsed = is_port(text.substr(colon + 1)) ? parse_plain(text.substr(0, colon)) : std::nullopt;
    return parsed && parsed->is_v4() ? parsed : std::nullopt;
  }
  return bare == BareIpv6::take ? parse_plain(text) : std::nullopt;
}

/// Cuts `text` at the last `separator` that stands outside quotes, and gives what is right of it. Read from the right,
/// so that a quote the client left open cannot swallow what a proxy put behind it. A backslash makes quotes ambiguous
/// from this side, and no address needs one: none then.
std::optional<std::string_view> take_last(std::string_view& text, char separator) {
  bool quoted = false;
  for (std::size_t i = text.size(); i > 0; --i) {
    const char c = text[i - 1];
    if (c == '\\') return std::nullopt;
    if (c == '"') quoted = !quoted;
    if (c == separator && !quoted) {
      const auto last = text.substr(i);
      text = text.substr(0, i - 1);
      return last;
    }
  }
  if (quoted) return std::nullopt;
  return std::exchange(text, {});
}

bool equal_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// The address of one element of Forwarded: `for=192.0.2.60;proto=https`.
std::optional<address> hop_of_element(std::string_view element) {
  std::optional<address> found;
  bool more = true;
  while (more) {
    const std::size_t before = element.size();
    const auto part = take_last(element, ';');
    if (!part) return std::nullopt;
    more = part->size() < before;
    const auto pair = trimmed(*part);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    if (!equal_letters(pair.substr(0, equals), "for")) continue;
    if (found) return std::nullopt;  // two answers are none
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      found = parse_hop(value.substr(1, value.size() - 2), BareIpv6::refuse);
    } else if (!value.contains(':')) {  // a colon needs quotes
      found = parse_hop(value, BareIpv6::refuse);
    }
    if (!found) return std::nullopt;
  }
  return found;
}

}  // namespace

Literal name(ForwardedHeader header) {
  switch (header) {
    case ForwardedHeader::x_forwarded_for: return "X-Forwarded-For";
    case ForwardedHeader::forwarded: return "Forwarded";
  }
  std::unreachable();
}

bool is_named(ForwardedHeader header, std::string_view given) { return equal_letters(given, name(header)); }

address client_of(const address& peer, std::span<const std::string_view> lines, const Proxies& proxies) {
  const address self = net::unmapped(peer);
  const auto trusted = [&](const address& hop) {
    return std::ranges::any_of(proxies.trusted, [&](const net::NetworkRange& range) { return range.contains(hop); });
  };
  if (!trusted(self)) return self;
  std::size_t hops = 0;
  for (std::size_t line = lines.size(); line > 0; --line) {
    std::string_view rest = lines[line - 1];
    for (bool more = true; more;) {
      if (++hops > hops_max) return self;
      std::optional<address> hop;
      const std::size_t before = rest.size();
      if (proxies.header == ForwardedHeader::x_forwarded_for) {
        const auto comma = rest.rfind(',');
        more = comma != std::string_view::npos;
        hop = parse_hop(trimmed(more ? rest.substr(comma + 1) : rest), BareIpv6::take);
        rest = rest.substr(0, more ? comma : 0);
      } else {
        const auto element = take_last(rest, ',');
        if (!element) return self;
        more = element->size() < before;
        hop = hop_of_element(*element);
      }
      if (!hop) return self;
      const address client = net::unmapped(*hop);
      if (!trusted(client)) return client;
    }
  }
  return self;
}

}  // namespace parley::admission
