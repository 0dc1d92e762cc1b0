#include "parley/identity/sender.h"

#include <gtest/gtest.h>

namespace parley::identity {
namespace {

using Kind = Sender::Kind;

TEST(SenderTest, is_read_from_what_a_browser_says) {
  const OwnAddress loopback;
  const OwnAddress named = *OwnAddress::parse("https://chat.example.org");
  struct Case {
    const char* what;
    SenderHeaders headers;
    const OwnAddress& own;
    Kind expected;
  };
  const Case cases[] = {
      {"nothing at all", {.host = "127.0.0.1:8080"}, loopback, Kind::program},
      {"a typed address", {.fetch_site = "none", .host = "127.0.0.1:8080"}, loopback, Kind::program},
      {"our page reads", {.fetch_site = "same-origin", .host = "127.0.0.1:8080"}, loopback, Kind::own_page},
      {"our page reads, by IPv6", {.fetch_site = "same-origin", .host = "[::1]:8080"}, loopback, Kind::own_page},
      {"our page writes",
       {.origin = "http://localhost:8080", .fetch_site = "same-origin", .host = "localhost:8080"},
       loopback,
       Kind::own_page},
      {"our page writes, over plain HTTP",
       {.origin = "http://10.0.0.7:8080", .host = "10.0.0.7:8080"},
       loopback,
       Kind::own_page},
      {"our page by its name", {.fetch_site = "same-origin", .host = "Chat.example.org"}, named, Kind::own_page},
      {"our page by its name and port",
       {.fetch_site = "same-origin", .host = "chat.example.org:443"},
       named,
       Kind::own_page},
      {"a name that was made to lead here",
       {.origin = "http://rebound.example:8080", .fetch_site = "same-origin", .host = "rebound.example:8080"},
       loopback,
       Kind::hidden},
      {"the same, reading", {.fetch_site = "same-origin", .host = "rebound.example:8080"}, loopback, Kind::hidden},
      {"our address, when our name is known", {.fetch_site = "same-origin", .host = "127.0.0.1"}, named, Kind::hidden},
      {"another port of ours",
       {.origin = "http://localhost:9999", .fetch_site = "same-site", .host = "localhost:8080"},
       loopback,
       Kind::site},
      {"another site",
       {.origin = "https://docs.example.org", .fetch_site = "cross-site", .host = "127.0.0.1"},
       loopback,
       Kind::site},
      {"another site's image", {.fetch_site = "cross-site", .host = "127.0.0.1"}, loopback, Kind::hidden},
      {"a neighbour's image", {.fetch_site = "same-site", .host = "127.0.0.1"}, loopback, Kind::hidden},
      {"a page that hides", {.origin = "null", .host = "127.0.0.1"}, loopback, Kind::hidden},
      {"garbage", {.origin = "https://docs.example.org/x", .host = "127.0.0.1"}, loopback, Kind::hidden},
      {"an unknown word", {.fetch_site = "same-planet", .host = "127.0.0.1"}, loopback, Kind::hidden},
  };
  for (const auto& c : cases) EXPECT_EQ(read_sender(c.headers, c.own).kind, c.expected) << c.what;
}

}  // namespace
}  // namespace parley::identity
