#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/net/async.h"

namespace parley::notify {

/// An address that mail can be sent to. Only `parse_mail_address` makes one, and what it accepts has no byte that means
/// anything in a header or in SMTP, so an address can be written into either as it is.
class MailAddress {
 public:
  const std::string& text() const { return text_; }
  std::string_view domain() const { return std::string_view(text_).substr(text_.find('@') + 1); }

 private:
  friend Result<MailAddress> parse_mail_address(std::string_view text);
  explicit MailAddress(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// "name@example.com": letters, digits and !#$%&'*+-/=?^_`{|}~ with single dots between, then a host name, 254
/// characters at most. The host name becomes lower-case. No quotes, no comments, no display name, no letters beyond
/// ASCII: `invalid_argument`.
Result<MailAddress> parse_mail_address(std::string_view text);

/// A letter in plain text. The subject may hold anything: line ends and other controls become blanks, what is not ASCII
/// is encoded. The text is UTF-8 with line feeds.
struct Mail {
  MailAddress to;
  std::string subject;
  std::string text;
};
/// A subject is a line, a text a page or two: what we send are links and short notices.
inline constexpr std::size_t subject_bytes_max = 300;
inline constexpr std::size_t text_bytes_max = 64 * 1024;

/// The letter as RFC 5322 has it, CRLF at the end of every line, ASCII throughout. `id` becomes the left part of its
/// Message-ID. The same headers in the same order for any letter: what others wrote is only ever inside an address, an
/// encoded subject or the encoded text. `too_large` beyond the limits above.
Result<std::string> compose(const Mail& mail, const MailAddress& from, Timestamp at, std::string_view id);

/// Sends letters. A port: SMTP where one is configured, the console where not, a list in tests.
class Mailer {
 public:
  virtual ~Mailer() = default;
  /// Returns once a mail server has taken the letter over. `invalid_argument` if it refuses the recipient or the letter
  /// for good; `timeout` and `unavailable` if trying again later may help: the caller decides, nothing is kept.
  virtual Async<> send(Mail mail) = 0;
};

}  // namespace parley::notify
