// Whatever stands in Origin, Sec-Fetch-Site and Host, one a line: an origin that is read has one spelling, a pattern
// takes in what it says and nothing beside it, and nothing but our own address passes for a page of ours.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/identity/origin.h"
#include "parley/identity/sender.h"

namespace {

using namespace parley;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_origin(std::string_view text) {
  const auto origin = identity::parse_origin(text);
  if (!origin) return;
  const auto again = identity::parse_origin(*origin);
  require(again && *again == *origin);
  require(origin->starts_with("https://") || origin->starts_with("http://"));
  const auto host = std::string_view(*origin).substr(origin->find("://") + 3);
  require(!host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:[]") == host.npos);
  for (const auto& longer : {*origin + "/", *origin + ".", *origin + "*", " " + *origin, "x" + *origin})
    require(identity::parse_origin(longer) != *origin);
}

void check_pattern(std::string_view text) {
  const auto pattern = identity::parse_origin_pattern(text);
  if (!pattern) return;
  const auto again = identity::parse_origin_pattern(*pattern);
  require(again && *again == *pattern);
  const std::array listed{*pattern};
  const auto star = pattern->find('*');
  if (star == std::string::npos) {
    require(identity::is_listed(listed, *pattern));
    return;
  }
  const std::string scheme = pattern->substr(0, star);
  const std::string rest = pattern->substr(star + 2);  // behind "*."
  require(rest.find('*') == std::string::npos && rest.find('.') != std::string::npos);
  // A name at its limit has no room for another label.
  const auto takes_in = [&](const std::string& origin) {
    const auto read = identity::parse_origin(origin);
    return read && identity::is_listed(listed, *read);
  };
  require(takes_in(scheme + "x." + rest));
  require(!takes_in(scheme + rest) && !takes_in(scheme + "y.x." + rest) && !takes_in(scheme + "x" + rest));
  require(!takes_in(scheme + "x." + rest + ".example") && !takes_in(scheme + "x." + rest + "1"));
}

void check_sender(const identity::SenderHeaders& headers) {
  using Kind = Sender::Kind;
  const auto configured = identity::OwnAddress::parse("https://chat.example.org");
  require(configured.has_value());
  for (const auto& own : {*configured, identity::OwnAddress()}) {
    const Sender sender = identity::read_sender(headers, own);
    switch (sender.kind) {
      case Kind::own_page:
        require(headers.host && own.is_host(*headers.host));
        if (headers.origin) {
          const auto origin = identity::parse_origin(*headers.origin);
          require(origin.has_value() && (own.origin().empty() || *origin == own.origin()));
        }
        break;
      case Kind::site: require(headers.origin && identity::parse_origin(*headers.origin) == sender.origin); break;
      case Kind::program: require(!headers.origin); break;
      case Kind::hidden: break;
    }
    require((sender.kind == Kind::site) == !sender.origin.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 3> lines;
  std::string_view rest = text;
  for (auto& line : lines) {
    line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  check_origin(lines[0]);
  check_pattern(lines[0]);
  const auto given = [](std::string_view line) {
    return line.empty() ? std::optional<std::string_view>() : std::optional(line);
  };
  check_sender({.origin = given(lines[0]), .fetch_site = given(lines[1]), .host = given(lines[2])});
  return 0;
}
