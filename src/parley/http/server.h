#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "parley/http/message.h"
#include "parley/http/safe_reply.h"
#include "parley/net/async.h"

namespace parley::http {

/// One request and its one reply. Lives as long as the handler's coroutine; belongs to one connection's thread.
class Exchange {
 public:
  virtual const RequestHead& head() const = 0;

  /// Reads the body, once. `too_large` past `bytes_max` (the declared length is refused before a byte is read),
  /// `timeout` for a sender that is too slow, `invalid_argument` for broken chunking.
  virtual Async<std::string> read_body(std::size_t bytes_max) = 0;

  /// Sends a whole reply. Exactly one of `send` and `start_stream` is called, once.
  virtual asio::awaitable<void> send(SafeReply reply) = 0;

  /// Sends the head of a streamed reply (its body, if any, first). `cancelled` if the client has gone.
  virtual Async<void> start_stream(SafeReply head) = 0;
  /// Waits while the client is slower than we are; `cancelled` once it has gone or takes nothing for the send time-out.
  virtual Async<void> write(SafeChunk chunk) = 0;
  /// Ends the stream in good order. A stream that is never finished is cut, so that a client sees it was.
  virtual Async<void> finish_stream() = 0;

  /// Answers 101 and hands over the connection's bytes, both ways, to a protocol named in `head`'s Upgrade header: from
  /// here on `read_upgraded`, `write` (bytes as they are) and `finish_stream`, after which the connection ends.
  /// `invalid_argument`, with nothing sent, unless the request is a GET over HTTP/1.1 without a body that asks for an
  /// upgrade; `cancelled` if the client has gone.
  virtual Async<void> start_upgrade(SafeReply head) = 0;
  /// The next bytes, between 1 and `bytes_max`. `timeout` when none came for the idle time-out: the caller may ping and
  /// read on. `cancelled` once the client has gone. One read and one write may be awaited at the same time.
  virtual Async<std::string> read_upgraded(std::size_t bytes_max) = 0;

  /// Calls `notify` once, on the connection's thread, when the client leaves before the reply is complete, so that work
  /// nobody waits for can be stopped between writes (a model that is slow to its first word). A client that closes only
  /// its sending side counts as gone. One that has sent its next request already is noticed at the next write instead.
  /// `notify` is dropped when the exchange ends.
  virtual void when_client_leaves(std::function<void()> notify) = 0;

 protected:
  ~Exchange() = default;
};

/// Called once per request, on the connection's own executor. Must not throw and must answer; a handler that returns
/// without answering gets its client a bare 500 and a closed connection. When the server is cut off (see Server::stop)
/// the coroutine is cancelled: what it awaits throws `operation_aborted`, which it need not catch.
using Handler = std::function<asio::awaitable<void>(Exchange&)>;

/// Makes the reply to bytes that never became a request (`status` 400, 408, 413, 414, 417, 431, 501 or 505), so that
/// even those answers are formed in one place.
using Refusal = std::function<SafeReply(int status)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;                         ///< 0: any free one, see Server::port
  std::size_t threads = 2;                           ///< event loops; each accepts for itself (SO_REUSEPORT)
  std::filesystem::path tls_cert, tls_key;           ///< both or neither; PEM; read again when they change
  std::size_t connections_max = 20'000;              ///< beyond it new connections wait in the kernel's queue
  std::size_t header_bytes_max = 16 * 1024;          ///< request line and headers; 431 beyond
  std::size_t target_bytes_max = 8 * 1024;           ///< path and query; 414 beyond
  std::size_t headers_max = 100;                     ///< count; 431 beyond
  std::chrono::milliseconds header_timeout{10'000};  ///< from the first byte of a request to the end of its headers
  std::chrono::milliseconds body_timeout{30'000};    ///< for a whole body
  std::chrono::milliseconds idle_timeout{75'000};    ///< between requests on one connection
  std::chrono::milliseconds send_timeout{30'000};    ///< a client that takes nothing for so long is cut
};

/// An HTTP/1.1 server over Asio. Threads and sockets are its own. Deadlines are kept to about a quarter of the shortest
/// time-out, at most 250 ms, as one timer serves all connections of an event loop.
class Server {
 public:
  virtual ~Server() = default;  ///< stops at once if still running

  /// Binds, without SO_REUSEPORT first so that a second server on the port is an error, then starts accepting.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler, Refusal refusal);

  virtual std::uint16_t port() const = 0;
  /// Stops accepting and closes idle connections; running exchanges get up to `grace` to finish, then their sockets are
  /// closed and their handlers cancelled. Blocks until done; not to be called from a handler.
  virtual void stop(std::chrono::milliseconds grace) = 0;
  virtual std::size_t connections() const = 0;
};

}  // namespace parley::http
