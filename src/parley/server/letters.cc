#include "parley/server/letters.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "parley/log/log.h"

namespace parley::server {
namespace {

asio::awaitable<void> deliver(notify::Mailer& mailer, notify::Mail mail) {
  const auto sent = co_await mailer.send(std::move(mail));
  // To whom is not for the log.
  if (!sent)
    log::write(
        log::Level::error, "letter_not_sent",
        {{"reason", sent.error().reason()}, log::Field::operator_text("detail", sent.error().operator_detail())});
}

}  // namespace

// The token stands behind '#', which browsers send to nobody: it reaches no log and no proxy.
std::string MailedLetters::link(std::string_view path, const Secret& token) const {
  return fmt::format("{}{}#{}", public_url_, path, token.reveal());
}

std::string MailedLetters::invitation_link(const Secret& token) const { return link("/invitation", token); }

void MailedLetters::send_reset(identity::Letter letter) {
  send(letter.email, "Choose a new password",
       fmt::format("Somebody asked for a new password for this address on Parley.\n\nIf it was you, choose one here "
                   "within an hour:\n\n{}\n\nIf not, do nothing: your password stays as it is.\n",
                   link("/reset-password", letter.token)));
}

void MailedLetters::send_confirmation(identity::Letter letter) {
  send(letter.email, "Confirm your address",
       fmt::format("Confirm that this address is yours:\n\n{}\n\nIf you did not ask for this, do nothing.\n",
                   link("/confirm-email", letter.token)));
}

void MailedLetters::send_invitation(identity::Letter letter, std::string organisation) {
  send(letter.email, fmt::format("You are invited to {}", organisation),
       fmt::format("You are invited to join {} on Parley. Accept within seven days:\n\n{}\n\nThe link is for this "
                   "address alone.\n",
                   organisation, link("/invitation", letter.token)));
}

void MailedLetters::send_notice(std::string email, Literal what) {
  send(email, fmt::format("Your account: {}", what.view()),
       fmt::format("Your account on Parley: {}.\n\nIf it was you, there is nothing to do. If not, somebody else is in "
                   "your account. Sign in, sign out everywhere else, choose a new password, and look at your second "
                   "factors and passkeys:\n\n{}/account\n",
                   what.view(), public_url_));
}

void MailedLetters::send(const std::string& to, std::string subject, std::string text) {
  auto address = notify::parse_mail_address(to);
  if (!address) {
    log::write(log::Level::error, "letter_not_sent", {{"reason", address.error().reason()}});
    return;
  }
  asio::co_spawn(workers_.executor(),
                 deliver(mailer_, {.to = *std::move(address), .subject = std::move(subject), .text = std::move(text)}),
                 asio::detached);
}

}  // namespace parley::server
