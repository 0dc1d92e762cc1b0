#include "parley/notify/console_mailer.h"

#include <cstdio>

#include <fmt/format.h>

namespace parley::notify {
namespace {

/// Without what a terminal would take for a command to it.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f ? ' ' : c;
  return out;
}

}  // namespace

ConsoleMailer::ConsoleMailer()
    : print_([](std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stderr);
        std::fflush(stderr);
      }) {}

Async<> ConsoleMailer::send(Mail mail) {
  if (mail.subject.size() > subject_bytes_max) co_return fail(Code::too_large, "the subject is too long");
  if (mail.text.size() > text_bytes_max) co_return fail(Code::too_large, "the text is too long");
  std::string subject = printable(mail.subject);
  std::ranges::replace(subject, '\n', ' ');
  print_(
      fmt::format("\n--- no mail server is configured ([mail] in parley.toml); this would be sent:\nTo: {}\n"
                  "Subject: {}\n\n{}\n---\n",
                  mail.to.text(), subject, printable(mail.text)));
  co_return Result<void>();
}

}  // namespace parley::notify
