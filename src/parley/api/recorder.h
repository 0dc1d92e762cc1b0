#pragma once

#include "parley/db/store.h"
#include "parley/evidence/principal.h"
#include "parley/net/async.h"
#include "parley/trail/batch.h"
#include "parley/trail/trail.h"

namespace parley::api {

/// What the pipeline itself writes to the trail. A change records itself, in the transaction that makes it.
class Recorder {
 public:
  Recorder(db::Store& store, const trail::Trail& trail, trail::TrailBatch& batch, trail::RefusalCounters& refusals)
      : store_(store), trail_(trail), batch_(batch), refusals_(refusals) {}

  /// Somebody known was told no. Durable when this returns, so that the answer cannot outrun its record.
  Async<void> refused(RequestId request, Principal who, Literal action, Literal rule);

  /// Somebody known is about to change something. Durable when this returns: what cannot be recorded is not done.
  Async<void> write(RequestId request, Principal who, Literal action, Literal rule, trail::Object object);

  /// Somebody known looked at something, or met a limit: too many for a sync each, so at most a second late.
  Async<void> note(RequestId request, Principal who, Literal action, Literal rule, trail::Decision decision);

  /// The first organisation and its administrator were made.
  Async<void> set_up(RequestId request, TenantId tenant, AccountId account);

  /// Nobody known was told no: counted by the minute.
  void count_anonymous_refusal(Literal rule) { refusals_.count(rule); }

 private:
  db::Store& store_;
  const trail::Trail& trail_;
  trail::TrailBatch& batch_;
  trail::RefusalCounters& refusals_;
};

}  // namespace parley::api
