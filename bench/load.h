#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.h"

namespace parley::bench {

struct Reply {
  int status = 0;  ///< 0: the connection broke before the reply was whole
  std::string body;
};

/// Which addresses of this machine connections come from: the n-th from 127.NETWORK.0.(1 + n % count). Network 0: all
/// from 127.0.0.1.
struct Addresses {
  std::uint8_t network = 0;
  std::size_t count = 1;  ///< at most 250
};

/// One keep-alive connection to 127.0.0.1 that is read when told to. Not for many threads.
class Connection {
 public:
  explicit Connection(std::uint16_t port, Addresses from = {}, std::size_t number = 0);
  ~Connection();
  Connection(Connection&& from) noexcept;
  Connection& operator=(Connection&&) = delete;

  int descriptor() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  /// Whether all of it went out.
  bool send(std::string_view bytes);
  /// What has arrived, without waiting; a reply once it is whole. A broken connection is a reply with status 0.
  std::optional<Reply> receive();
  /// Sends and waits.
  Reply ask(std::string_view request);

 private:
  std::optional<Reply> take_reply();
  int fd_ = -1;
  std::string buffer_;
};

std::string get_request(std::string_view path, std::string_view key = {});
/// A question in a new chat, or in `chat`.
std::string chat_request(std::string_view slug, std::string_view key, std::string_view question,
                         std::string_view chat = {});

/// The questions of testdata/eval and variations of them: other words around the same ones, so that no two in a row
/// are the same bytes.
class Questions {
 public:
  Questions();
  /// The n-th, without end.
  std::string at(std::size_t n) const;

 private:
  std::vector<std::string> texts_;
};

struct LoadOptions {
  std::uint16_t port = 0;
  std::size_t connections = 50;
  /// Whichever comes first ends it.
  std::size_t requests_max = 10'000;
  Time::duration time_max = std::chrono::seconds(20);
  /// Requests a second over all connections; 0: each connection asks again as soon as it was answered. With a rate, a
  /// reply's time counts from when its request was due, so that a stall is not hidden by the questions it held up.
  double rate = 0;
  Addresses addresses = {};
};

struct LoadResult {
  std::vector<double> times_ms;  ///< of replies with a status below 300
  std::size_t refused = 0;       ///< other statuses
  std::size_t broken = 0;        ///< connections that ended in the middle
  int first_bad_status = 0;
  double seconds = 0;

  double per_second() const { return seconds > 0 ? static_cast<double>(times_ms.size()) / seconds : 0; }
};

/// Puts load on a server from one thread, on keep-alive connections. `make_request` is given the number of the request;
/// `on_reply` (may be empty) sees each reply. Ends early when nothing can be reached any more.
LoadResult run_load(const LoadOptions& options, const std::function<std::string(std::size_t)>& make_request,
                    const std::function<void(std::size_t, const Reply&)>& on_reply = {});

}  // namespace parley::bench
