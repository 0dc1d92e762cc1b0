#pragma once

#include <string>

#include "parley/base/literal.h"
#include "parley/identity/account_links.h"

namespace parley::api {

/// Sends what people are written. Implemented in `server/`, which knows our own address and the mailer.
class Letters {
 public:
  virtual ~Letters() = default;

  /// Whether letters leave this machine. If not, links are shown to whoever asked for them, or printed on the console.
  virtual bool reaches_people() const = 0;
  /// Returns at once; a letter that cannot be sent is logged.
  virtual void send_reset(identity::Letter letter) = 0;
  virtual void send_confirmation(identity::Letter letter) = 0;
  virtual void send_invitation(identity::Letter letter, std::string organisation) = 0;
  /// That something about how an account is signed in to has changed: "a passkey was added".
  virtual void send_notice(std::string email, Literal what) = 0;
  /// What stands in an invitation's letter, for whoever must hand it over themselves.
  virtual std::string invitation_link(const Secret& token) const = 0;
};

}  // namespace parley::api
