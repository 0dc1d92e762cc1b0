#include "parley/identity/origin.h"

#include <algorithm>
#include <charconv>

namespace parley::identity {
namespace {

constexpr std::size_t origin_bytes_max = 300;  // a host name has at most 253

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::invalid_argument, "an origin looks like https://docs.example.org", std::move(why));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_host_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

bool is_host(std::string_view host) {
  if (host.empty() || host.front() == '.' || host.back() == '.' || host.find("..") != std::string_view::npos)
    return false;
  for (const char c : host)
    if (!is_host_character(c)) return false;
  return true;
}

bool is_bracketed(std::string_view host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  return host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdef:.") == std::string_view::npos;
}

}  // namespace

Result<std::string> parse_origin(std::string_view text) {
  if (text.size() > origin_bytes_max) return refuse("too long");
  std::string origin;
  for (const char c : text) origin.push_back(lower(c));

  const std::string_view all(origin);
  const auto scheme_end = all.find("://");
  if (scheme_end == std::string_view::npos) return refuse("no scheme");
  const auto scheme = all.substr(0, scheme_end);
  if (scheme != "https" && scheme != "http") return refuse("the scheme is neither http nor https");

  auto host = all.substr(scheme_end + 3);
  // The last colon outside brackets begins the port.
  const auto colon = host.rfind(':');
  std::string_view port;
  if (colon != std::string_view::npos && (host.front() != '[' || host[colon - 1] == ']')) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
    unsigned number = 0;
    const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (status != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535 ||
        port.front() == '0')
      return refuse("not a port");
    if (number == (scheme == "https" ? 443 : 80)) port = {};
  }
  if (!is_host(host) && !is_bracketed(host)) return refuse("not a host");

  std::string result(scheme);
  result += "://";
  result += host;
  if (!port.empty()) (result += ':') += port;
  return result;
}

Result<std::string> parse_origin_pattern(std::string_view text) {
  const auto star = text.find("://*.");
  if (star == std::string_view::npos) return parse_origin(text);
  // Any label in the place of the star makes it an ordinary origin, which is then read by the same rules.
  std::string stand_in(text);
  stand_in[star + 3] = 'x';
  std::string origin = PARLEY_TRY(parse_origin(stand_in));
  const std::string_view host = std::string_view(origin).substr(origin.find("://") + 3);
  if (std::ranges::count(host, '.') < 2) return refuse("a wildcard for a whole top-level domain");
  if (host.substr(host.rfind('.') + 1).find_first_not_of("0123456789:") == std::string_view::npos)
    return refuse("a wildcard in an address");
  origin[origin.find("://") + 3] = '*';
  return origin;
}

Result<std::vector<std::string>> parse_origin_patterns(std::span<const std::string> texts) {
  if (texts.size() > origins_max) return fail(Code::invalid_argument, "more than 20 origins");
  std::vector<std::string> patterns;
  for (const auto& text : texts) {
    auto pattern = PARLEY_TRY(parse_origin_pattern(text));
    if (std::ranges::find(patterns, pattern) == patterns.end()) patterns.push_back(std::move(pattern));
  }
  return patterns;
}

std::vector<std::string> patterns_for(std::string_view origin) {
  std::vector<std::string> patterns{std::string(origin)};
  const auto host = origin.find("://") + 3;
  const auto dot = origin.find('.', host);
  // An address has no labels; a pattern for one cannot be made, so looking for it would only be waste.
  if (dot != std::string_view::npos && origin[host] != '[')
    patterns.push_back(std::string(origin.substr(0, host)) + "*" + std::string(origin.substr(dot)));
  return patterns;
}

bool is_listed(std::span<const std::string> patterns, std::string_view origin) {
  if (patterns.empty()) return false;
  return std::ranges::any_of(patterns_for(origin), [&](const std::string& wanted) {
    return std::ranges::find(patterns, wanted) != patterns.end();
  });
}

}  // namespace parley::identity
