#pragma once

#include "parley/admission/budgets.h"
#include "parley/chat/ask.h"
#include "parley/chat/chat_store.h"
#include "parley/crypto/random.h"
#include "parley/identity/tenant_door.h"
#include "parley/knowledge/library.h"
#include "parley/llm/models.h"
#include "parley/trail/trail.h"

namespace parley::chat {

/// One question and its answer: find what the documents say, have a model answer from it, keep both. Safe from any
/// thread.
class Turns {
 public:
  /// All references must outlive this object.
  Turns(identity::TenantDoor& door, knowledge::Library& library, const llm::Models& models, admission::Budgets& budgets,
        const trail::Trail& trail, const Clock& clock, crypto::Random& random)
      : door_(door),
        library_(library),
        models_(models),
        budgets_(budgets),
        trail_(trail),
        clock_(clock),
        random_(random) {}

  /// Returns once question, answer and trail record are durable, in one transaction. `deltas`, if given, receives the
  /// text before that. `not_found` if `question.chat` is not this caller's; `budget_exceeded` before a model is asked
  /// that could cost more than is left; `unavailable` or `timeout` if no model answers. One that breaks off in the
  /// middle leaves an answer that is `incomplete`.
  Async<Answer> ask(Authorized<Ask> permit, Question question, DeltaSink* deltas);

 private:
  struct Said;
  Async<Said> say(const Authorized<Ask>* permit, const Question* question, std::vector<StoredMessage> past,
                  DeltaSink* deltas);

  identity::TenantDoor& door_;
  knowledge::Library& library_;
  const llm::Models& models_;
  admission::Budgets& budgets_;
  const trail::Trail& trail_;
  const Clock& clock_;
  crypto::Random& random_;
};

}  // namespace parley::chat
