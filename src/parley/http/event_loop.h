#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include "parley/http/server.h"
#include "parley/http/tls_store.h"

namespace parley::http {

using Tcp = boost::asio::ip::tcp;
// Not the default type-erased executor: a connection's waits are the hottest path there is.
using TcpSocket = boost::asio::basic_stream_socket<Tcp, boost::asio::io_context::executor_type>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<Tcp, boost::asio::io_context::executor_type>;

/// The part of a connection by which its loop finds it; complete where `Connection` is not.
class ConnectionNode
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {};
using ConnectionList = boost::intrusive::list<ConnectionNode, boost::intrusive::constant_time_size<false>>;

/// What all event loops of one server share.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  Refusal refusal;
  std::unique_ptr<TlsStore> tls;  ///< none without TLS
  std::atomic<std::size_t> connections{0};
};

/// One thread, its acceptor and its connections. Everything but `stop_*` and `run` is for that thread alone.
class EventLoop {
 public:
  explicit EventLoop(std::shared_ptr<ServerShared> shared);
  ~EventLoop();

  /// Takes over a listening socket and starts the thread.
  void start(int listening_descriptor, bool is_v6);
  /// Thread-safe: no new connections; those between requests are closed.
  void stop_accepting();
  /// Thread-safe: closes every socket and cancels every handler.
  void cut_all();
  /// Waits for the thread to run out of connections and end. False if it has not by then.
  bool wait_until_done(std::chrono::steady_clock::time_point deadline);
  /// Ends the thread without waiting for handlers that ignored their cancellation. The loop must then not be destroyed:
  /// whatever they wait for may still come back to it.
  void abandon();

  // For connections:
  boost::asio::io_context& context() { return context_; }
  const ServerShared& shared() const { return *shared_; }
  /// Milliseconds on a steady clock, as of the last tick: reading the clock for each deadline would cost more than the
  /// deadlines are worth.
  std::int64_t now_ms() const { return now_ms_; }
  bool stopping() const { return stopping_; }
  const std::string& date_line() const { return date_line_; }
  /// Where every read of this thread goes first; contents are valid until the next suspension.
  std::vector<char>& read_buffer() { return read_buffer_; }
  /// For forming a reply's head; valid until the next suspension.
  std::string& write_buffer() { return write_buffer_; }
  void connection_ended();

 private:
  boost::asio::awaitable<void> accept_connections();
  boost::asio::awaitable<void> tick();
  void read_clocks();
  void spawn(TcpSocket socket, const Tcp::endpoint& peer);

  std::shared_ptr<ServerShared> shared_;
  boost::asio::io_context context_;
  TcpAcceptor acceptor_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer accept_pause_;
  std::chrono::milliseconds tick_interval_;
  std::int64_t now_ms_ = 0;
  std::int64_t date_seconds_ = 0;
  bool stopping_ = false;
  std::string date_line_;
  std::vector<char> read_buffer_;
  std::string write_buffer_;
  ConnectionList connections_;
  std::promise<void> done_;
  std::future<void> is_done_ = done_.get_future();
  std::thread thread_;
};

}  // namespace parley::http
