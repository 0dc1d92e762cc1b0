#pragma once

#include "parley/chat/ask.h"
#include "parley/crypto/random.h"
#include "parley/identity/tenant_door.h"
#include "parley/knowledge/library.h"
#include "parley/trail/trail.h"

namespace parley::chat {

/// One question and its answer: find what the documents say, answer from it, keep both. Safe from any thread.
class Turns {
 public:
  /// All references must outlive this object.
  Turns(identity::TenantDoor& door, knowledge::Library& library, const trail::Trail& trail, const Clock& clock,
        crypto::Random& random)
      : door_(door), library_(library), trail_(trail), clock_(clock), random_(random) {}

  /// Returns once question, answer and trail record are durable, in one transaction. `deltas`, if given, receives the
  /// text before that. `not_found` if `question.chat` is not this caller's.
  Async<Answer> ask(Authorized<Ask> permit, Question question, DeltaSink* deltas);

 private:
  identity::TenantDoor& door_;
  knowledge::Library& library_;
  const trail::Trail& trail_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::chat
