#pragma once

#include "parley/base/time.h"

namespace parley::admission {
class Admission;
class Slots;
}  // namespace parley::admission
namespace parley::chat {
class Turns;
}
namespace parley::crypto {
class Random;
}
namespace parley::identity {
class AccountLinks;
class AccountStore;
class Authenticator;
class IdentityIssuers;
class Invitations;
class KeyStore;
class Members;
class OwnAddress;
class PasskeyStore;
class ProjectDirectory;
class ProviderSignIns;
class SecondFactors;
class SessionStore;
class SetUp;
class TenantDoor;
class TenantStore;
class VisitorTokens;
}  // namespace parley::identity
namespace parley::knowledge {
class Library;
}

namespace parley::api {

class Letters;
class Outlet;
class Recorder;
class WebFiles;

/// What the server tells of itself to `/readyz`.
class Health {
 public:
  virtual ~Health() = default;
  /// False while a part that answers depend on does not work, or while stopping.
  virtual bool ready() const = 0;
};

/// What signing in and the people of an organisation need.
struct People {
  identity::TenantStore& tenants;
  identity::AccountStore& accounts;
  identity::AccountLinks& links;
  identity::SessionStore& sessions;
  identity::SecondFactors& factors;
  identity::PasskeyStore& passkeys;
  identity::ProviderSignIns& providers;
  identity::Members& members;
  identity::Invitations& invitations;
  Letters& letters;
};

/// What handlers work with. Wired once, in `server/`; outlives every request.
struct Services {
  const Clock& clock;
  crypto::Random& random;
  const Outlet& outlet;
  admission::Admission& admission;
  admission::Slots& slots;
  identity::Authenticator& authenticator;
  const identity::OwnAddress& own_address;
  identity::ProjectDirectory& projects;
  identity::TenantDoor& door;
  identity::KeyStore& keys;
  const identity::VisitorTokens& visitor_tokens;
  identity::IdentityIssuers& issuers;
  identity::SetUp& set_up;
  People people;
  Recorder& trail;
  knowledge::Library& library;
  chat::Turns& turns;
  const WebFiles& web;
  const Health& health;
};

}  // namespace parley::api
