#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "parley/http/event_loop.h"
#include "parley/http/reply_head.h"
#include "parley/http/request_parser.h"
#include "parley/http/transport.h"

namespace parley::http {

/// One client's connection: reads requests one after another, hands each to the handler as an Exchange, and sends the
/// replies in the same order.
class Connection final : public Exchange, public ConnectionNode, public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, TcpSocket socket, boost::asio::ip::address peer, SslHandle ssl);
  ~Connection();

  boost::asio::awaitable<void> run();

  /// Cuts the connection if its deadline has passed, and gives back memory of one that has been idle for a while.
  void sweep(std::int64_t now_ms);
  void close_if_idle();
  void cut();
  boost::asio::cancellation_slot cancellation_slot() { return cancellation_.slot(); }

  // Exchange
  const RequestHead& head() const override { return parser_.head(); }
  Async<std::string> read_body(std::size_t bytes_max) override;
  boost::asio::awaitable<void> send(SafeReply reply) override;
  Async<void> start_stream(SafeReply head) override;
  Async<void> write(SafeChunk chunk) override;
  Async<void> finish_stream() override;
  Async<void> start_upgrade(SafeReply head) override;
  Async<std::string> read_upgraded(std::size_t bytes_max) override;
  void when_client_leaves(std::function<void()> notify) override;

 private:
  /// What the connection is waiting for, if it is waiting for its client at all.
  enum class Phase : std::uint8_t { working, handshake, idle, head, body, send, linger };
  enum class Reply : std::uint8_t { none, streaming, sent, broken };

  boost::asio::awaitable<bool> shake_hands();
  boost::asio::awaitable<bool> receive_head();
  boost::asio::awaitable<bool> serve();
  boost::asio::awaitable<bool> drain_body();
  boost::asio::awaitable<void> refuse(int status);
  boost::asio::awaitable<void> linger();
  /// Bytes from the leftover of an earlier read or from the socket; empty when the client is gone or out of time.
  boost::asio::awaitable<std::string_view> receive();
  boost::asio::awaitable<bool> wait(TcpSocket::wait_type readiness);
  bool take_buffered_body(std::uint64_t bytes_max);
  boost::asio::awaitable<bool> write_all(std::string_view first, std::string_view second, std::string_view third);
  /// Copies what of `first` was not sent: the buffer it is in is shared by the thread's connections.
  boost::asio::awaitable<bool> write_rest(std::string first, std::string_view second, std::string_view third);
  Persistence decide_persistence(ReplyFraming framing);
  bool expects_continue_unanswered() const { return parser_.expects_continue() && !continue_sent_; }
  void begin(Phase phase, std::chrono::milliseconds limit);
  void keep_leftover(std::string_view bytes);
  void watch_client();
  void close();

  EventLoop& loop_;
  TcpSocket socket_;
  Transport transport_;
  RequestParser parser_;
  boost::asio::ip::address peer_;
  boost::asio::cancellation_signal cancellation_;
  std::int64_t deadline_ms_ = 0;
  std::int64_t idle_since_ms_ = 0;
  Phase phase_ = Phase::idle;
  Reply reply_ = Reply::none;
  bool expired_ = false;  ///< the deadline of the current phase has passed
  bool cut_ = false;
  bool client_gone_ = false;
  bool watching_ = false;     ///< a wait for the client to leave is under way
  bool in_exchange_ = false;  ///< the handler is running
  bool continue_sent_ = false;
  bool body_read_ = false;
  bool persist_ = true;  ///< another request may follow
  bool chunked_reply_ = false;
  bool upgraded_ = false;
  std::string leftover_;  ///< received, not yet understood; from leftover_at_
  std::size_t leftover_at_ = 0;
  std::function<void()> notify_gone_;
};

}  // namespace parley::http
