#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/net/egress.h"

namespace parley::net {
namespace {

AddressKind kind_of(const char* text) { return classify(asio::ip::make_address(text)); }

std::string host_of(std::string_view url) {
  const auto parsed = parse_http_url(url);
  return parsed ? parsed->host : "refused";
}

EgressPolicy policy_of(std::vector<std::string> entries) {
  auto policy = EgressPolicy::parse(entries);
  EXPECT_TRUE(policy) << describe_for_operator(policy.error());
  return policy ? *std::move(policy) : EgressPolicy();
}

TEST(Egress, ordinary_addresses_are_global) {
  for (const char* text : {"1.1.1.1",         "8.8.8.8",
                           "9.255.255.255",   "11.0.0.0",
                           "100.63.255.255",  "100.128.0.0",
                           "126.255.255.255", "128.0.0.0",
                           "169.253.255.255", "169.255.0.0",
                           "172.15.255.255",  "172.32.0.0",
                           "192.0.1.0",       "192.0.3.0",
                           "192.167.255.255", "192.169.0.0",
                           "198.17.255.255",  "198.20.0.0",
                           "223.255.255.255", "2606:4700:4700::1111",
                           "2001:200::1",     "2a00:1450:4001:82a::200e",
                           "3ffe::1",         "::ffff:8.8.8.8",
                           "64:ff9b::8.8.8.8"})
    EXPECT_EQ(kind_of(text), AddressKind::global) << text;
}

TEST(Egress, special_addresses_are_what_the_registries_say) {
  const std::vector<std::pair<const char*, AddressKind>> cases{
      {"0.0.0.0", AddressKind::unspecified},
      {"0.1.2.3", AddressKind::unspecified},
      {"10.0.0.0", AddressKind::private_use},
      {"10.255.255.255", AddressKind::private_use},
      {"100.64.0.0", AddressKind::shared},
      {"100.100.100.200", AddressKind::shared},
      {"100.127.255.255", AddressKind::shared},
      {"127.0.0.1", AddressKind::loopback},
      {"127.255.255.254", AddressKind::loopback},
      {"168.63.129.16", AddressKind::platform},
      {"169.254.169.254", AddressKind::link_local},
      {"172.16.0.0", AddressKind::private_use},
      {"172.31.255.255", AddressKind::private_use},
      {"192.0.0.9", AddressKind::reserved},
      {"192.0.0.192", AddressKind::reserved},
      {"192.0.2.1", AddressKind::documentation},
      {"192.88.99.1", AddressKind::translation},
      {"192.168.0.1", AddressKind::private_use},
      {"198.18.0.0", AddressKind::benchmarking},
      {"198.19.255.255", AddressKind::benchmarking},
      {"198.51.100.1", AddressKind::documentation},
      {"203.0.113.1", AddressKind::documentation},
      {"224.0.0.1", AddressKind::multicast},
      {"239.255.255.255", AddressKind::multicast},
      {"240.0.0.1", AddressKind::reserved},
      {"255.255.255.254", AddressKind::reserved},
      {"255.255.255.255", AddressKind::broadcast},
      {"::", AddressKind::unspecified},
      {"::1", AddressKind::loopback},
      {"::2", AddressKind::translation},
      {"::127.0.0.1", AddressKind::translation},
      {"::ffff:127.0.0.1", AddressKind::loopback},
      {"::ffff:10.1.2.3", AddressKind::private_use},
      {"::ffff:169.254.169.254", AddressKind::link_local},
      {"::ffff:0:127.0.0.1", AddressKind::reserved},  // IPv4-translated, RFC 2765
      {"64:ff9b::127.0.0.1", AddressKind::loopback},
      {"64:ff9b::169.254.169.254", AddressKind::link_local},
      {"64:ff9b::10.0.0.1", AddressKind::private_use},
      {"64:ff9b:1::8.8.8.8", AddressKind::translation},
      {"64:ff9b:0:0:1::8.8.8.8", AddressKind::reserved},
      {"100::1", AddressKind::reserved},
      {"2001::1", AddressKind::translation},
      {"2001:0:4136:e378:8000:63bf:3fff:fdd2", AddressKind::translation},
      {"2001:1::1", AddressKind::reserved},
      {"2001:2::1", AddressKind::benchmarking},
      {"2001:10::1", AddressKind::reserved},
      {"2001:20::1", AddressKind::reserved},
      {"2001:db8::1", AddressKind::documentation},
      {"2002:7f00:1::", AddressKind::translation},
      {"2002:808:808::1", AddressKind::translation},
      {"2606:4700::5efe:10.0.0.1", AddressKind::translation},
      {"2606:4700::200:5efe:10.0.0.1", AddressKind::translation},
      {"3fff::1", AddressKind::documentation},
      {"4000::1", AddressKind::reserved},
      {"5f00::1", AddressKind::reserved},
      {"fc00::1", AddressKind::private_use},
      {"fd00:ec2::254", AddressKind::private_use},
      {"fe80::1", AddressKind::link_local},
      {"febf::1", AddressKind::link_local},
      {"fec0::1", AddressKind::private_use},
      {"fe00::1", AddressKind::reserved},
      {"ff02::1", AddressKind::multicast},
  };
  for (const auto& [text, kind] : cases) EXPECT_EQ(kind_of(text), kind) << text;
}

TEST(Egress, every_spelling_of_an_address_is_that_address) {
  for (const char* url :
       {"http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://0x7f.1/",
        "http://127.1/", "http://127.0.1/", "http://0177.0.0.01/", "http://0x7F.0.0.0x1/", "http://127.0.0.1./",
        "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[0:0:0:0:0:FFFF:7F00:0001]/",
        "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",  // full-width digits
        "http://127\xe3\x80\x82"
        "0\xe3\x80\x82"
        "0\xe3\x80\x82"
        "1/",  // ideographic full stops
        "HTTP://127.0.0.1:80/"}) {
    EXPECT_EQ(host_of(url), "127.0.0.1") << url;
  }
  EXPECT_EQ(host_of("http://[::1]/"), "::1");
  EXPECT_EQ(host_of("http://[0:0::0:1]/"), "::1");
  EXPECT_EQ(host_of("http://0/"), "0.0.0.0");
  EXPECT_EQ(host_of("http://0x/"), "0.0.0.0");
}

TEST(Egress, a_url_has_one_spelling) {
  const auto url = parse_http_url(
      "HTTPS://B\xc3\xbc"
      "cher.Example.:443/a b?q=\xc3\xbc&x#top");
  ASSERT_TRUE(url) << describe_for_operator(url.error());
  EXPECT_EQ(url->to_string(), "https://xn--bcher-kva.example/a%20b?q=%C3%BC&x");
  EXPECT_EQ(parse_http_url(url->to_string()).value(), *url);
  EXPECT_EQ(parse_http_url("https://example.org").value().to_string(), "https://example.org/");
  EXPECT_EQ(parse_http_url("https://example.org?a").value().to_string(), "https://example.org/?a");
  EXPECT_EQ(parse_http_url("http://[2001:DB8::1]:8080/x").value().to_string(), "http://[2001:db8::1]:8080/x");
  EXPECT_EQ(parse_http_url("http://example.org:/").value().port, 80);
}

TEST(Egress, what_readers_of_urls_differ_on_is_refused) {
  for (const std::string_view url : {"",
                                     "example.org",
                                     "//example.org/",
                                     "ftp://example.org/",
                                     "file:///etc/passwd",
                                     "gopher://127.0.0.1:25/x",
                                     "javascript:alert(1)",
                                     "https:example.org",
                                     "https:/example.org",
                                     "https:///example.org",
                                     "https://",
                                     "https://user@example.org/",
                                     "https://user:pass@example.org/",
                                     "https://@example.org/",
                                     "https://good.example\\@evil.example/",
                                     "https://good.example\\.evil.example/",
                                     "https://exam ple.org/",
                                     "https://example.org\t/",
                                     "https://example.org/\n",
                                     "https://example.org/\r\nHost: x",
                                     " https://example.org/",
                                     "https://example.org ",
                                     "https://%31%32%37.0.0.1/",
                                     "https://127.0.0.1%00.example.org/",
                                     "https://example%2eorg/",
                                     "https://[::1%25lo]/",
                                     "https://[::1%lo]/",
                                     "https://[::1/",
                                     "https://::1/",
                                     "https://[]/",
                                     "https://[1.2.3.4]/",
                                     "https://[::1]x/",
                                     "https://example.org:0/",
                                     "https://example.org:65536/",
                                     "https://example.org:x/",
                                     "https://example.org:-1/",
                                     "https://example.org:80:80/",
                                     "https://1.2.3.4.5/",
                                     "https://256.0.0.1/",
                                     "https://127.0.0.0x/y/../0x100000000/",
                                     "https://4294967296/",
                                     "https://1.2.3.08/",
                                     "https://0x100.0.0.1/",
                                     "https://..example.org/",
                                     "https://example..org/",
                                     "https://./",
                                     "https://a..",
                                     "https://exa*mple.org/",
                                     "https://exa<mple.org/",
                                     "https://xn--a\xcc\x80/",
                                     "https://xn--/"})
    EXPECT_EQ(host_of(url), url.find("0.0.0x/y") != std::string_view::npos ? "127.0.0.0" : "refused") << url;
  EXPECT_EQ(host_of("https://" + std::string(64, 'a') + ".example/"), "refused");
  EXPECT_EQ(host_of("https://example.org/" + std::string(url_bytes_max, 'a')), "refused");
  EXPECT_EQ(host_of(std::string("https://example.org\0.evil.example/", 34)), "refused");
}

TEST(Egress, agrees_with_browsers_wherever_it_accepts) {
  const std::filesystem::path data("../shared/data/url/urltestdata.json");
  if (!std::filesystem::exists(data)) GTEST_SKIP() << data << " is not there";
  std::ifstream file(data);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  int accepted = 0;
  int web = 0;
  const auto cases = boost::json::parse(text);
  for (const auto& entry : cases.as_array()) {
    if (!entry.is_object()) continue;
    const auto& test = entry.as_object();
    const std::string input(test.at("input").as_string());
    const bool failure = test.contains("failure");
    const auto url = parse_http_url(input);
    if (!failure && test.at("protocol").as_string().starts_with("http") && test.at("base").is_null()) ++web;
    if (!url) continue;
    ++accepted;
    ASSERT_FALSE(failure) << "a browser refuses " << input;
    std::string hostname(test.at("hostname").as_string());
    if (hostname.ends_with('.')) hostname.pop_back();
    auto ours = url->address && url->address->is_v6() ? "[" + url->host + "]" : url->host;
    // ::ffff:a.b.c.d is told apart by browsers, not by us; addresses are compared as numbers.
    if (hostname.starts_with('[')) {
      const auto theirs = asio::ip::make_address(hostname.substr(1, hostname.size() - 2));
      EXPECT_EQ(*url->address, unmapped(theirs)) << input;
    } else {
      EXPECT_EQ(ours, hostname) << input;
    }
    const std::string port(test.at("port").as_string());
    const bool has_default = url->port == (url->scheme == UrlScheme::https ? 443 : 80);
    EXPECT_EQ(has_default ? "" : std::to_string(url->port), port) << input;
  }
  EXPECT_GT(accepted, 40) << "of " << web;
  std::cout << accepted << " of the addresses that stand alone are accepted, " << web << " are the web's\n";
}

TEST(Egress, names_beyond_ascii_go_the_way_of_browsers_or_are_refused) {
  const std::filesystem::path data("../shared/data/url/toascii.json");
  if (!std::filesystem::exists(data)) GTEST_SKIP() << data << " is not there";
  std::ifstream file(data);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  int agreed = 0;
  for (const auto& entry : boost::json::parse(text).as_array()) {
    if (!entry.is_object()) continue;
    const auto& test = entry.as_object();
    const std::string input(test.at("input").as_string());
    const auto url = parse_http_url("https://" + input + "/x");
    if (!url) continue;
    ASSERT_TRUE(test.at("output").is_string()) << "a browser refuses " << input;
    std::string output(test.at("output").as_string());
    if (output.ends_with('.')) output.pop_back();
    EXPECT_EQ(url->host, output) << input;
    ++agreed;
  }
  EXPECT_GT(agreed, 10);
}

TEST(Egress, a_redirect_is_read_from_where_it_came) {
  const auto base = parse_http_url("https://id.example.org:8443/a/b?c=d").value();
  const auto to = [&](std::string_view reference) {
    const auto url = resolve_http_url(base, reference);
    return url ? url->to_string() : "refused";
  };
  EXPECT_EQ(to("/x"), "https://id.example.org:8443/x");
  EXPECT_EQ(to("x?y"), "https://id.example.org:8443/a/x?y");
  EXPECT_EQ(to("?z"), "https://id.example.org:8443/a/b?z");
  EXPECT_EQ(to(""), "https://id.example.org:8443/a/b?c=d");
  EXPECT_EQ(to("x?u=https://y"), "https://id.example.org:8443/a/x?u=https://y");
  EXPECT_EQ(to("//other.example/x#f"), "https://other.example/x");
  EXPECT_EQ(to("http://127.0.0.1/"), "http://127.0.0.1/");
  for (const char* bad : {"file:///etc/passwd", "javascript:x", "//user@other.example/", "/\\other.example", "//",
                          "https:other", "/a\r\nb", "//%31/"})
    EXPECT_EQ(to(bad), "refused") << bad;
}

TEST(Egress, only_public_web_ports_are_open_by_default) {
  const EgressPolicy open;
  const auto judge = [&](const char* address, std::uint16_t port) {
    return open.judge("example.org", asio::ip::make_address(address), port);
  };
  EXPECT_EQ(judge("8.8.8.8", 443), Permission::open);
  EXPECT_EQ(judge("::ffff:8.8.8.8", 80), Permission::open);
  EXPECT_EQ(judge("8.8.8.8", 25), Permission::refused);
  EXPECT_EQ(judge("8.8.8.8", 6379), Permission::refused);
  for (const char* closed : {"127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1",
                             "fd00::1", "0.0.0.0", "224.0.0.1", "100.64.0.1"})
    EXPECT_EQ(judge(closed, 443), Permission::refused) << closed;
}

TEST(Egress, an_allow_list_opens_exactly_what_it_names) {
  const auto policy = policy_of({"127.0.0.1:9100", "models.internal:8080", "10.1.0.0/16", "[::1]:9200", "fd00:1::/32",
                                 "0x7f000002:81", "mail.example.org:587"});
  const auto judge = [&](const char* host, const char* address, std::uint16_t port) {
    return policy.judge(host, asio::ip::make_address(address), port);
  };
  EXPECT_EQ(judge("127.0.0.1", "127.0.0.1", 9100), Permission::allow_listed);
  EXPECT_EQ(judge("any.name", "::ffff:127.0.0.1", 9100), Permission::allow_listed) << "the address is what counts";
  EXPECT_EQ(judge("127.0.0.1", "127.0.0.1", 9101), Permission::refused);
  EXPECT_EQ(judge("127.0.0.2", "127.0.0.2", 81), Permission::allow_listed);
  EXPECT_EQ(judge("models.internal", "192.168.3.4", 8080), Permission::allow_listed);
  EXPECT_EQ(judge("models.internal", "192.168.3.4", 8081), Permission::refused);
  EXPECT_EQ(judge("evil.models.internal", "192.168.3.4", 8080), Permission::refused);
  EXPECT_EQ(judge("models.internal", "0.0.0.0", 8080), Permission::refused) << "never, whatever the name";
  EXPECT_EQ(judge("models.internal", "224.0.0.1", 8080), Permission::refused);
  EXPECT_EQ(judge("x", "10.1.255.255", 1), Permission::allow_listed);
  EXPECT_EQ(judge("x", "10.2.0.0", 1), Permission::refused);
  EXPECT_EQ(judge("x", "::1", 9200), Permission::allow_listed);
  EXPECT_EQ(judge("x", "fd00:1:2::3", 5), Permission::allow_listed);
  EXPECT_EQ(judge("x", "fd00:2::3", 5), Permission::refused);
  EXPECT_EQ(judge("mail.example.org", "8.8.8.8", 587), Permission::allow_listed);
  for (const char* wrong : {"", "127.0.0.1", "example.org", "example.org:0", "example.org:x", "*:80", "*.internal:80",
                            "10.1.0.1/16", "0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3", "10.0.0.0/33", "10.0.0.0/",
                            "10.0.0.0/8:80", "http://example.org:80", "user@example.org:80", ":80", "[::1]"}) {
    const std::vector<std::string> entries{wrong};
    EXPECT_FALSE(EgressPolicy::parse(entries)) << wrong;
  }
}

}  // namespace
}  // namespace parley::net
