#pragma once

#include <optional>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "parley/base/literal.h"
#include "parley/evidence/action.h"
#include "parley/evidence/principal.h"

// The proofs a request collects on its way. Each can be made by one class only, so a step that was skipped is a value
// that cannot be had, and the program does not compile.

namespace parley::admission {
class Admission;
}
namespace parley::identity {
class Authenticator;
class Gate;
}  // namespace parley::identity
namespace parley::api {
class Validator;
}
namespace parley::server {
class Installation;
}

namespace parley {

/// The address may send requests now.
class AddressAdmitted {
 public:
  const boost::asio::ip::address& client() const { return client_; }

 private:
  friend class admission::Admission;
  explicit AddressAdmitted(boost::asio::ip::address client) : client_(std::move(client)) {}
  boost::asio::ip::address client_;
};

/// The credential was read and holds, or none was sent. A bad credential never gets here.
class Authenticated {
 public:
  const Principal& who() const { return who_; }

 private:
  friend class identity::Authenticator;
  explicit Authenticated(Principal who) : who_(std::move(who)) {}
  Principal who_;
};

/// The caller may spend this class of work now.
class Admitted {
 public:
  const Principal& who() const { return who_; }

 private:
  friend class admission::Admission;
  explicit Admitted(Principal who) : who_(std::move(who)) {}
  Principal who_;
};

/// Somebody who may open the data folder itself, so may do anything with what is in it: whoever runs a command on the
/// folder, or reaches its server's admin socket and is, by the kernel's word, the same user or root.
class LocalOperator {
 public:
  std::uint32_t uid() const { return uid_; }

 private:
  friend class server::Installation;
  explicit LocalOperator(std::uint32_t uid) : uid_(uid) {}
  std::uint32_t uid_;
};

/// The caller may do `A`, by this rule: on this project, or on their organisation or account, as `A::info.on` says.
/// What a handler for `A` takes, and nothing else makes.
template <Action A>
class Authorized {
 public:
  const Principal& who() const { return who_; }
  Literal rule() const { return rule_; }

  TenantId tenant() const
    requires(A::info.on != ActionInfo::On::account)
  {
    return project_ ? project_->tenant : *who_.tenant;
  }
  const ProjectRef& project() const
    requires(A::info.on == ActionInfo::On::project)
  {
    return *project_;
  }

 private:
  friend class identity::Gate;
  Authorized(Principal who, std::optional<ProjectRef> project, Literal rule)
      : who_(std::move(who)), project_(std::move(project)), rule_(rule) {}
  Principal who_;
  std::optional<ProjectRef> project_;  ///< there exactly for an action on a project
  Literal rule_;
};

/// A body or query that has the declared shape and is within its declared limits.
template <class Input>
class Validated {
 public:
  const Input& operator*() const { return input_; }
  const Input* operator->() const { return &input_; }

 private:
  friend class api::Validator;
  explicit Validated(Input input) : input_(std::move(input)) {}
  Input input_;
};

}  // namespace parley
