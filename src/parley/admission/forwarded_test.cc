#include "parley/admission/forwarded.h"

#include <gtest/gtest.h>

namespace parley::admission {
namespace {

Proxies proxies(ForwardedHeader header = ForwardedHeader::x_forwarded_for) {
  Proxies made{.trusted = {}, .header = header};
  for (const auto* range : {"10.0.0.0/8", "2001:db8:aaaa::/48"})
    made.trusted.push_back(*net::parse_network_range(range));
  return made;
}

std::string client(std::string_view peer, std::vector<std::string_view> lines, const Proxies& with = proxies()) {
  return client_of(boost::asio::ip::make_address(std::string(peer)), lines, with).to_string();
}

TEST(Forwarded, a_peer_outside_the_list_is_itself_whatever_it_says) {
  EXPECT_EQ(client("192.0.2.1", {"10.0.0.1"}), "192.0.2.1");
  EXPECT_EQ(client("192.0.2.1", {"6.6.6.6, 10.0.0.1"}), "192.0.2.1");
  EXPECT_EQ(client("192.0.2.1", {"6.6.6.6"}, Proxies{}), "192.0.2.1");
}

TEST(Forwarded, the_right_most_hop_that_no_trusted_proxy_is_counts) {
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(client("::ffff:10.0.0.1", {"192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1, 10.0.0.2"}), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"6.6.6.6, 192.0.2.1, 10.0.0.2 ,\t10.0.0.3"}), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"6.6.6.6", "192.0.2.1", "10.0.0.2"}), "192.0.2.1") << "several lines are one list";
  EXPECT_EQ(client("2001:db8:aaaa::1", {"2001:db8:1:2::9, 2001:db8:aaaa::2"}), "2001:db8:1:2::9");
  EXPECT_EQ(client("10.0.0.1", {"::ffff:192.0.2.1"}), "192.0.2.1") << "one address has one name";
}

TEST(Forwarded, forged_hops_left_of_the_clients_own_change_nothing) {
  for (const auto* forged : {"6.6.6.6", "10.0.0.9", "garbage", "", "\"", "[", ",,,,", "unknown"}) {
    const std::string line = std::string(forged) + ", 192.0.2.1";
    EXPECT_EQ(client("10.0.0.1", {line}), "192.0.2.1") << forged;
    const std::string element = std::string(forged) + ", for=192.0.2.1";
    EXPECT_EQ(client("10.0.0.1", {element}, proxies(ForwardedHeader::forwarded)), "192.0.2.1") << forged;
  }
}

TEST(Forwarded, ports_and_brackets_are_understood) {
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1:4711"}), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::7]:4711"}), "2001:db8::7");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::7]"}), "2001:db8::7");
}

TEST(Forwarded, every_malformed_form_is_the_peer_itself) {
  for (const auto* bad : {"",
                          " ",
                          ",",
                          "192.0.2.1,",
                          "unknown",
                          "_hidden",
                          "client.example",
                          "192.0.2.1:",
                          "192.0.2",
                          "192.0.2.1:65536",
                          "192.0.2.1:x",
                          "0300.0.2.1",
                          "192.0.2.1 6.6.6.6",
                          "[192.0.2.1]",
                          "[2001:db8::1",
                          "fe80::1%eth0",
                          "\"192.0.2.1\"",
                          "for=192.0.2.1",
                          "1::2::3",
                          "2001:db8::1]"})
    EXPECT_EQ(client("10.0.0.1", {bad}), "10.0.0.1") << bad;
}

TEST(Forwarded, where_every_hop_is_trusted_it_is_the_peer) {
  // A machine inside the trusted range could otherwise call itself any other of its addresses.
  EXPECT_EQ(client("10.0.0.1", {"10.9.9.9, 10.0.0.2"}), "10.0.0.1");
}

TEST(Forwarded, more_hops_than_anyone_has_are_not_read) {
  std::string line = "192.0.2.1";
  for (int i = 0; i < 40; ++i) line += ", 10.0.0.2";
  EXPECT_EQ(client("10.0.0.1", {line}), "10.0.0.1");
}

TEST(Forwarded, the_standard_header_is_read_from_the_right_too) {
  const auto with = proxies(ForwardedHeader::forwarded);
  EXPECT_EQ(client("10.0.0.1", {"for=192.0.2.1"}, with), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"For=\"192.0.2.1:80\";proto=https;by=10.0.0.1"}, with), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"for=6.6.6.6, proto=https; for=\"[2001:db8::7]:80\", for=10.0.0.2"}, with),
            "2001:db8::7");
  // A quote that the client opened does not swallow what the proxy wrote behind it.
  EXPECT_EQ(client("10.0.0.1", {"for=6.6.6.6;host=\", for=192.0.2.1"}, with), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"for=192.0.2.1;host=\"a,b;for=6.6.6.6\""}, with), "192.0.2.1");
  for (const auto* bad : {"", "192.0.2.1", "for=", "for=unknown", "for=_x", "for=192.0.2.1:80", "for=[2001:db8::7]",
                          "for=\"2001:db8::7\"", "proto=https", "for=192.0.2.1;for=6.6.6.6", "for=\"192.0.2.1",
                          "for=192.0.2.1;host=\"a\\\"b\"", "for = 192.0.2.1", "for=192.0.2.1;x", "for=\"192.0.2.1\"x"})
    EXPECT_EQ(client("10.0.0.1", {bad}, with), "10.0.0.1") << bad;
}

struct Header {
  std::string name, value;
};

TEST(Forwarded, only_the_configured_header_of_a_request_is_believed_in_all_its_lines) {
  const std::vector<Header> headers{{"Forwarded", "for=6.6.6.6"},
                                    {"x-forwarded-FOR", "192.0.2.1"},
                                    {"X-Real-IP", "6.6.6.6"},
                                    {"X-Forwarded-For", "10.0.0.2"}};
  const auto peer = boost::asio::ip::make_address("10.0.0.1");
  EXPECT_EQ(client_in(peer, headers, proxies()).to_string(), "192.0.2.1");
  EXPECT_EQ(client_in(peer, headers, proxies(ForwardedHeader::forwarded)).to_string(), "6.6.6.6");
  EXPECT_EQ(client_in(peer, headers, Proxies{}), peer);
}

TEST(Forwarded, the_form_of_the_other_header_is_not_understood) {
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1"}, proxies(ForwardedHeader::forwarded)), "10.0.0.1");
  EXPECT_EQ(name(ForwardedHeader::forwarded).view(), "Forwarded");
  EXPECT_EQ(name(ForwardedHeader::x_forwarded_for).view(), "X-Forwarded-For");
}

}  // namespace
}  // namespace parley::admission
