// `http_soak [CONNECTIONS] [REQUESTS]`: opens idle connections (10,000 by default) to a server in a process of its own,
// asks on one more, and prints what an idle connection costs that process and how long an answer took meanwhile. Kernel
// memory (socket buffers) is not counted.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parley/http/server.h"

namespace parley::api {
class Outlet {
 public:
  static http::SafeReply make(int status, std::string body) { return http::SafeReply(status, {}, std::move(body)); }
};
}  // namespace parley::api

namespace {

using Clock = std::chrono::steady_clock;

parley::asio::awaitable<void> answer(parley::http::Exchange& exchange) {
  auto reply = parley::api::Outlet::make(200, "hello, world\n");
  co_await exchange.send(std::move(reply));
}

std::size_t resident_bytes(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// One request and its reply; microseconds, or -1.
double ask(int fd) {
  static constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto begin = Clock::now();
  char buffer[1024];
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0 || ::recv(fd, buffer, sizeof buffer, 0) <= 0) {
    return -1;
  }
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void report(const char* when, int fd, std::size_t requests) {
  std::vector<double> times;
  for (std::size_t i = 0; i < requests; ++i) times.push_back(ask(fd));
  std::ranges::sort(times);
  std::printf("%s: p50 %.0f us, p99 %.0f us, worst %.0f us%s\n", when, times[requests / 2], times[requests * 99 / 100],
              times.back(), times.front() < 0 ? ", SOME FAILED" : "");
}

/// Until `control` is closed at its other end.
int serve(int control, int port_pipe) {
  auto server = parley::http::Server::start({.port = 0, .threads = 2, .idle_timeout = std::chrono::hours(1)}, answer,
                                            [](int status) { return parley::api::Outlet::make(status, "refused\n"); });
  if (!server) {
    std::fprintf(stderr, "%s\n", parley::describe_for_operator(server.error()).c_str());
    return 1;
  }
  const auto port = (*server)->port();
  if (::write(port_pipe, &port, sizeof port) != sizeof port) return 1;
  char byte = 0;
  while (::read(control, &byte, 1) > 0) {
  }
  (*server)->stop(std::chrono::seconds(10));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto wanted = static_cast<std::size_t>(argc > 1 ? std::atol(argv[1]) : 10'000);
  const auto requests = static_cast<std::size_t>(argc > 2 ? std::atol(argv[2]) : 2'000);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  int control[2];
  int port_pipe[2];
  if (::pipe(control) != 0 || ::pipe(port_pipe) != 0) return 1;
  const pid_t server = ::fork();
  if (server == 0) {
    ::close(control[1]);
    return serve(control[0], port_pipe[1]);
  }
  ::close(control[0]);
  std::uint16_t port = 0;
  if (::read(port_pipe[0], &port, sizeof port) != sizeof port) return 1;

  const int active = connect_to(port);
  report("alone", active, requests);
  const auto before = resident_bytes(server);
  std::vector<int> idle;
  for (std::size_t i = 0; i < wanted; ++i) {
    const int fd = connect_to(port);
    // Each has been used once, as a browser's would be.
    if (fd < 0 || ask(fd) < 0) {
      std::fprintf(stderr, "connection %zu failed: raise the limit of open files\n", i);
      return 1;
    }
    idle.push_back(fd);
  }
  std::printf("%zu idle connections, %zu bytes each\n", idle.size(),
              (resident_bytes(server) - before) / std::max(wanted, 1UL));
  report("among them", active, requests);
  std::size_t alive = 0;
  for (const int fd : idle) alive += ask(fd) > 0;
  std::printf("%zu of them still answer\n", alive);

  const auto begin = Clock::now();
  ::close(control[1]);
  int status = 0;
  ::waitpid(server, &status, 0);
  std::printf("stopped in %.0f ms\n", std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  return alive == wanted && status == 0 ? 0 : 1;
}
