#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "parley/http/tls_store.h"
#include "parley/http/transport.h"
#include "parley/net/descriptor.h"

namespace parley::notify {

/// A mail server for one letter at a time, on a port of loopback, that behaves as a test tells it to.
class TestSmtpServer {
 public:
  enum class Trouble { none, silent_at_once, silent_after_data, cut_at_once, cut_after_data };
  struct Script {
    bool starttls = false;
    bool tls_at_once = false;
    http::TlsStore* tls = nullptr;
    std::string to_recipient = "250 fine";
    Trouble trouble = Trouble::none;
  };
  struct Received {
    std::vector<std::string> commands;  ///< as they came, without line ends
    std::string message;
    bool encrypted = false;  ///< when the letter came
  };

  explicit TestSmtpServer(Script script) : script_(std::move(script)) {
    listener_ = net::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_.get(), 8);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    stop_ = net::Descriptor(::eventfd(0, EFD_CLOEXEC));
    thread_ = std::thread([this] { run(); });
  }
  ~TestSmtpServer() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  /// Returns once somebody has connected.
  void await_connection() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return connections_ > 0; });
  }
  std::vector<Received> received() {
    const std::scoped_lock lock(mutex_);
    return received_;
  }

 private:
  struct Gone {};

  class Peer {
   public:
    Peer(int socket, int stop) : socket_(socket), stop_(stop), transport_(socket, {}) {
      ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
    }
    void encrypt(http::TlsStore& tls) {
      transport_ = http::Transport(socket_, tls.new_connection());
      input_.clear();
      finish([&] { return transport_.handshake(); });
    }
    bool encrypted() const { return transport_.is_tls(); }
    void say(std::string_view line) {
      std::string text = std::string(line) + "\r\n";
      while (!text.empty()) text.erase(0, finish([&] { return transport_.write(text); }));
    }
    std::string line() {
      for (;;) {
        if (const auto end = input_.find("\r\n"); end != std::string::npos) {
          std::string found = input_.substr(0, end);
          input_.erase(0, end + 2);
          return found;
        }
        std::array<char, 4096> piece{};
        const auto bytes = finish([&] { return transport_.read(piece); });
        input_.append(piece.data(), bytes);
      }
    }
    /// Until the test ends or the peer goes.
    [[noreturn]] void be_silent() {
      for (;;) (void)line();
    }

   private:
    template <class Step>
    std::size_t finish(Step step) {
      for (;;) {
        const auto result = step();
        if (result.status == http::Io::done) return result.bytes;
        if (result.status == http::Io::closed) throw Gone();  // tidy: allow throw, a test's own way out of its dialogue
        const short wanted = result.status == http::Io::want_read ? POLLIN : POLLOUT;
        std::array<pollfd, 2> waits{pollfd{socket_, wanted, 0}, pollfd{stop_, POLLIN, 0}};
        ::poll(waits.data(), waits.size(), -1);
        if (waits[1].revents != 0) throw Gone();  // tidy: allow throw, a test's own way out of its dialogue
      }
    }
    int socket_, stop_;
    http::Transport transport_;
    std::string input_;
  };

  void run() {
    for (;;) {
      std::array<pollfd, 2> waits{pollfd{listener_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
      ::poll(waits.data(), waits.size(), -1);
      if (waits[1].revents != 0) return;
      const net::Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      {
        const std::scoped_lock lock(mutex_);
        ++connections_;
        changed_.notify_all();
      }
      Received now;
      try {
        Peer peer(socket.get(), stop_.get());
        talk(peer, now);
      } catch (const Gone&) {
      }
      const std::scoped_lock lock(mutex_);
      received_.push_back(std::move(now));
    }
  }

  void talk(Peer& peer, Received& now) {
    if (script_.trouble == Trouble::cut_at_once) return;
    if (script_.trouble == Trouble::silent_at_once) peer.be_silent();
    if (script_.tls_at_once) peer.encrypt(*script_.tls);
    peer.say("220 test ESMTP");
    for (;;) {
      const std::string line = peer.line();
      now.commands.push_back(line);
      if (line.starts_with("EHLO")) {
        if (script_.starttls && !peer.encrypted()) peer.say("250-STARTTLS");
        if (peer.encrypted()) peer.say("250-AUTH PLAIN");
        peer.say("250 8BITMIME");
      } else if (line == "STARTTLS") {
        peer.say("220 go on");
        peer.encrypt(*script_.tls);
      } else if (line.starts_with("AUTH PLAIN")) {
        if (line == "AUTH PLAIN") {
          peer.say("334 ");
          now.commands.push_back(peer.line());
        }
        peer.say("235 welcome");
      } else if (line.starts_with("RCPT")) {
        peer.say(script_.to_recipient);
      } else if (line == "DATA") {
        peer.say("354 go on");
        now.encrypted = peer.encrypted();
        for (std::string part = peer.line(); part != "."; part = peer.line())
          now.message += (part.starts_with('.') ? part.substr(1) : part) + "\n";
        if (script_.trouble == Trouble::cut_after_data) return;
        if (script_.trouble == Trouble::silent_after_data) peer.be_silent();
        peer.say("250 taken");
      } else if (line == "QUIT") {
        peer.say("221 bye");
        return;
      } else {
        peer.say("250 fine");
      }
    }
  }

  const Script script_;
  net::Descriptor listener_, stop_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  int connections_ = 0;
  std::vector<Received> received_;
  std::thread thread_;
};

}  // namespace parley::notify
