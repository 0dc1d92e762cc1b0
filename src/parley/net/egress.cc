#include "parley/net/egress.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <idn2.h>

namespace parley::net {
namespace {

using asio::ip::address_v4;
using asio::ip::address_v6;

struct V4Range {
  std::uint32_t base;
  unsigned prefix;
  AddressKind kind;
};

constexpr std::uint32_t v4(unsigned a, unsigned b, unsigned c, unsigned d) { return a << 24 | b << 16 | c << 8 | d; }

// The IANA IPv4 special-purpose registry. Where it says "globally reachable" of a part of a block that is otherwise not
// (192.0.0.9 and .10), the whole block stays closed: no website is there. The first that fits counts.
constexpr std::array v4_ranges{
    V4Range{v4(0, 0, 0, 0), 8, AddressKind::unspecified},
    V4Range{v4(10, 0, 0, 0), 8, AddressKind::private_use},
    V4Range{v4(100, 64, 0, 0), 10, AddressKind::shared},
    V4Range{v4(127, 0, 0, 0), 8, AddressKind::loopback},
    V4Range{v4(168, 63, 129, 16), 32, AddressKind::platform},
    V4Range{v4(169, 254, 0, 0), 16, AddressKind::link_local},
    V4Range{v4(172, 16, 0, 0), 12, AddressKind::private_use},
    V4Range{v4(192, 0, 0, 0), 24, AddressKind::reserved},
    V4Range{v4(192, 0, 2, 0), 24, AddressKind::documentation},
    V4Range{v4(192, 88, 99, 0), 24, AddressKind::translation},
    V4Range{v4(192, 168, 0, 0), 16, AddressKind::private_use},
    V4Range{v4(198, 18, 0, 0), 15, AddressKind::benchmarking},
    V4Range{v4(198, 51, 100, 0), 24, AddressKind::documentation},
    V4Range{v4(203, 0, 113, 0), 24, AddressKind::documentation},
    V4Range{v4(224, 0, 0, 0), 4, AddressKind::multicast},
    V4Range{v4(255, 255, 255, 255), 32, AddressKind::broadcast},
    V4Range{v4(240, 0, 0, 0), 4, AddressKind::reserved},
};

using Bytes = address_v6::bytes_type;

struct V6Range {
  std::array<std::uint8_t, 6> base;
  unsigned prefix;  // at most 48
  AddressKind kind;
};

// The IPv6 registry, below what classify() has handled before. Only 2000::/3 is in use for ordinary hosts.
constexpr std::array v6_ranges{
    V6Range{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, AddressKind::translation},  // a local NAT64
    V6Range{{0xfc}, 7, AddressKind::private_use},
    V6Range{{0xfe, 0x80}, 10, AddressKind::link_local},
    V6Range{{0xfe, 0xc0}, 10, AddressKind::private_use},  // site-local: withdrawn, and still routed inside some sites
    V6Range{{0xff}, 8, AddressKind::multicast},
    V6Range{{0x20, 0x01, 0x00, 0x00}, 32, AddressKind::translation},  // Teredo
    V6Range{{0x20, 0x01, 0x00, 0x02, 0x00, 0x00}, 48, AddressKind::benchmarking},
    V6Range{{0x20, 0x01, 0x00, 0x00}, 23, AddressKind::reserved},
    V6Range{{0x20, 0x01, 0x0d, 0xb8}, 32, AddressKind::documentation},
    V6Range{{0x20, 0x02}, 16, AddressKind::translation},  // 6to4
    V6Range{{0x3f, 0xff, 0x00}, 20, AddressKind::documentation},
    V6Range{{0x20}, 3, AddressKind::global},
};

template <class Base, class Address>
bool is_within(const Base& base, const Address& bytes, unsigned prefix) {
  for (std::size_t i = 0; prefix > 0; ++i) {
    const unsigned bits = std::min(prefix, 8U);
    const unsigned mask = 0xffU << (8 - bits) & 0xffU;
    if ((base[i] & mask) != (bytes[i] & mask)) return false;
    prefix -= bits;
  }
  return true;
}

AddressKind classify_v4(std::uint32_t address) {
  for (const auto& range : v4_ranges)
    if ((address ^ range.base) >> (32 - range.prefix) == 0) return range.kind;
  return AddressKind::global;
}

std::uint32_t last_four(const Bytes& bytes) { return v4(bytes[12], bytes[13], bytes[14], bytes[15]); }

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

AddressKind classify_v6(const Bytes& bytes) {
  const std::span<const std::uint8_t> all(bytes);
  if (is_zero(all)) return AddressKind::unspecified;
  if (is_zero(all.first(15)) && bytes[15] == 1) return AddressKind::loopback;
  if (is_zero(all.first(10)) && bytes[10] == 0xff && bytes[11] == 0xff) return classify_v4(last_four(bytes));
  if (is_zero(all.first(12))) return AddressKind::translation;  // IPv4-compatible, long withdrawn
  constexpr std::array<std::uint8_t, 12> nat64{0x00, 0x64, 0xff, 0x9b};
  if (is_within(nat64, bytes, 96)) return classify_v4(last_four(bytes));
  for (const auto& range : v6_ranges) {
    if (!is_within(range.base, bytes, range.prefix)) continue;
    // An interface id of ISATAP: a router of the same site sends it on to the IPv4 address within.
    if (range.kind == AddressKind::global && (bytes[8] & ~0x02U) == 0 && bytes[9] == 0 && bytes[10] == 0x5e &&
        bytes[11] == 0xfe)
      return AddressKind::translation;
    return range.kind;
  }
  return AddressKind::reserved;
}

std::unexpected<Error> refuse(Literal why, std::string_view text) {
  return fail(Code::invalid_argument, why, std::string(text));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

struct Host {
  std::string text;
  std::optional<asio::ip::address> address;
};

constexpr Literal bad_host = "the host is not one that can be connected to";

// Letters beyond ASCII to their one spelling in the DNS (IDNA2008 after UTS 46, as browsers do). Also for names that
// are said to be in that spelling: what is no proper encoding is refused.
std::optional<std::string> to_ascii(std::string text) {
  char* out = nullptr;
  const int status = idn2_to_ascii_8z(text.c_str(), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, decltype(&idn2_free)> owned(out, &idn2_free);
  if (status != IDN2_OK || out == nullptr) return std::nullopt;
  return std::string(out);
}

bool ends_in_a_number(std::string_view name) {
  const auto last = name.substr(name.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::ranges::all_of(last, is_digit)) return true;
  return last.starts_with("0x") && last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

bool is_host_name(std::string_view name) {
  constexpr std::size_t name_bytes_max = 253;  // RFC 1035
  constexpr std::size_t label_bytes_max = 63;
  if (name.empty() || name.size() > name_bytes_max) return false;
  while (true) {
    const auto label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > label_bytes_max) return false;
    if (label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") != std::string_view::npos) return false;
    if (label.size() == name.size()) return true;
    name.remove_prefix(label.size() + 1);
  }
}

Result<Host> parse_host(std::string_view text) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']') || text.size() < 4) return refuse(bad_host, text);
    const auto inside = text.substr(1, text.size() - 2);
    // A zone id names an interface of this machine.
    if (inside.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return refuse(bad_host, text);
    boost::system::error_code error;
    const auto address = asio::ip::make_address_v6(std::string(inside), error);
    if (error) return refuse(bad_host, text);
    const auto plain = unmapped(address);
    return Host{plain.to_string(), plain};
  }
  // Readers differ on whether to decode it, before or after looking for dots.
  if (text.find('%') != std::string_view::npos) return refuse(bad_host, text);
  std::string name;
  for (const char c : text) name.push_back(lower(c));
  if (!is_ascii(name) || name.starts_with("xn--") || name.find(".xn--") != std::string::npos) {
    // A capital sharp s is one name to older tables of letters and another to newer ones.
    if (name.find("\u1E9E") != std::string::npos) return refuse(bad_host, text);
    auto ascii = to_ascii(std::move(name));
    if (!ascii) return refuse(bad_host, text);
    name = *std::move(ascii);
    for (char& c : name) c = lower(c);
  }
  if (name.ends_with('.')) name.pop_back();
  if (ends_in_a_number(name)) {
    const auto address = parse_ipv4_any_spelling(name);
    if (!address) return refuse(bad_host, text);
    return Host{address->to_string(), asio::ip::address(*address)};
  }
  if (!is_host_name(name)) return refuse(bad_host, text);
  return Host{std::move(name), std::nullopt};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned number = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number == 0 || number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

std::uint16_t default_port(UrlScheme scheme) { return scheme == UrlScheme::https ? 443 : 80; }

// Where the port begins in "host:port" or "[v6]:port"; npos if there is none.
std::size_t port_colon(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  return bracket != std::string_view::npos && colon < bracket ? std::string_view::npos : colon;
}

std::string encoded_target(std::string_view text) {
  std::string out;
  if (!text.starts_with('/')) out = "/";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool as_is =
        byte > ' ' && byte < 0x7f && c != '"' && c != '<' && c != '>' && c != '`' && c != '{' && c != '}';
    if (as_is) out.push_back(c);
    else out += fmt::format("%{:02X}", byte);
  }
  return out;
}

}  // namespace

Literal name(AddressKind kind) {
  switch (kind) {
    case AddressKind::global: return "global";
    case AddressKind::unspecified: return "unspecified";
    case AddressKind::loopback: return "loopback";
    case AddressKind::private_use: return "private_use";
    case AddressKind::shared: return "shared";
    case AddressKind::link_local: return "link_local";
    case AddressKind::multicast: return "multicast";
    case AddressKind::broadcast: return "broadcast";
    case AddressKind::documentation: return "documentation";
    case AddressKind::benchmarking: return "benchmarking";
    case AddressKind::translation: return "translation";
    case AddressKind::platform: return "platform";
    case AddressKind::reserved: return "reserved";
  }
  std::unreachable();
}

AddressKind classify(const asio::ip::address& address) {
  return address.is_v4() ? classify_v4(address.to_v4().to_uint()) : classify_v6(address.to_v6().to_bytes());
}

std::optional<asio::ip::address_v4> parse_ipv4_any_spelling(std::string_view text) {
  std::array<std::uint64_t, 4> parts{};
  std::size_t count = 0;
  while (true) {
    if (count == parts.size()) return std::nullopt;
    const auto dot = text.find('.');
    auto part = text.substr(0, dot);
    if (part.empty()) return std::nullopt;
    int base = 10;
    if (part.starts_with("0x") || part.starts_with("0X")) {
      base = 16;
      part.remove_prefix(2);
    } else if (part.size() > 1 && part.front() == '0') {
      base = 8;
      part.remove_prefix(1);
    }
    // "0x" alone is nought.
    if (!part.empty()) {
      const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), parts[count], base);
      if (status != std::errc() || end != part.data() + part.size() || part.front() == '-') return std::nullopt;
    }
    ++count;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  std::uint64_t address = 0;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (parts[i] > 255) return std::nullopt;
    address |= parts[i] << (8 * (3 - i));
  }
  if (parts[count - 1] >= std::uint64_t{1} << (8 * (5 - count))) return std::nullopt;
  return address_v4(static_cast<std::uint32_t>(address | parts[count - 1]));
}

