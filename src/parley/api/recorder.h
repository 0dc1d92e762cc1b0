#pragma once

#include "parley/base/literal.h"
#include "parley/base/uuid.h"
#include "parley/evidence/principal.h"
#include "parley/net/async.h"
#include "parley/trail/record.h"

namespace parley::api {

/// What the pipeline itself puts on the trail. A change records itself, in the transaction that makes it.
///
/// An interface, so that this module has no store to open a tenant's tables with: what it may read or write is behind a
/// permission (`identity::TenantDoor`).
class Recorder {
 public:
  virtual ~Recorder() = default;

  /// Somebody known was told no. Durable when this returns, so that the answer cannot outrun its record.
  virtual Async<void> refused(RequestId request, Principal who, Literal action, Literal rule) = 0;

  /// Somebody known is about to change something that stands outside the tenant's own tables, so that no transaction
  /// spans change and record. Durable when this returns: what cannot be recorded is not done.
  virtual Async<void> write(RequestId request, Principal who, Literal action, Literal rule, trail::Object object) = 0;

  /// Somebody known looked at something, or met a limit: too many for a sync each, so at most a second late.
  virtual Async<void> note(RequestId request, Principal who, Literal action, Literal rule,
                           trail::Decision decision) = 0;

  /// The first organisation and its administrator were made.
  virtual Async<void> set_up(RequestId request, TenantId tenant, AccountId account) = 0;

  /// Nobody known was told no: counted by the minute.
  virtual void count_anonymous_refusal(Literal rule) = 0;
};

}  // namespace parley::api
