#include "parley/http/server.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "parley/http/event_loop.h"
#include "parley/log/log.h"
#include "parley/net/descriptor.h"

namespace parley::http {
namespace {

using net::Descriptor;

// The kernel cuts it to net.core.somaxconn.
constexpr int accept_queue_max = 4'096;
// After the grace handlers are cancelled; one that has not ended by then waits on something that does not listen.
constexpr std::chrono::seconds cancelled_handler_patience{10};

std::unexpected<Error> errno_failure(Literal reason) { return fail(Code::unavailable, reason, std::strerror(errno)); }

Result<Descriptor> open_socket(const Tcp::endpoint& at) {
  Descriptor fd(::socket(at.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return errno_failure("cannot open a socket");
  const int on = 1;
  // Restarting must not wait for the old server's closed connections to be forgotten.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      // Accepted sockets inherit it: replies are written whole, waiting to fill a packet only delays them.
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    return errno_failure("cannot set up a socket");
  }
  return fd;
}

Result<> share_port(const Descriptor& fd) {
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return errno_failure("cannot share the port between threads");
  }
  return {};
}

Result<> bind_to(const Descriptor& fd, const Tcp::endpoint& at) {
  if (::bind(fd.get(), at.data(), static_cast<socklen_t>(at.size())) == 0) return {};
  if (errno == EADDRINUSE) return fail(Code::conflict, "the address is in use by another program");
  if (errno == EACCES) return fail(Code::permission_denied, "not allowed to listen on this port");
  return errno_failure("cannot listen on this address");
}

/// One listening socket per thread on the same port.
Result<std::vector<Descriptor>> open_listeners(Tcp::endpoint at, std::size_t count) {
  std::vector<Descriptor> listeners;
  listeners.push_back(PARLEY_TRY(open_socket(at)));
  // Bound before it may share: had it been opened to sharing first, a second server would quietly take half of the
  // first one's connections instead of failing here.
  PARLEY_TRY(bind_to(listeners.front(), at));
  socklen_t size = static_cast<socklen_t>(at.capacity());
  if (::getsockname(listeners.front().get(), at.data(), &size) != 0) return errno_failure("cannot read the port");
  PARLEY_TRY(share_port(listeners.front()));
  while (listeners.size() < count) {
    listeners.push_back(PARLEY_TRY(open_socket(at)));
    PARLEY_TRY(share_port(listeners.back()));
    PARLEY_TRY(bind_to(listeners.back(), at));
  }
  for (const auto& listener : listeners) {
    if (::listen(listener.get(), accept_queue_max) != 0) {
      if (errno == EADDRINUSE) return fail(Code::conflict, "the address is in use by another program");
      return errno_failure("cannot listen on this address");
    }
  }
  return listeners;
}

class AsioServer final : public Server {
 public:
  explicit AsioServer(std::shared_ptr<ServerShared> shared) : shared_(std::move(shared)) {}
  ~AsioServer() override { stop(std::chrono::milliseconds(0)); }

  Result<> listen() {
    const auto& options = shared_->options;
    boost::system::error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) return fail(Code::invalid_argument, "the listen address is not an IP address", options.address);
    if (options.threads == 0) return fail(Code::invalid_argument, "at least one thread is needed");
    auto listeners = PARLEY_TRY(open_listeners(Tcp::endpoint(address, options.port), options.threads));
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(listeners.front().get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
      return errno_failure("cannot read the port");
    }
    port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                              : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    for (auto& listener : listeners) {
      loops_.push_back(std::make_unique<EventLoop>(shared_));
      loops_.back()->start(listener.release(), address.is_v6());
    }
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return shared_->connections.load(std::memory_order_relaxed); }

  void stop(std::chrono::milliseconds grace) override {
    for (const auto& loop : loops_) loop->stop_accepting();
    const auto end_of_grace = std::chrono::steady_clock::now() + grace;
    bool done = true;
    for (const auto& loop : loops_) done = loop->wait_until_done(end_of_grace) && done;
    if (!done) {
      for (const auto& loop : loops_) loop->cut_all();
    }
    const auto end_of_patience = std::chrono::steady_clock::now() + cancelled_handler_patience;
    for (auto& loop : loops_) {
      if (loop->wait_until_done(end_of_patience)) continue;
      log::write(log::Level::error, "http_handler_ignored_cancellation", {});
      loop->abandon();
      std::ignore = loop.release();
    }
    loops_.clear();
  }

 private:
  std::shared_ptr<ServerShared> shared_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler, Refusal refusal) {
  auto shared = std::make_shared<ServerShared>();
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return fail(Code::invalid_argument, "TLS needs both a certificate and a key");
  }
  if (!options.tls_cert.empty()) shared->tls = PARLEY_TRY(TlsStore::open(options.tls_cert, options.tls_key));
  shared->options = std::move(options);
  shared->handler = std::move(handler);
  shared->refusal = std::move(refusal);
  auto server = std::make_unique<AsioServer>(std::move(shared));
  PARLEY_TRY(server->listen());
  return server;
}

}  // namespace parley::http
