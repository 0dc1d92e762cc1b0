#pragma once

// For tests alone: a server of one's own on loopback, for what the program asks of others.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "parley/net/descriptor.h"

namespace parley::testing {

/// Answers each connection on loopback with what the test says. After an answer that leaves the connection open, it
/// waits until the other side has gone.
class LoopbackServer {
 public:
  enum class Then { close, hold };
  struct Said {
    std::string bytes;
    Then then = Then::close;
  };
  using Answer = std::function<Said(const std::string& request)>;

  explicit LoopbackServer(Answer answer, const char* address = "127.0.0.1") : answer_(std::move(answer)) {
    listener_ = net::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &at.sin_addr);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    socklen_t size = sizeof at;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LoopbackServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }
  std::string place() const { return fmt::format("127.0.0.1:{}", port_); }
  int calls() const { return calls_; }
  std::string last_request() {
    const std::lock_guard lock(mutex_);
    return last_request_;
  }

 private:
  void serve() {
    while (true) {
      const net::Descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      ++calls_;
      std::string request;
      char buffer[4096];
      while (!is_whole(request)) {
        const auto got = ::read(connection.get(), buffer, sizeof buffer);
        if (got <= 0) break;
        request.append(buffer, static_cast<std::size_t>(got));
      }
      {
        const std::lock_guard lock(mutex_);
        last_request_ = request;
      }
      const auto said = answer_(request);
      std::size_t sent = 0;
      while (sent < said.bytes.size()) {
        const auto n = ::send(connection.get(), said.bytes.data() + sent, said.bytes.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      if (said.then == Then::hold)
        while (::read(connection.get(), buffer, sizeof buffer) > 0) continue;
    }
  }
  static bool is_whole(const std::string& request) {
    if (request.starts_with('\x16')) return true;  // TLS: as much as a server that does not speak it would read
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto length = request.find("Content-Length: ");
    if (length == std::string::npos) return true;
    return request.size() >= end + 4 + std::strtoul(request.c_str() + length + 16, nullptr, 10);
  }

  Answer answer_;
  net::Descriptor listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> calls_ = 0;
  std::mutex mutex_;
  std::string last_request_;
  std::thread thread_;
};

}  // namespace parley::testing
