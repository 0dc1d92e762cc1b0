// Whatever is given as an address: what is accepted has one spelling (parsing what it prints gives the same again),
// holds no character that could end a line or begin another part, and under the default policy nothing that names an
// address is open unless that address is global.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/net/egress.h"

namespace {

using namespace parley::net;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const HttpUrl& url) {
  const auto again = parse_http_url(url.to_string());
  if (url.to_string().size() <= url_bytes_max) require(again && *again == url);
  require(url.target.starts_with('/'));
  for (const char c : url.to_string()) require(c > ' ' && c < 0x7f && c != '\\');
  require(url.host.find_first_of("@%/?#[]") == std::string::npos);
  if (url.address) {
    require(unmapped(*url.address) == *url.address);
    const auto permission = EgressPolicy().judge(url.host, *url.address, url.port);
    require(permission == Permission::refused || classify(*url.address) == AddressKind::global);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  if (const auto url = parse_http_url(text)) check(*url);
  const auto host_only = parse_http_url("https://" + std::string(text.substr(0, text.find('/'))));
  if (host_only) check(*host_only);
  static const HttpUrl base = *parse_http_url("https://id.example.org/a/b");
  if (const auto url = resolve_http_url(base, text)) check(*url);

  // Sixteen bytes are an address of either kind, and its mapped form is the same place.
  if (size >= 4) {
    const boost::asio::ip::address_v4 v4({data[0], data[1], data[2], data[3]});
    const auto mapped = boost::asio::ip::make_address_v6(boost::asio::ip::v4_mapped, v4);
    require(classify(v4) == classify(mapped) && unmapped(mapped) == boost::asio::ip::address(v4));
  }
  return 0;
}
