#include "parley/identity/sender.h"

#include <algorithm>

#include "parley/identity/origin.h"

namespace parley::identity {
namespace {

std::string_view host_of(std::string_view origin) { return origin.substr(origin.find("://") + 3); }

/// The host without its port.
std::string_view name_of(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_address_or_localhost(std::string_view name) {
  if (name == "localhost") return true;
  // Brackets hold an IPv6 address, and so a colon, which no name has.
  if (name.starts_with('['))
    return name.ends_with(']') && name.find(':') != std::string_view::npos &&
           name.find_first_not_of("0123456789abcdefABCDEF:.", 1) == name.size() - 1;
  return std::ranges::count(name, '.') == 3 && name.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Result<OwnAddress> OwnAddress::parse(std::string_view public_url) {
  OwnAddress own;
  own.origin_ = PARLEY_TRY(parse_origin(public_url));
  return own;
}

bool OwnAddress::is_host(std::string_view host) const {
  if (origin_.empty()) return is_address_or_localhost(name_of(host));
  // Read as an origin of our scheme, so that case and a default port make no difference.
  const auto read = parse_origin(origin_.substr(0, origin_.find("://") + 3) + std::string(host));
  return read && *read == origin_;
}

Sender read_sender(const SenderHeaders& headers, const OwnAddress& own) {
  const bool to_us = headers.host && own.is_host(*headers.host);
  if (!headers.origin) {
    if (!headers.fetch_site || *headers.fetch_site == "none") return {.kind = Sender::Kind::program, .origin = {}};
    if (*headers.fetch_site == "same-origin" && to_us) return {.kind = Sender::Kind::own_page, .origin = {}};
    return {};
  }
  auto origin = parse_origin(*headers.origin);
  if (!origin) return {};
  // Behind a proxy that ends TLS the scheme we see is not the page's: unless our address is configured, hosts decide.
  const bool ours = to_us && (own.origin().empty() ? host_of(*origin) == *headers.host : *origin == own.origin());
  if (!headers.fetch_site || *headers.fetch_site == "same-origin") {
    if (ours) return {.kind = Sender::Kind::own_page, .origin = {}};
    // A browser calls it the same origin, but we do not know the name it was reached by.
    if (headers.fetch_site) return {};
  }
  return {.kind = Sender::Kind::site, .origin = *std::move(origin)};
}

}  // namespace parley::identity
