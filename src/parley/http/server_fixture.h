#pragma once

// For tests: a maker of replies, a blocking client that speaks in raw bytes, and a server on a free port.

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "parley/http/server.h"

namespace parley::api {

/// The tests' own: the real one is above this module.
class Outlet {
 public:
  static http::SafeReply reply(int status, std::string body, std::vector<http::Header> headers = {}) {
    return http::SafeReply(status, std::move(headers), std::move(body));
  }
  static http::SafeChunk chunk(std::string bytes) { return http::SafeChunk(std::move(bytes)); }
};

}  // namespace parley::api

namespace parley::http {

using api::Outlet;

/// Nothing in these tests takes this long unless it is broken.
inline constexpr int patience_seconds = 20;

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{patience_seconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), kept_(std::move(other.kept_)) {}
  ~RawClient() { close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void shut_down_sending() { ::shutdown(fd_, SHUT_WR); }

  RawClient& say(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return *this;
  }

  /// Reads until `mark` has been seen and gives everything up to its end; less if the connection ended first.
  std::string hear_until(std::string_view mark) {
    for (;;) {
      if (const auto at = kept_.find(mark); at != std::string::npos) return take(at + mark.size());
      if (!fill()) return take(kept_.size());
    }
  }
  std::string hear(std::size_t bytes) {
    while (kept_.size() < bytes && fill()) {
    }
    return take(std::min(bytes, kept_.size()));
  }
  std::string hear_to_the_end() {
    while (fill()) {
    }
    return take(kept_.size());
  }
  /// A reply with Content-Length: head and body.
  std::string hear_reply() {
    auto head = hear_until("\r\n\r\n");
    const auto at = head.find("Content-Length: ");
    return at == std::string::npos ? head : head + hear(std::stoul(head.substr(at + 16)));
  }
  /// Whether the other side ended the connection, in order or by reset, rather than fall silent.
  bool is_ended() {
    kept_.clear();
    char byte = 0;
    const auto received = ::recv(fd_, &byte, 1, 0);
    return received == 0 || (received < 0 && errno == ECONNRESET);
  }

 private:
  bool fill() {
    std::array<char, 16 * 1024> buffer;
    const auto received = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (received <= 0) return false;
    kept_.append(buffer.data(), static_cast<std::size_t>(received));
    return true;
  }
  std::string take(std::size_t bytes) {
    auto out = kept_.substr(0, bytes);
    kept_.erase(0, bytes);
    return out;
  }

  int fd_;
  bool connected_ = false;
  std::string kept_;
};

inline SafeReply refuse_with_status(int status) { return Outlet::reply(status, "refused"); }

inline std::unique_ptr<Server> start_server(Handler handler, ServerOptions options = {}) {
  options.port = 0;
  auto server = Server::start(std::move(options), std::move(handler), refuse_with_status);
  EXPECT_TRUE(server) << describe_for_operator(server.error());
  return std::move(*server);
}

/// Answers with what was asked: "METHOD path?query body".
inline asio::awaitable<void> echo(Exchange& exchange) {
  auto text = std::string(name(exchange.head().method)) + " " + exchange.head().path;
  if (!exchange.head().query.empty()) text += "?" + exchange.head().query;
  auto body = co_await exchange.read_body(100'000);
  if (!body) {
    auto refusal = Outlet::reply(body.error().code() == Code::too_large ? 413
                                 : body.error().code() == Code::timeout ? 408
                                                                        : 400,
                                 std::string(body.error().reason().view()));
    co_await exchange.send(std::move(refusal));
    co_return;
  }
  auto reply = Outlet::reply(200, text + " " + *body, {{"X-Peer", exchange.head().peer.to_string()}});
  co_await exchange.send(std::move(reply));
}

/// Waits, yielding, until `condition` holds: for what the server does after the client's part is over.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(patience_seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace parley::http
