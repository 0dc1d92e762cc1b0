// The smallest server there can be, for load tools: `http_bench_server PORT THREADS [CERT KEY]` answers every request
// with a short text, until its standard input ends.
#include <cstdio>
#include <cstdlib>

#include "parley/http/server.h"

namespace parley::api {
class Outlet {
 public:
  static http::SafeReply make(int status, std::string body) {
    return http::SafeReply(status, {{"Content-Type", "text/plain"}}, std::move(body));
  }
};
}  // namespace parley::api

namespace {

parley::asio::awaitable<void> answer(parley::http::Exchange& exchange) {
  auto reply = parley::api::Outlet::make(200, "hello, world\n");
  co_await exchange.send(std::move(reply));
}

}  // namespace

int main(int argc, char** argv) {
  parley::http::ServerOptions options;
  options.port = argc > 1 ? static_cast<std::uint16_t>(std::atoi(argv[1])) : 0;
  options.threads = argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 1;
  if (argc > 4) {
    options.tls_cert = argv[3];
    options.tls_key = argv[4];
  }
  auto server = parley::http::Server::start(options, answer,
                                            [](int status) { return parley::api::Outlet::make(status, "refused\n"); });
  if (!server) {
    std::fprintf(stderr, "%s\n", parley::describe_for_operator(server.error()).c_str());
    return 1;
  }
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  (*server)->stop(std::chrono::milliseconds(100));
  return 0;
}
