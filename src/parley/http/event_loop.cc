#include "parley/http/event_loop.h"

#include <algorithm>
#include <ctime>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/http/connection.h"
#include "parley/http/reply_head.h"

namespace parley::http {
namespace {

// One read takes at most this much; one such buffer per thread serves all its connections.
constexpr std::size_t read_buffer_bytes = 64 * 1024;
constexpr std::chrono::milliseconds tick_max{250};
constexpr std::chrono::milliseconds tick_min{5};

Connection& connection_of(ConnectionNode& node) { return static_cast<Connection&>(node); }

// Holds the connection for as long as it runs.
asio::awaitable<void> run_connection(std::shared_ptr<Connection> connection) { co_await connection->run(); }

}  // namespace

EventLoop::EventLoop(std::shared_ptr<ServerShared> shared)
    : shared_(std::move(shared)),
      context_(1),  // one thread runs it: Asio leaves out most of its locking
      acceptor_(context_),
      tick_timer_(context_),
      accept_pause_(context_),
      read_buffer_(read_buffer_bytes) {
  const auto& options = shared_->options;
  const auto shortest =
      std::min({options.header_timeout, options.body_timeout, options.idle_timeout, options.send_timeout});
  tick_interval_ = std::clamp(shortest / 4, tick_min, tick_max);
  read_clocks();
}

EventLoop::~EventLoop() {
  if (thread_.joinable()) thread_.join();
}

void EventLoop::start(int listening_descriptor, bool is_v6) {
  acceptor_.assign(is_v6 ? Tcp::v6() : Tcp::v4(), listening_descriptor);
  asio::co_spawn(context_, accept_connections(), asio::detached);
  asio::co_spawn(context_, tick(), asio::detached);
  thread_ = std::thread([this] {
    context_.run();
    done_.set_value();
  });
}

void EventLoop::read_clocks() {
  now_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
                .count();
  if (const auto seconds = static_cast<std::int64_t>(std::time(nullptr)); seconds != date_seconds_) {
    date_seconds_ = seconds;
    date_line_ = make_date_line(seconds);
  }
}

asio::awaitable<void> EventLoop::tick() {
  while (!stopping_ || !connections_.empty()) {
    tick_timer_.expires_after(tick_interval_);
    boost::system::error_code ignored;
    co_await tick_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    read_clocks();
    for (auto& node : connections_) connection_of(node).sweep(now_ms_);
    accept_pause_.cancel();
  }
}

asio::awaitable<void> EventLoop::accept_connections() {
  while (!stopping_) {
    boost::system::error_code error;
    if (shared_->connections.load(std::memory_order_relaxed) >= shared_->options.connections_max) {
      // Another thread's connection may be the one that ends, so the tick wakes this as well.
      accept_pause_.expires_after(tick_max);
      co_await accept_pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    TcpSocket socket(context_);
    Tcp::endpoint peer;
    co_await acceptor_.async_accept(socket, peer, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      spawn(std::move(socket), peer);
    } else if (error == asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system ||
               error == asio::error::no_memory || error == asio::error::no_buffer_space) {
      // Asking again at once would spin on the same connection until one ends.
      accept_pause_.expires_after(tick_max);
      co_await accept_pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void EventLoop::spawn(TcpSocket socket, const Tcp::endpoint& peer) {
  SslHandle ssl;
  if (shared_->tls) {
    shared_->tls->refresh(now_ms_);
    ssl = shared_->tls->new_connection();
    if (!ssl) return;  // closing is the one thing that cannot leak plain text
  }
  auto address = peer.address();
  // One client, one spelling: limits count by address.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  shared_->connections.fetch_add(1, std::memory_order_relaxed);
  auto connection = std::make_shared<Connection>(*this, std::move(socket), address, std::move(ssl));
  connections_.push_back(*connection);
  const auto slot = connection->cancellation_slot();
  auto coroutine = run_connection(connection);
  // The coroutine's cancellation state lives in the connection's signal, so the connection goes one turn later.
  asio::co_spawn(context_, std::move(coroutine),
                 asio::bind_cancellation_slot(slot, [this, connection](const std::exception_ptr&) mutable {
                   asio::post(context_, [last = std::move(connection)] {});
                 }));
}

void EventLoop::connection_ended() {
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  accept_pause_.cancel();
  if (stopping_ && connections_.empty()) tick_timer_.cancel();
}

void EventLoop::stop_accepting() {
  asio::post(context_, [this] {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    tick_timer_.cancel();
    for (auto& node : connections_) connection_of(node).close_if_idle();
  });
}

void EventLoop::cut_all() {
  asio::post(context_, [this] {
    // Cutting one runs its handler's cancellation, which may end others: hold them all first.
    std::vector<std::shared_ptr<Connection>> all;
    for (auto& node : connections_) all.push_back(connection_of(node).shared_from_this());
    for (const auto& connection : all) connection->cut();
  });
}

bool EventLoop::wait_until_done(std::chrono::steady_clock::time_point deadline) {
  return is_done_.wait_until(deadline) == std::future_status::ready;
}

void EventLoop::abandon() {
  context_.stop();
  thread_.join();
}

}  // namespace parley::http
