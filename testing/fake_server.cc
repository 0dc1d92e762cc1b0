#include "testing/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

namespace parley::testing {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string header_of(std::string_view request, std::string_view name) {
  const auto head = request.substr(0, request.find("\r\n\r\n"));
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size(); ++i) same = same && lower(line[i]) == lower(name[i]);
    if (!same) continue;
    auto value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return std::string(value);
  }
  return {};
}

}  // namespace

std::string FakeServer::Talk::body() const { return request_.substr(request_.find("\r\n\r\n") + 4); }
std::string FakeServer::Talk::header(std::string_view name) const { return header_of(request_, name); }

bool FakeServer::Talk::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool FakeServer::Talk::send_in_pieces(std::string_view bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!send(bytes.substr(at, piece))) return false;
  return true;
}

void FakeServer::Talk::wait_until_gone() {
  char buffer[4096];
  while (::recv(fd_, buffer, sizeof buffer, 0) > 0) continue;
  closed_ = true;
}

FakeServer::FakeServer(Answer answer) : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&at), size) != 0 || ::listen(listener_, 512) != 0)
    std::abort();
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { accept_all(); });
}

FakeServer::~FakeServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& connection : open_) ::shutdown(connection.fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (auto& connection : open_) {
    connection.thread.join();
    ::close(connection.fd);
  }
  ::close(listener_);
}

std::string FakeServer::url(std::string_view path) const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }
std::string FakeServer::place() const { return fmt::format("127.0.0.1:{}", port_); }

std::vector<std::string> FakeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeServer::accept_all() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    ++connections_;
    open_.push_back({fd, std::thread([this, fd] { serve(fd); })});
  }
}

void FakeServer::serve(int fd) {
  std::string input;
  char buffer[16 * 1024];
  while (true) {
    std::size_t whole = 0;
    while (whole == 0) {
      const auto end = input.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto length = header_of(input, "content-length");
        const std::size_t size = end + 4 + std::strtoul(length.c_str(), nullptr, 10);
        if (input.size() >= size) whole = size;
      }
      if (whole != 0) break;
      const auto got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
      input.append(buffer, static_cast<std::size_t>(got));
    }
    std::string request = input.substr(0, whole);
    input.erase(0, whole);
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = calls_++;
      requests_.push_back(request);
    }
    Talk talk(fd, std::move(request), number);
    answer_(talk);
    char byte = 0;
    if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) ++left_early_;
    if (talk.closed_) {
      // Closing with something unread would reset the connection and take away what was said.
      ::shutdown(fd, SHUT_WR);
      while (::recv(fd, buffer, sizeof buffer, 0) > 0) continue;
      return;
    }
  }
}

std::string FakeServer::reply(int status, std::string_view headers, std::string_view body) {
  return fmt::format("HTTP/1.1 {} Said\r\n{}Content-Length: {}\r\n\r\n{}", status, headers, body.size(), body);
}
std::string FakeServer::ok(std::string_view body, std::string_view type) {
  return reply(200, fmt::format("Content-Type: {}\r\n", type), body);
}
std::string FakeServer::stream_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
}
std::string FakeServer::chunk(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }
std::string FakeServer::stream(const std::vector<std::string>& pieces) {
  std::string all = stream_head();
  for (const auto& piece : pieces) all += chunk(piece);
  return all + last_chunk();
}

}  // namespace parley::testing
