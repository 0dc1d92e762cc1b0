#include "parley/identity/origin.h"

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

}  // namespace parley::identity
