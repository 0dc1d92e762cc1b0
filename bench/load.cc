#include "bench/load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace parley::bench {

Connection::Connection(std::uint16_t port, Addresses from, std::size_t number) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) return;
  if (from.network != 0) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(127U << 24 | std::uint32_t{from.network} << 16 | (1 + number % from.count));
    // The port is chosen with the connection, so that one address can have many.
    const int later = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof later);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) give_up("no such address of one's own");
  }
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(fd);
    return;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fd_ = fd;
}

Connection::Connection(Connection&& from) noexcept
    : fd_(std::exchange(from.fd_, -1)), buffer_(std::move(from.buffer_)) {}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<Reply> Connection::take_reply() {
  const auto head_end = buffer_.find("\r\n\r\n");
  if (head_end == buffer_.npos) return std::nullopt;
  const std::string_view head(buffer_.data(), head_end + 2);
  std::size_t length = 0;
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    const auto at = head.find(name);
    if (at != head.npos) std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
  }
  const std::size_t whole = head_end + 4 + length;
  if (buffer_.size() < whole) return std::nullopt;
  Reply reply;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, reply.status);
  reply.body = buffer_.substr(head_end + 4, length);
  buffer_.erase(0, whole);
  return reply;
}

std::optional<Reply> Connection::receive() {
  std::array<char, 16 * 1024> bytes{};
  for (;;) {
    const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return take_reply();
    if (n <= 0) {
      if (auto reply = take_reply()) return reply;
      ::close(std::exchange(fd_, -1));
      return Reply{};
    }
    buffer_.append(bytes.data(), static_cast<std::size_t>(n));
    if (auto reply = take_reply()) return reply;
  }
}

Reply Connection::ask(std::string_view request) {
  if (!is_open() || !send(request)) return {};
  for (;;) {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 60'000) <= 0) return {};
    if (auto reply = receive()) return *std::move(reply);
  }
}

std::string get_request(std::string_view path, std::string_view key) {
  if (key.empty()) return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Api-Key {}\r\n\r\n", path, key);
}

std::string chat_request(std::string_view slug, std::string_view key, std::string_view question,
                         std::string_view chat) {
  boost::json::object body{{"project_slug", slug}, {"message", question}};
  if (!chat.empty()) body["chat_uuid"] = chat;
  const auto text = boost::json::serialize(body);
  return fmt::format(
      "POST /api/v1/chats/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Api-Key {}\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      key, text.size(), text);
}

Questions::Questions() {
  std::ifstream file("testdata/eval/tigerbeetle.jsonl");
  for (std::string line; std::getline(file, line);) {
    boost::system::error_code error;
    const auto value = boost::json::parse(line, error);
    if (error || !value.is_object()) continue;
    if (const auto* text = value.get_object().if_contains("question"); text != nullptr && text->is_string())
      texts_.emplace_back(text->get_string());
  }
  if (texts_.empty())
    give_up("testdata/eval/tigerbeetle.jsonl holds no questions (run from the root of the repository)");
}

std::string Questions::at(std::size_t n) const {
  static constexpr std::array<std::string_view, 7> before{
      "", "Hello. ", "I am new to this. ", "For our cluster: ", "In production, ", "A colleague asks: ", "Briefly: "};
  static constexpr std::array<std::string_view, 5> after{"", " Thank you.", " I could not find it.",
                                                         " Where is it written?", " (version 2)"};
  return std::string(before[n % before.size()]) + texts_[n % texts_.size()] + std::string(after[n / 3 % after.size()]);
}

LoadResult run_load(const LoadOptions& options, const std::function<std::string(std::size_t)>& make_request,
                    const std::function<void(std::size_t, const Reply&)>& on_reply) {
  struct Lane {
    Connection connection;
    bool waiting = false;
    std::size_t number = 0;
    Time::time_point since;
  };
  std::vector<Lane> lanes;
  for (std::size_t i = 0; i < options.connections; ++i)
    lanes.push_back({.connection = Connection(options.port, options.addresses, i)});

  LoadResult result;
  std::vector<std::size_t> idle;
  for (std::size_t i = lanes.size(); i-- > 0;) idle.push_back(i);
  std::vector<pollfd> polled;
  std::vector<std::size_t> polled_lane;
  std::size_t asked = 0, waiting = 0;
  const auto begin = Time::now();
  const auto due = [&](std::size_t n) {
    return begin + std::chrono::duration_cast<Time::duration>(
                       std::chrono::duration<double>(static_cast<double>(n) / options.rate));
  };
  for (;;) {
    auto now = Time::now();
    const bool over = asked >= options.requests_max || now - begin >= options.time_max;
    while (!over && asked < options.requests_max && !idle.empty() && (options.rate <= 0 || due(asked) <= now)) {
      Lane& lane = lanes[idle.back()];
      if (!lane.connection.is_open()) {
        std::destroy_at(&lane.connection);
        std::construct_at(&lane.connection, options.port, options.addresses, idle.back());
        if (!lane.connection.is_open()) break;
      }
      idle.pop_back();
      lane.number = asked++;
      const auto request = make_request(lane.number);
      lane.since = options.rate > 0 ? due(lane.number) : Time::now();
      lane.waiting = true;
      ++waiting;
      // A connection that broke is seen by the read below.
      (void)lane.connection.send(request);
    }
    if (waiting == 0 && (over || options.rate <= 0)) break;
    polled.clear();
    polled_lane.clear();
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      if (!lanes[i].waiting) continue;
      polled.push_back({.fd = lanes[i].connection.descriptor(), .events = POLLIN, .revents = 0});
      polled_lane.push_back(i);
    }
    timespec patience{.tv_sec = 60, .tv_nsec = 0};
    if (options.rate > 0 && !over) {
      const auto left =
          std::max<Time::duration>(Time::duration::zero(), idle.empty() ? std::chrono::seconds(60) : due(asked) - now);
      patience.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
      patience.tv_nsec = std::chrono::nanoseconds(left % std::chrono::seconds(1)).count();
    }
    const int ready = ::ppoll(polled.data(), polled.size(), &patience, nullptr);
    if (ready == 0 && patience.tv_sec >= 60)
      break;  // nothing for a minute: whoever reads the result sees what is missing
    for (std::size_t p = 0; p < polled.size() && ready > 0; ++p) {
      if (polled[p].revents == 0) continue;
      Lane& lane = lanes[polled_lane[p]];
      auto reply = lane.connection.receive();
      if (!reply) continue;
      lane.waiting = false;
      --waiting;
      idle.push_back(polled_lane[p]);
      if (reply->status == 0) {
        ++result.broken;
      } else if (reply->status < 300) {
        result.times_ms.push_back(milliseconds_since(lane.since));
      } else {
        ++result.refused;
        if (result.first_bad_status == 0) result.first_bad_status = reply->status;
      }
      if (on_reply) on_reply(lane.number, *reply);
    }
  }
  result.seconds = milliseconds_since(begin) / 1000;
  return result;
}

}  // namespace parley::bench
