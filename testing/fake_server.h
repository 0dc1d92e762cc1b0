#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace parley::testing {

/// A server on loopback that says what a test wants said, byte for byte: somebody else's API, on a good day or a bad
/// one. Each connection has a thread. Requests are read whole (head, and a body of the length it states).
class FakeServer {
 public:
  /// One request and the way to answer it.
  class Talk {
   public:
    const std::string& request() const { return request_; }
    std::string body() const;
    /// The value of a header, empty without one.
    std::string header(std::string_view name) const;
    /// How many requests came before this one, on all connections.
    int number() const { return number_; }

    /// False if the other side has gone.
    bool send(std::string_view bytes);
    /// In pieces of so many bytes, each in a packet of its own as far as the system lets it.
    bool send_in_pieces(std::string_view bytes, std::size_t piece);
    /// Blocks until the other side closes.
    void wait_until_gone();
    /// No more requests on this connection.
    void close() { closed_ = true; }

   private:
    friend class FakeServer;
    Talk(int fd, std::string request, int number) : fd_(fd), request_(std::move(request)), number_(number) {}
    int fd_;
    std::string request_;
    int number_;
    bool closed_ = false;
  };
  using Answer = std::function<void(Talk&)>;

  explicit FakeServer(Answer answer);
  /// Cuts every connection.
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  /// As an egress list has it: "127.0.0.1:PORT".
  std::string place() const;
  int calls() const { return calls_; }
  int connections() const { return connections_; }
  /// Connections whose client has gone while they were answered.
  int left_early() const { return left_early_; }
  std::vector<std::string> requests() const;

  /// "HTTP/1.1 200 OK" with a length and this body.
  static std::string ok(std::string_view body, std::string_view type = "application/json");
  static std::string reply(int status, std::string_view headers, std::string_view body);
  /// The head of an event stream in chunks, one chunk of it, and its end.
  static std::string stream_head();
  static std::string chunk(std::string_view bytes);
  static std::string last_chunk() { return "0\r\n\r\n"; }
  /// A whole event stream, each of the pieces a chunk.
  static std::string stream(const std::vector<std::string>& pieces);

 private:
  struct Connection {
    int fd;
    std::thread thread;
  };
  void accept_all();
  void serve(int fd);

  Answer answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> calls_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<int> left_early_ = 0;
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::list<Connection> open_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace parley::testing
