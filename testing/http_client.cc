#include "testing/http_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace parley::testing {
namespace {

// Nothing in these tests takes this long unless it is broken.
constexpr int patience_seconds = 30;

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

/// Takes the chunks off. None while the last one has not come.
std::optional<std::pair<std::string, std::size_t>> dechunk(std::string_view bytes) {
  std::string body;
  std::size_t at = 0;
  for (;;) {
    const auto end = bytes.find("\r\n", at);
    if (end == std::string_view::npos) return std::nullopt;
    std::size_t size = 0;
    std::from_chars(bytes.data() + at, bytes.data() + end, size, 16);
    at = end + 2;
    if (bytes.size() < at + size + 2) return std::nullopt;
    body += bytes.substr(at, size);
    at += size + 2;
    if (size == 0) return std::pair(std::move(body), at);
  }
}

HttpAnswer parse_head(std::string_view head) {
  HttpAnswer answer;
  answer.head = head;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  auto at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const auto end = head.find("\r\n", at);
    const auto line = head.substr(at, end - at);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) break;
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    answer.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
    if (end == std::string_view::npos) break;
    at = end + 2;
  }
  return answer;
}

}  // namespace

std::optional<std::string> HttpAnswer::header(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& header : headers) {
    if (!same_name(header.name, name)) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::string to_bytes(const HttpCall& call) {
  std::string bytes = call.method + " " + call.path + " HTTP/1.1\r\n";
  const bool has_host = std::ranges::any_of(call.headers, [](const auto& h) { return same_name(h.name, "Host"); });
  if (!has_host) bytes += "Host: localhost\r\n";
  for (const auto& header : call.headers) bytes += header.name + ": " + header.value + "\r\n";
  if (call.body) bytes += "Content-Length: " + std::to_string(call.body->size()) + "\r\n";
  bytes += "\r\n";
  if (call.body) bytes += *call.body;
  return bytes;
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : port_(other.port_), fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  received_.clear();
}

bool HttpClient::open() {
  close();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{patience_seconds, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
  close();
  return false;
}

bool HttpClient::write(std::string_view bytes) {
  if (fd_ < 0 && !open()) return false;
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpClient::more() {
  char buffer[16 * 1024];
  const auto count = fd_ < 0 ? -1 : ::recv(fd_, buffer, sizeof buffer, 0);
  if (count <= 0) return false;
  received_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

bool HttpClient::read_until(std::string_view text) {
  while (received_.find(text) == std::string::npos)
    if (!more()) return false;
  return true;
}

HttpAnswer HttpClient::read_answer(bool head_request) {
  HttpAnswer answer;
  do {  // past "100 Continue"
    if (!read_until("\r\n\r\n")) {
      close();
      return {};
    }
    const auto end = received_.find("\r\n\r\n");
    answer = parse_head(std::string_view(received_).substr(0, end));
    received_.erase(0, end + 4);
  } while (answer.status >= 100 && answer.status < 200);

  if (!head_request && answer.status != 204 && answer.status != 304) {
    if (answer.header("Transfer-Encoding") == "chunked") {
      auto whole = dechunk(received_);
      while (!whole && more()) whole = dechunk(received_);
      if (whole) {
        answer.body = std::move(whole->first);
        received_.erase(0, whole->second);
      } else {
        answer.status = 0;  // cut off
      }
    } else {
      std::size_t length = 0;
      if (const auto text = answer.header("Content-Length"))
        std::from_chars(text->data(), text->data() + text->size(), length);
      while (received_.size() < length && more()) {
      }
      if (received_.size() < length) answer.status = 0;
      answer.body = received_.substr(0, length);
      received_.erase(0, length);
    }
  }
  if (answer.status == 0 || answer.header("Connection") == "close") close();
  return answer;
}

HttpAnswer HttpClient::send_raw(std::string_view bytes, bool head_request) {
  // A write may fail because the server refused early and closed; its answer is there to be read all the same.
  const bool fresh = fd_ < 0;
  (void)write(bytes);
  auto answer = read_answer(head_request);
  if (answer.status != 0 || fresh) return answer;
  (void)write(bytes);  // the kept connection had been closed in the meantime
  return read_answer(head_request);
}

HttpAnswer HttpClient::send(const HttpCall& call) { return send_raw(to_bytes(call), call.method == "HEAD"); }

}  // namespace parley::testing