std::string HttpUrl::origin() const {
  const bool is_v6 = address && address->is_v6();
  std::string text(scheme == UrlScheme::https ? "https://" : "http://");
  text += is_v6 ? "[" + host + "]" : host;
  if (port != default_port(scheme)) text += fmt::format(":{}", port);
  return text;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > url_bytes_max) return refuse("the address is too long", text.substr(0, 100));
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f || c == '\\')
      return refuse("the address holds a character that none may hold", text.substr(0, 100));
  }
  if (text.starts_with(' ') || text.ends_with(' ')) return refuse("the address has blanks around it", text);

  HttpUrl url;
  const auto scheme_end = text.find("://");
  std::string scheme;
  for (const char c : text.substr(0, scheme_end)) scheme.push_back(lower(c));
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
    return refuse("the address does not begin with https:// or http://", text);
  url.scheme = scheme == "https" ? UrlScheme::https : UrlScheme::http;

  auto rest = text.substr(scheme_end + 3);
  auto authority = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(authority.size());
  // Not read past: "https://good.example@evil.example" is made to be misread.
  if (authority.find('@') != std::string_view::npos) return refuse("the address holds a user name", {});

  url.port = default_port(url.scheme);
  if (const auto colon = port_colon(authority); colon != std::string_view::npos) {
    if (const auto digits = authority.substr(colon + 1); !digits.empty()) {
      const auto port = parse_port(digits);
      if (!port) return refuse("the port is not one", text);
      url.port = *port;
    }
    authority = authority.substr(0, colon);
  }
  auto host = PARLEY_TRY(parse_host(authority));
  url.host = std::move(host.text);
  url.address = host.address;
  url.target = encoded_target(rest.substr(0, rest.find('#')));
  return url;
}

