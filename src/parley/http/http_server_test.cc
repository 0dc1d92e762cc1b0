#include <gtest/gtest.h>
#include "parley/http/server.h"
namespace parley::api {
class Outlet {
 public:
  static http::SafeReply reply(int status, std::string body) {
    return http::SafeReply(status, {{"Content-Type", "text/plain"}}, std::move(body));
  }
};
}  // namespace parley::api
namespace parley::http {
namespace {
asio::awaitable<void> hello(Exchange& e) {
  auto r = api::Outlet::reply(200, "hello, world\n");
  co_await e.send(std::move(r));
}
TEST(HttpServer, Starts) {
  auto s = Server::start({.port = 0}, hello, [](int st) { return api::Outlet::reply(st, "no\n"); });
  ASSERT_TRUE(s) << describe_for_operator(s.error());
  if (getenv("HOLD")) {
    printf("%d\n", (*s)->port());
    fflush(stdout);
    sleep(atoi(getenv("HOLD")));
  }
  (*s)->stop(std::chrono::milliseconds(100));
}
}  // namespace
}  // namespace parley::http
