#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/crypto/random.h"
#include "parley/net/workers.h"
#include "parley/notify/mail.h"

namespace parley::notify {

/// A mail server to hand letters to.
struct SmtpServer {
  std::string host;
  std::uint16_t port = 587;
  enum class Tls : std::uint8_t {
    starttls,              ///< smtp://: begins in plain and must switch before anything is said
    at_once,               ///< smtps://
    none_on_this_machine,  ///< a relay on loopback; no password is ever sent over it
  } tls = Tls::starttls;
};

/// Whether a letter may travel in plain. Only to a relay on this machine.
enum class PlainText : bool { refuse, on_loopback };

/// "smtp://host:587" or "smtps://host:465"; without a port these two. No user, password or path in it: an address
/// stands in files and logs. `invalid_argument` otherwise, and for plain text to a host that is not this machine.
Result<SmtpServer> parse_smtp_url(std::string_view text, PlainText plain);

struct SmtpOptions {
  SmtpServer server;
  MailAddress from;
  std::string user;  ///< empty: without authentication
  Secret password;
  std::filesystem::path ca_file;  ///< certificates to trust; the system's if empty
  std::chrono::milliseconds connect_timeout{10'000};
  /// For one letter, from the connection to the server's last word. RFC 5321 would wait minutes for that; whoever
  /// waits for a link asks again sooner.
  std::chrono::milliseconds total_timeout{30'000};
};

/// Sends by SMTP, a connection for each letter, on two threads of its own: one server that hangs holds up half.
/// The server's certificate must hold and name the host. Safe from any thread.
class SmtpMailer final : public Mailer {
 public:
  /// Clock and randomness must outlive this object.
  SmtpMailer(SmtpOptions options, const Clock& clock, crypto::Random& random);
  /// Breaks off what is being sent. The event loops whose coroutines wait must outlive this object.
  ~SmtpMailer() override;

  Async<> send(Mail mail) override;

 private:
  Result<void> deliver(const MailAddress& to, const std::string& message) const;

  const SmtpOptions options_;
  const Clock& clock_;
  crypto::Random& random_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> waiting_ = 0;
  net::Workers workers_{2};
};

}  // namespace parley::notify
