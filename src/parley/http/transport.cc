#include "parley/http/transport.h"

#include <bit>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace parley::http {
namespace {

// OpenSSL keeps one pointer for a BIO of ours; it carries the descriptor, as the number it is.
int descriptor_of(BIO* bio) { return static_cast<int>(std::bit_cast<std::intptr_t>(BIO_get_data(bio))); }

// OpenSSL's own socket BIO writes with write(), and a client that has left would then end the program by SIGPIPE.
int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const int fd = descriptor_of(bio);
  const auto sent = ::send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const int fd = descriptor_of(bio);
  const auto received = ::recv(fd, bytes, static_cast<std::size_t>(size), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (received == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(received);
}

long bio_ctrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* bio_method() {
  static BIO_METHOD* method = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "parley socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

IoResult result_of_errno(Io want) {
  return {errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? want : Io::closed, 0};
}

}  // namespace

void FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Transport::Transport(int descriptor, SslHandle ssl, Side side) : descriptor_(descriptor), ssl_(std::move(ssl)) {
  if (!ssl_) return;
  auto* bio = BIO_new(bio_method());
  BIO_set_data(bio, std::bit_cast<void*>(static_cast<std::intptr_t>(descriptor)));
  SSL_set_bio(ssl_.get(), bio, bio);
  if (side == Side::server) SSL_set_accept_state(ssl_.get());
  else SSL_set_connect_state(ssl_.get());
}

IoResult Transport::result_of(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_NONE: return {Io::done, static_cast<std::size_t>(returned)};
    case SSL_ERROR_WANT_READ: return {Io::want_read, 0};
    case SSL_ERROR_WANT_WRITE: return {Io::want_write, 0};
    default: return {Io::closed, 0};
  }
}

IoResult Transport::handshake() {
  // SSL_get_error reads the thread's error queue: what another connection left there is not ours.
  ERR_clear_error();
  return result_of(SSL_do_handshake(ssl_.get()));
}

IoResult Transport::read(std::span<char> into) {
  if (ssl_) {
    ERR_clear_error();
    return result_of(SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())));
  }
  return discard(into);
}

IoResult Transport::discard(std::span<char> into) {
  const auto received = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
  if (received > 0) return {Io::done, static_cast<std::size_t>(received)};
  if (received == 0) return {Io::closed, 0};
  return result_of_errno(Io::want_read);
}

IoResult Transport::write(std::string_view first, std::string_view second, std::string_view third) {
  if (ssl_) {
    std::size_t written = 0;
    for (const auto piece : {first, second, third}) {
      std::size_t at = 0;
      while (at < piece.size()) {
        ERR_clear_error();
        std::size_t now = 0;
        const auto result = result_of(SSL_write_ex(ssl_.get(), piece.data() + at, piece.size() - at, &now));
        if (result.status != Io::done) {
          return written > 0 && result.status != Io::closed ? IoResult{Io::done, written} : result;
        }
        at += now;
        written += now;
      }
    }
    return {Io::done, written};
  }
  iovec pieces[3];
  std::size_t count = 0;
  for (const auto piece : {first, second, third}) {
    if (!piece.empty()) pieces[count++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return {Io::done, static_cast<std::size_t>(sent)};
  return result_of_errno(Io::want_write);
}

bool Transport::has_buffered_input() const { return ssl_ && SSL_has_pending(ssl_.get()); }

Transport::Peer Transport::probe() {
  char byte = 0;
  if (ssl_) {
    ERR_clear_error();
    const auto result = result_of(SSL_peek(ssl_.get(), &byte, 1));
    if (result.status == Io::done) return Peer::sent_more;
    return result.status == Io::closed ? Peer::gone : Peer::silent;
  }
  const auto received = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (received > 0) return Peer::sent_more;
  if (received == 0) return Peer::gone;
  return result_of_errno(Io::want_read).status == Io::closed ? Peer::gone : Peer::silent;
}

void Transport::say_goodbye() {
  if (!ssl_ || !SSL_is_init_finished(ssl_.get())) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

}  // namespace parley::http
