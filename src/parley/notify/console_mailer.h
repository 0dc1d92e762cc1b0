#pragma once

#include <functional>
#include <string_view>

#include "parley/notify/mail.h"

namespace parley::notify {

/// For an installation without a mail server: prints what would be sent, so that whoever runs it can hand the link on.
class ConsoleMailer final : public Mailer {
 public:
  using Print = std::function<void(std::string_view)>;
  /// Prints on standard error, beside the log and not in it: a log is collected, and the link lets somebody in.
  ConsoleMailer();
  /// `print` must be safe from any thread.
  explicit ConsoleMailer(Print print) : print_(std::move(print)) {}

  Async<> send(Mail mail) override;

 private:
  Print print_;
};

}  // namespace parley::notify
