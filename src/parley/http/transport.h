#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

struct ssl_st;

namespace parley::http {

/// Frees an OpenSSL connection state.
struct FreeSsl {
  void operator()(ssl_st* ssl) const;
};
using SslHandle = std::unique_ptr<ssl_st, FreeSsl>;

/// What a non-blocking call came to. `want_*`: wait until the socket is readable or writable and call again.
enum class Io : std::uint8_t { done, want_read, want_write, closed };
struct IoResult {
  Io status;
  std::size_t bytes;
};

/// Bytes of one connection, with or without TLS, over a non-blocking descriptor it does not own. Never waits: the
/// connection does that, which is why an idle one needs no read buffer. OpenSSL works on the descriptor directly, as
/// asio::ssl::stream keeps some 70 KB of buffers for every connection, idle ones too.
class Transport {
 public:
  enum class Side : std::uint8_t { server, client };
  Transport(int descriptor, SslHandle ssl, Side side = Side::server);

  bool is_tls() const { return ssl_ != nullptr; }
  IoResult handshake();
  /// `done` with at least one byte, or why not.
  IoResult read(std::span<char> into);
  /// Writes from the front of up to three pieces, in order; may write only a part.
  IoResult write(std::string_view first, std::string_view second = {}, std::string_view third = {});
  /// Bytes OpenSSL has already taken from the socket: the kernel would not report them.
  bool has_buffered_input() const;

  /// Takes bytes off the socket as they are, to drop them.
  IoResult discard(std::span<char> into);

  enum class Peer : std::uint8_t { silent, sent_more, gone };
  /// Whether the client is still there, without taking bytes.
  Peer probe();
  /// Tells the client that no more bytes follow (TLS close_notify); the caller shuts the socket down.
  void say_goodbye();

 private:
  IoResult result_of(int returned);

  int descriptor_;
  SslHandle ssl_;
};

}  // namespace parley::http
