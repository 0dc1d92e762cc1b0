#include <gtest/gtest.h>

#include "parley/net/network_range.h"

namespace parley::net {
namespace {

boost::asio::ip::address at(const char* text) { return boost::asio::ip::make_address(text); }
bool holds(const char* range, const char* address) { return parse_network_range(range)->contains(at(address)); }

TEST(NetworkRange, takes_in_what_shares_its_prefix) {
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(holds("192.0.2.128/25", "192.0.2.255"));
  EXPECT_FALSE(holds("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(NetworkRange, takes_a_mapped_address_for_the_ipv4_one_it_is) {
  EXPECT_TRUE(holds("192.0.2.0/24", "::ffff:192.0.2.9"));
  EXPECT_FALSE(holds("192.0.2.0/24", "::ffff:192.0.3.9"));
  EXPECT_FALSE(holds("::/1", "::ffff:192.0.2.9")) << "no range of IPv6 addresses holds one of IPv4";
  EXPECT_FALSE(holds("192.0.2.0/24", "::192.0.2.9"));
  EXPECT_FALSE(holds("0.0.0.0/1", "::1"));
}

TEST(NetworkRange, is_one_address_whatever_interface_it_came_by) {
  EXPECT_TRUE(holds("fe80::1", "fe80::1%7"));
  EXPECT_EQ(unmapped(at("fe80::1%7")), at("fe80::1"));
}

TEST(NetworkRange, holds_another_range_whole_or_not_at_all) {
  const auto holds_range = [](const char* wide, const char* narrow) {
    return parse_network_range(wide)->contains(*parse_network_range(narrow));
  };
  EXPECT_TRUE(holds_range("10.0.0.0/8", "10.1.0.0/16"));
  EXPECT_TRUE(holds_range("10.0.0.0/8", "10.0.0.0/8"));
  EXPECT_FALSE(holds_range("10.1.0.0/16", "10.0.0.0/8"));
  EXPECT_FALSE(holds_range("10.0.0.0/8", "11.0.0.0/16"));
  EXPECT_FALSE(holds_range("::/1", "10.0.0.0/8"));
}

TEST(NetworkRange, has_one_spelling) {
  EXPECT_EQ(parse_network_range("192.0.2.7")->to_string(), "192.0.2.7/32");
  EXPECT_EQ(parse_network_range("2001:DB8:0::/32")->to_string(), "2001:db8::/32");
}

TEST(NetworkRange, refuses_what_is_no_range_or_means_another) {
  for (const auto* bad : {"",
                          "/",
                          "/8",
                          "10.0.0.0/",
                          "10.0.0.0/33",
                          "10.0.0.0/-1",
                          "10.0.0.0/+8",
                          "10.0.0.0/8 ",
                          " 10.0.0.0/8",
                          "10.0.0.0/8/8",
                          "10.0.0.1/8",
                          "0.0.0.0/0",
                          "::/0",
                          "2001:db8::/129",
                          "2001:db8::1/32",
                          "10.0.0",
                          "010.0.0.1",
                          "0x0a.0.0.1",
                          "10.0.0.256",
                          "::ffff:10.0.0.0/104",
                          "::ffff:10.0.0.1",
                          "fe80::1%eth0",
                          "[::1]",
                          "localhost",
                          "10.0.0.0/8,11.0.0.0/8"}) {
    const auto range = parse_network_range(bad);
    EXPECT_FALSE(range) << bad;
    if (!range) EXPECT_EQ(range.error().code(), Code::invalid_argument);
  }
  EXPECT_FALSE(parse_network_range(std::string_view("10.0.0.0\0/8", 11)));
}

}  // namespace
}  // namespace parley::net