Result<HttpUrl> resolve_http_url(const HttpUrl& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  const auto first = reference.find_first_of(":/?");
  if (first != std::string_view::npos && reference[first] == ':') return parse_http_url(reference);
  if (reference.starts_with("//"))
    return parse_http_url((base.scheme == UrlScheme::https ? "https:" : "http:") + std::string(reference));
  const auto path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string target;
  if (reference.empty()) target = base.target;
  else if (reference.starts_with('/')) target = reference;
  else if (reference.starts_with('?')) target = std::string(path) + std::string(reference);
  else target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
  // By the one parser, so that what it refuses is refused here.
  return parse_http_url(base.origin() + target);
}

Result<EgressPolicy> EgressPolicy::parse(std::span<const std::string> entries) {
  EgressPolicy policy;
  for (const std::string& entry : entries) {
    const auto wrong = [&] {
      return fail(Code::invalid_argument, "an egress entry is HOST:PORT or a network such as 10.1.0.0/16", entry);
    };
    const std::string_view text(entry);
    if (text.contains('/')) {
      const auto network = parse_network_range(text);
      // A slip that opens everything is worse than a list of several networks.
      if (!network || network->prefix() < (network->base().is_v4() ? 8U : 16U)) return wrong();
      policy.networks_.push_back(*network);
      continue;
    }
    const auto colon = port_colon(text);
    if (colon == std::string_view::npos) return wrong();
    const auto port = parse_port(text.substr(colon + 1));
    const auto host = parse_host(text.substr(0, colon));
    if (!port || !host) return wrong();
    policy.places_.push_back({host->text, host->address, *port});
  }
  return policy;
}

Permission EgressPolicy::judge(std::string_view host, const asio::ip::address& address, std::uint16_t port) const {
  const auto plain = unmapped(address);
  const auto kind = classify(plain);
  if (kind == AddressKind::unspecified || kind == AddressKind::multicast || kind == AddressKind::broadcast)
    return Permission::refused;
  for (const auto& place : places_)
    if (place.port == port && (place.address ? *place.address == plain : place.host == host))
      return Permission::allow_listed;
  if (std::ranges::any_of(networks_, [&](const NetworkRange& network) { return network.contains(plain); }))
    return Permission::allow_listed;
  // A request that is really a letter to a mail server needs a port where one listens.
  constexpr std::array<std::uint16_t, 4> web_ports{80, 443, 8080, 8443};
  const bool open = kind == AddressKind::global && std::ranges::find(web_ports, port) != web_ports.end();
  return open ? Permission::open : Permission::refused;
}

}  // namespace parley::net
