#include "parley/http/connection.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/http/reply_head.h"

namespace parley::http {
namespace {

// An unread body up to this size is read and dropped so that the connection can be used again; beyond it, closing is
// cheaper for both sides.
constexpr std::uint64_t drain_bytes_max = 64 * 1024;
// A client still sending when we have answered gets this long to read the answer before the connection is reset.
constexpr std::chrono::milliseconds linger_time{2'000};
// What a lingering client may still send meanwhile.
constexpr std::size_t linger_bytes_max = 1024 * 1024;
// Idle for so long, a connection gives back the memory it keeps for the next request.
constexpr std::int64_t shrink_after_ms = 1'000;
// Below this a TLS reply goes out as one record and one packet.
constexpr std::size_t tls_record_bytes_max = 16 * 1024;
// A body's string starts no larger than this, whatever length is declared: memory follows bytes that have arrived.
constexpr std::size_t body_reserve_bytes_max = 64 * 1024;

const auto cancelled = [] { return fail(Code::cancelled, "the client has gone"); };

}  // namespace

Connection::Connection(EventLoop& loop, TcpSocket socket, boost::asio::ip::address peer, SslHandle ssl)
    : loop_(loop),
      socket_(std::move(socket)),
      transport_(socket_.native_handle(), std::move(ssl)),
      parser_({.header_bytes_max = loop.shared().options.header_bytes_max,
               .target_bytes_max = loop.shared().options.target_bytes_max,
               .headers_max = loop.shared().options.headers_max}),
      peer_(std::move(peer)) {}

Connection::~Connection() {
  unlink();
  loop_.connection_ended();
}

asio::awaitable<void> Connection::run() {
  // Two frames deep at rest would double what an idle connection costs, so the loop is here and nowhere else.
  try {
    if (!transport_.is_tls() || co_await shake_hands()) {
      while (co_await receive_head() && co_await serve()) {
      }
    }
  } catch (const std::exception&) {
    // Cancelled by `cut`, or a handler broke its promise not to throw. Either way this client's connection ends here.
  }
  close();
}

void Connection::begin(Phase phase, std::chrono::milliseconds limit) {
  phase_ = phase;
  deadline_ms_ = loop_.now_ms() + limit.count();
}

void Connection::sweep(std::int64_t now_ms) {
  if (phase_ == Phase::working) return;
  if (now_ms >= deadline_ms_ && !expired_) {
    expired_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  } else if (phase_ == Phase::idle && idle_since_ms_ >= 0 && now_ms - idle_since_ms_ >= shrink_after_ms) {
    idle_since_ms_ = -1;
    parser_.shrink();
    leftover_ = std::string();
  }
}

void Connection::close_if_idle() {
  if (phase_ != Phase::idle) return;
  cut_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::cut() {
  cut_ = true;
  boost::system::error_code ignored;
  socket_.shutdown(TcpSocket::shutdown_both, ignored);
  socket_.cancel(ignored);
  cancellation_.emit(asio::cancellation_type::terminal);
}

void Connection::close() {
  phase_ = Phase::working;
  notify_gone_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<bool> Connection::wait(TcpSocket::wait_type readiness) {
  if (expired_ || cut_) co_return false;
  boost::system::error_code error;
  co_await socket_.async_wait(readiness, asio::redirect_error(asio::use_awaitable, error));
  co_return !error && !expired_ && !cut_;
}

asio::awaitable<bool> Connection::shake_hands() {
  begin(Phase::handshake, loop_.shared().options.header_timeout);
  for (;;) {
    const auto result = transport_.handshake();
    if (result.status == Io::done) co_return true;
    // Also the end of a client that speaks plain HTTP here: nothing was read that could be answered in confidence.
    if (result.status == Io::closed) co_return false;
    if (!co_await wait(result.status == Io::want_read ? TcpSocket::wait_read : TcpSocket::wait_write)) co_return false;
  }
}

void Connection::keep_leftover(std::string_view bytes) {
  if (leftover_at_ < leftover_.size()) {
    leftover_at_ = leftover_.size() - bytes.size();  // `bytes` is the end of what is kept already
  } else {
    leftover_.assign(bytes);
    leftover_at_ = 0;
  }
  if (leftover_at_ == leftover_.size()) {
    leftover_.clear();
    leftover_at_ = 0;
  }
}

asio::awaitable<std::string_view> Connection::receive() {
  if (leftover_at_ < leftover_.size()) co_return std::string_view(leftover_).substr(leftover_at_);
  auto readiness = TcpSocket::wait_read;
  bool ready = transport_.has_buffered_input();
  for (;;) {
    if (!ready && !co_await wait(readiness)) co_return std::string_view();
    auto& buffer = loop_.read_buffer();
    const auto result = transport_.read(buffer);
    if (result.status == Io::done) co_return std::string_view(buffer.data(), result.bytes);
    if (result.status == Io::closed) {
      client_gone_ = true;
      co_return std::string_view();
    }
    ready = false;
    readiness = result.status == Io::want_write ? TcpSocket::wait_write : TcpSocket::wait_read;
  }
}

asio::awaitable<bool> Connection::receive_head() {
  const auto& options = loop_.shared().options;
  begin(Phase::idle, options.idle_timeout);
  idle_since_ms_ = loop_.now_ms();
  for (;;) {
    if (phase_ == Phase::idle && loop_.stopping() && leftover_at_ == leftover_.size()) co_return false;
    const auto bytes = co_await receive();
    if (bytes.empty()) {
      if (expired_ && phase_ == Phase::head && !cut_) co_await refuse(408);
      co_return false;
    }
    if (phase_ == Phase::idle) begin(Phase::head, options.header_timeout);
    const auto step = parser_.feed(bytes);
    keep_leftover(bytes.substr(step.consumed));
    if (step.event == RequestParser::Event::head) break;
    if (step.event == RequestParser::Event::refused) {
      co_await refuse(parser_.refusal_status());
      co_return false;
    }
  }
  phase_ = Phase::working;
  parser_.head().peer = peer_;
  parser_.head().tls = transport_.is_tls();
  co_return true;
}

asio::awaitable<bool> Connection::serve() {
  reply_ = Reply::none;
  continue_sent_ = body_read_ = false;
  persist_ = parser_.wants_keep_alive();
  in_exchange_ = true;

  co_await loop_.shared().handler(*this);

  notify_gone_ = nullptr;
  in_exchange_ = false;
  if (reply_ == Reply::none) {
    persist_ = false;
    co_await write_all(bare_500(), {}, {});
    reply_ = Reply::sent;
  }
  // A stream without its end, or a reply the client did not take: cut, so that it cannot pass for a whole one.
  if (reply_ != Reply::sent) co_return false;
  if (persist_ && !parser_.is_complete() && !co_await drain_body()) co_return false;
  if (!persist_) {
    co_await linger();
    co_return false;
  }
  parser_.next_request();
  co_return true;
}

asio::awaitable<bool> Connection::drain_body() {
  begin(Phase::body, loop_.shared().options.body_timeout);
  std::uint64_t dropped = 0;
  while (!parser_.is_complete()) {
    const auto bytes = co_await receive();
    if (bytes.empty()) co_return false;
    const auto step = parser_.feed(bytes);
    keep_leftover(bytes.substr(step.consumed));
    dropped += step.consumed;
    if (step.event == RequestParser::Event::refused || dropped > 2 * drain_bytes_max) co_return false;
  }
  co_return true;
}

asio::awaitable<void> Connection::refuse(int status) {
  // The deadline that led here must not stop the answer.
  expired_ = false;
  persist_ = false;
  auto& buffer = loop_.write_buffer();
  buffer.clear();
  const auto reply = loop_.shared().refusal(status);
  if (!append_reply_head(buffer, reply, ReplyFraming::length, Persistence::close, loop_.date_line())) {
    buffer.assign(bare_500());
  } else if (!is_bodiless(reply.status())) {
    // Whether the method was HEAD may not be known; a body with a stated length on a connection that ends is safe.
    buffer.append(reply.body());
  }
  if (co_await write_all(buffer, {}, {})) co_await linger();
}

asio::awaitable<void> Connection::linger() {
  // Closing with unread bytes in the kernel sends a reset, which may overtake the answer and destroy it at the client.
  transport_.say_goodbye();
  boost::system::error_code ignored;
  socket_.shutdown(TcpSocket::shutdown_send, ignored);
  begin(Phase::linger, linger_time);
  leftover_.clear();
  leftover_at_ = 0;
  std::size_t dropped = 0;
  while (dropped < linger_bytes_max) {
    if (!co_await wait(TcpSocket::wait_read)) co_return;
    const auto received = transport_.discard(loop_.read_buffer());
    if (received.status == Io::closed) co_return;
    dropped += received.bytes;
  }
}

bool Connection::take_buffered_body(std::uint64_t bytes_max) {
  std::uint64_t taken = 0;
  while (!parser_.is_complete() && leftover_at_ < leftover_.size() && taken <= bytes_max) {
    const auto bytes = std::string_view(leftover_).substr(leftover_at_);
    const auto step = parser_.feed(bytes);
    keep_leftover(bytes.substr(step.consumed));
    taken += step.consumed;
    if (step.event == RequestParser::Event::refused) return false;
  }
  return parser_.is_complete();
}

Async<std::string> Connection::read_body(std::size_t bytes_max) {
  if (body_read_) co_return fail(Code::internal, "the body was read twice");
  body_read_ = true;
  const auto& request = parser_.head();
  if (request.content_length && *request.content_length > bytes_max) {
    co_return fail(Code::too_large, "request body too large");
  }
  std::string body;
  if (parser_.is_complete()) co_return body;
  body.reserve(
      static_cast<std::size_t>(std::min<std::uint64_t>(request.content_length.value_or(0), body_reserve_bytes_max)));
  // A client that has begun its body already is not waiting for a word from us.
  if (expects_continue_unanswered() && leftover_at_ == leftover_.size() && reply_ == Reply::none) {
    if (!co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", {}, {})) co_return cancelled();
  }
  continue_sent_ = true;
  begin(Phase::body, loop_.shared().options.body_timeout);
  while (!parser_.is_complete()) {
    const auto bytes = co_await receive();
    if (bytes.empty()) {
      phase_ = Phase::working;
      persist_ = false;
      if (expired_ && !cut_) {
        expired_ = false;
        co_return fail(Code::timeout, "the request body did not arrive in time");
      }
      co_return cancelled();
    }
    const auto step = parser_.feed(bytes);
    if (step.event == RequestParser::Event::body) body.append(step.body);
    const auto rest = bytes.substr(step.consumed);
    keep_leftover(rest);
    if (step.event == RequestParser::Event::refused || body.size() > bytes_max) {
      phase_ = Phase::working;
      persist_ = false;
      if (body.size() > bytes_max) co_return fail(Code::too_large, "request body too large");
      co_return fail(Code::invalid_argument, "malformed chunked body", std::string(parser_.refusal_reason()));
    }
  }
  phase_ = Phase::working;
  co_return body;
}

Persistence Connection::decide_persistence(ReplyFraming framing) {
  if (loop_.stopping() || framing == ReplyFraming::until_close) persist_ = false;
  if (persist_ && !parser_.is_complete() && !take_buffered_body(drain_bytes_max)) {
    // A client that was not told to continue sends either its body or its next request: there is no telling which.
    const auto length = parser_.head().content_length;
    if (!length || *length > drain_bytes_max || expects_continue_unanswered()) persist_ = false;
  }
  if (!persist_) return Persistence::close;
  return parser_.is_http_1_0() ? Persistence::keep_alive : Persistence::implied;
}

asio::awaitable<void> Connection::send(SafeReply reply) {
  if (reply_ != Reply::none) co_return;
  reply_ = Reply::broken;
  auto& buffer = loop_.write_buffer();
  buffer.clear();
  const auto persistence = decide_persistence(ReplyFraming::length);
  std::string_view body;
  if (append_reply_head(buffer, reply, ReplyFraming::length, persistence, loop_.date_line())) {
    if (parser_.head().method != Method::head && !is_bodiless(reply.status())) body = reply.body();
  } else {
    persist_ = false;
    buffer.assign(bare_500());
  }
  if (transport_.is_tls() && buffer.size() + body.size() <= tls_record_bytes_max) {
    buffer.append(body);
    body = {};
  }
  // Nearly every reply fits the socket's buffer: try here, and pay for another coroutine only when it does not.
  const auto result = transport_.write(buffer, body);
  if (result.status == Io::done && result.bytes == buffer.size() + body.size()) {
    reply_ = Reply::sent;
    co_return;
  }
  if (result.status == Io::closed) {
    client_gone_ = true;
    co_return;
  }
  const auto of_head = std::min(result.bytes, buffer.size());
  std::string rest = buffer.substr(of_head);
  if (co_await write_rest(std::move(rest), body.substr(result.bytes - of_head), {})) reply_ = Reply::sent;
}

Async<void> Connection::start_stream(SafeReply head) {
  if (reply_ != Reply::none) co_return fail(Code::internal, "a second reply to one request");
  reply_ = Reply::broken;
  chunked_reply_ = !parser_.is_http_1_0();
  const auto framing = chunked_reply_ ? ReplyFraming::chunked : ReplyFraming::until_close;
  auto& buffer = loop_.write_buffer();
  buffer.clear();
  const auto persistence = decide_persistence(framing);
  if (is_bodiless(head.status()) || !append_reply_head(buffer, head, framing, persistence, loop_.date_line())) {
    persist_ = false;
    co_await write_all(bare_500(), {}, {});
    co_return fail(Code::internal, "the reply cannot be sent");
  }
  if (!head.body().empty() && parser_.head().method != Method::head) {
    if (chunked_reply_) fmt::format_to(std::back_inserter(buffer), "{:x}\r\n", head.body().size());
    buffer.append(head.body());
    if (chunked_reply_) buffer.append("\r\n");
  }
  if (!co_await write_all(buffer, {}, {})) co_return cancelled();
  reply_ = Reply::streaming;
  watch_client();
  co_return Result<void>();
}

Async<void> Connection::write(SafeChunk chunk) {
  if (reply_ != Reply::streaming) co_return client_gone_ ? cancelled() : fail(Code::internal, "no stream is open");
  if (client_gone_) {
    reply_ = Reply::broken;
    co_return cancelled();
  }
  const std::string_view bytes = chunk.bytes();
  // A chunk of size 0 would end the stream.
  if (bytes.empty() || parser_.head().method == Method::head) co_return Result<void>();
  bool written = false;
  if (chunked_reply_) {
    char size_line[20];
    const auto end = fmt::format_to_n(size_line, sizeof size_line, "{:x}\r\n", bytes.size()).out;
    const std::string_view size(size_line, static_cast<std::size_t>(end - size_line));
    if (transport_.is_tls() && bytes.size() + 32 <= tls_record_bytes_max) {
      auto& buffer = loop_.write_buffer();
      buffer.assign(size).append(bytes).append("\r\n");
      written = co_await write_all(buffer, {}, {});
    } else {
      written = co_await write_all(size, bytes, "\r\n");
    }
  } else {
    written = co_await write_all(bytes, {}, {});
  }
  if (!written) {
    reply_ = Reply::broken;
    co_return cancelled();
  }
  co_return Result<void>();
}

Async<void> Connection::finish_stream() {
  if (reply_ != Reply::streaming) co_return client_gone_ ? cancelled() : fail(Code::internal, "no stream is open");
  reply_ = Reply::broken;
  if (client_gone_) co_return cancelled();
  if (chunked_reply_ && parser_.head().method != Method::head && !co_await write_all("0\r\n\r\n", {}, {})) {
    co_return cancelled();
  }
  reply_ = Reply::sent;
  co_return Result<void>();
}

Async<void> Connection::start_upgrade(SafeReply head) {
  if (reply_ != Reply::none) co_return fail(Code::internal, "a second reply to one request");
  if (parser_.head().method != Method::get || !parser_.is_complete() || !parser_.asks_for_upgrade() ||
      parser_.head().content_length) {
    co_return fail(Code::invalid_argument, "not an upgrade request");
  }
  auto& buffer = loop_.write_buffer();
  buffer.clear();
  if (!append_reply_head(buffer, head, ReplyFraming::upgraded, Persistence::implied, loop_.date_line())) {
    co_return fail(Code::internal, "the reply cannot be sent");
  }
  reply_ = Reply::broken;
  persist_ = false;
  chunked_reply_ = false;
  if (!co_await write_all(buffer, {}, {})) co_return cancelled();
  reply_ = Reply::streaming;
  upgraded_ = true;
  co_return Result<void>();
}

Async<std::string> Connection::read_upgraded(std::size_t bytes_max) {
  if (!upgraded_) co_return fail(Code::internal, "the connection was not upgraded");
  if (client_gone_) co_return cancelled();
  begin(Phase::body, loop_.shared().options.idle_timeout);
  const auto bytes = co_await receive();
  phase_ = Phase::working;
  if (bytes.empty()) {
    if (!expired_ || cut_ || client_gone_) co_return cancelled();
    expired_ = false;
    co_return fail(Code::timeout, "nothing was received in time");
  }
  std::string taken(bytes.substr(0, bytes_max));
  keep_leftover(bytes.substr(taken.size()));
  co_return taken;
}

asio::awaitable<bool> Connection::write_all(std::string_view first, std::string_view second, std::string_view third) {
  const auto result = transport_.write(first, second, third);
  if (result.status == Io::done && result.bytes == first.size() + second.size() + third.size()) co_return true;
  if (result.status == Io::closed) {
    client_gone_ = true;
    co_return false;
  }
  auto sent = result.bytes;
  const auto of_first = std::min(sent, first.size());
  sent -= of_first;
  const auto of_second = std::min(sent, second.size());
  sent -= of_second;
  std::string rest(first.substr(of_first));
  co_return co_await write_rest(std::move(rest), second.substr(of_second), third.substr(sent));
}

asio::awaitable<bool> Connection::write_rest(std::string first, std::string_view second, std::string_view third) {
  const auto phase_before = phase_;
  begin(Phase::send, loop_.shared().options.send_timeout);
  std::string_view front = first;
  auto readiness = TcpSocket::wait_write;
  bool written = false;
  for (;;) {
    if (!co_await wait(readiness)) break;
    const auto result = transport_.write(front, second, third);
    if (result.status == Io::closed) break;
    auto sent = result.bytes;
    for (auto* piece : {&front, &second, &third}) {
      const auto now = std::min(sent, piece->size());
      piece->remove_prefix(now);
      sent -= now;
    }
    if (front.empty() && second.empty() && third.empty()) {
      written = true;
      break;
    }
    readiness = result.status == Io::want_read ? TcpSocket::wait_read : TcpSocket::wait_write;
    // Progress, however small, starts the time-out anew: a slow reader of a long answer is not a dead one.
    if (result.bytes > 0) begin(Phase::send, loop_.shared().options.send_timeout);
  }
  phase_ = phase_before;
  if (!written) client_gone_ = true;
  co_return written;
}

void Connection::when_client_leaves(std::function<void()> notify) {
  notify_gone_ = std::move(notify);
  watch_client();
}

void Connection::watch_client() {
  if (watching_ || !socket_.is_open()) return;
  watching_ = true;
  socket_.async_wait(TcpSocket::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    self->watching_ = false;
    // Outside an exchange whoever waits for the next request has been woken as well.
    if (error || !self->socket_.is_open() || !self->in_exchange_) return;
    switch (self->transport_.probe()) {
      case Transport::Peer::silent: self->watch_client(); return;
      case Transport::Peer::sent_more: return;
      case Transport::Peer::gone: break;
    }
    self->client_gone_ = true;
    if (const auto notify = std::exchange(self->notify_gone_, nullptr)) notify();
  });
}

}  // namespace parley::http
