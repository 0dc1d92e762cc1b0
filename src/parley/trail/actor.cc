#include "parley/trail/actor.h"

#include <utility>

namespace parley::trail {

Actor actor_of(const Principal& who) {
  switch (who.kind) {
    case PrincipalKind::anonymous: return Actor::program();
    case PrincipalKind::secret_key:
    case PrincipalKind::public_key: return Actor::api_key(KeyId(who.id));
    case PrincipalKind::member: return Actor::account(AccountId(who.id));
    case PrincipalKind::visitor: return Actor::visitor(who.id);
    case PrincipalKind::local_user: {
      std::uint32_t uid = 0;
      for (std::size_t i = 12; i < 16; ++i) uid = uid << 8 | who.id.bytes()[i];
      return Actor::local_user(uid);
    }
  }
  std::unreachable();
}

}  // namespace parley::trail
