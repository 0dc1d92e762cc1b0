#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/http/response_parser.h"
#include "parley/net/async.h"
#include "parley/net/egress.h"
#include "parley/net/fetch.h"
#include "parley/net/workers.h"

struct ssl_ctx_st;

namespace parley::http {

/// How long to wait for another server. All four are hard: no byte that trickles in extends any of them.
struct ClientTimeouts {
  std::chrono::milliseconds connect{5'000};         ///< name, connection, TLS
  std::chrono::milliseconds first_byte{30'000};     ///< from the request's last byte to the end of the answer's head
  std::chrono::milliseconds between{30'000};        ///< from the head, and from each `progress`, to the next
  std::chrono::milliseconds total{5 * 60 * 1'000};  ///< all of it
};

struct ClientRequest {
  net::HttpUrl url;
  std::vector<net::FetchHeader> headers = {};
  std::optional<std::string> body = std::nullopt;  ///< with one it is a POST, without it a GET
};

struct ClientOptions {
  net::EgressPolicy policy = {};
  /// Certificates to trust in place of the system's: a private authority. Empty: the system's.
  std::string ca_file = {};
  /// Connections kept for the next request, for each event loop and origin. As many streams as one loop may have end
  /// close together; more idle ones are closed.
  std::size_t idle_max = 64;
  /// Shorter than the idle time of usual servers and balancers (60 s), so that they do not close what we take up.
  std::chrono::milliseconds idle_for{30'000};
};

/// One answer that is arriving. Destroying it breaks it off: the connection is closed unless the answer was read to its
/// end. For the executor of the coroutine that made it.
class ClientAnswer {
 public:
  virtual ~ClientAnswer() = default;
  virtual const ResponseHead& head() const = 0;
  /// The next piece of the body; empty at its end. Valid until the next call. Errors as of `Client::send`;
  /// `unavailable` also for a body that was cut short.
  virtual Async<std::string_view> read() = 0;
  /// What was read so far was worth something: `ClientTimeouts::between` begins anew. The caller says so, and not each
  /// byte, since a server that sends a byte a minute is as stuck as one that sends none.
  virtual void progress() = 0;

  /// Whoever has read enough leaves the answer here. If its end comes soon, the connection is kept for the next
  /// request; the caller does not wait for that.
  static void leave(std::unique_ptr<ClientAnswer> answer);

 private:
  virtual asio::any_io_executor executor() const = 0;
  virtual void end_soon() = 0;
  virtual bool is_complete() const = 0;
  static asio::awaitable<void> read_to_end(std::unique_ptr<ClientAnswer> answer);
};

/// What went wrong with a call, as far as somebody who might try again must know.
enum class Sent : std::uint8_t {
  no,     ///< nothing that the server could act on has left
  maybe,  ///< the request, or some of it, has
};

/// Requests to other servers whose answers are streams: over HTTP/1.1, on the caller's event loop, with connections
/// that are kept. Each new connection asks for the host's addresses once, refuses the request if any of them may not
/// be connected to, and goes to one of exactly these; http is for places the operator lists; https is TLS 1.2 or
/// later with a verified certificate. Redirects are answers like others: nobody who is sent a prompt or a key may pass
/// them on. No proxies, no cookies, no compression (it is asked not to be used).
///
/// A request on a kept connection that the server has closed meanwhile, without a byte of an answer, is sent once more
/// on a new one.
///
/// Its time-outs hold while names are looked up as well.
///
/// `permission_denied` for an address that may not be connected to, `timeout`, `cancelled` when the coroutine was,
/// `invalid_argument` for a header that cannot be sent, else `unavailable`.
///
/// The caller's executor must be run by one thread at a time: an event loop's, or a strand. Connections are kept on
/// event loops only.
class Client {
 public:
  /// `unavailable` if `ca_file` cannot be read. Workers ask for names; they and the resolver must outlive this
  /// object, and it what it made.
  static Result<std::unique_ptr<Client>> make(net::Workers& workers, ClientOptions options = {},
                                              net::Resolver& resolver = net::system_resolver());
  ~Client();

  /// Returns with the head of the answer, whatever its status. `sent`, if given, says after a failure whether the
  /// server may have begun to work on it; it must outlive the call.
  Async<std::unique_ptr<ClientAnswer>> send(ClientRequest request, ClientTimeouts timeouts, Sent* sent = nullptr);

 private:
  class Answer;
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };

  Client(net::Workers& workers, ClientOptions options, net::Resolver& resolver);
  /// What connections over TLS are made from; lives as long as this object. Blocks the first time.
  Result<ssl_ctx_st*> tls_context();

  net::Workers& workers_;
  const ClientOptions options_;
  net::Resolver& resolver_;
  const std::uint64_t number_;  ///< tells this client's kept connections from another's
  // Made for the first https address: reading the system's certificates takes longer than many a command runs.
  std::mutex tls_mutex_;
  std::unique_ptr<ssl_ctx_st, FreeContext> tls_;
};

}  // namespace parley::http
