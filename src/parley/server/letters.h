#pragma once

#include <string>

#include "parley/api/letters.h"
#include "parley/net/workers.h"
#include "parley/notify/mail.h"

namespace parley::server {

/// Words the letters that people get, and hands them to the mailer from a thread of its own.
class MailedLetters final : public api::Letters {
 public:
  enum class Reach : bool { console, mailboxes };
  /// `public_url`: our own address, in front of every link; where it is not configured links begin with the path.
  /// References must outlive this object.
  MailedLetters(notify::Mailer& mailer, net::Workers& workers, std::string public_url, Reach reach)
      : mailer_(mailer), workers_(workers), public_url_(std::move(public_url)), reach_(reach) {}

  bool reaches_people() const override { return reach_ == Reach::mailboxes; }
  void send_reset(identity::Letter letter) override;
  void send_confirmation(identity::Letter letter) override;
  void send_invitation(identity::Letter letter, std::string organisation) override;
  void send_notice(std::string email, Literal what) override;
  std::string invitation_link(const Secret& token) const override;

 private:
  std::string link(std::string_view path, const Secret& token) const;
  void send(const std::string& to, std::string subject, std::string text);

  notify::Mailer& mailer_;
  net::Workers& workers_;
  const std::string public_url_;
  const Reach reach_;
};

}  // namespace parley::server
