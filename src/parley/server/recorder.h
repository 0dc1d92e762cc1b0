#pragma once

#include "parley/api/recorder.h"
#include "parley/db/store.h"
#include "parley/trail/batch.h"
#include "parley/trail/trail.h"

namespace parley::server {

/// Writes what the pipeline has to say to the tenants' trails.
class TrailRecorder final : public api::Recorder {
 public:
  /// All references must outlive this object.
  TrailRecorder(db::Store& store, const trail::Trail& trail, trail::TrailBatch& batch, trail::RefusalCounters& refusals)
      : store_(store), trail_(trail), batch_(batch), refusals_(refusals) {}

  Async<void> refused(RequestId request, Principal who, Literal action, Literal rule) override;
  Async<void> write(RequestId request, Principal who, Literal action, Literal rule, trail::Object object) override;
  Async<void> note(RequestId request, Principal who, Literal action, Literal rule, trail::Decision decision) override;
  Async<void> set_up(RequestId request, TenantId tenant, AccountId account) override;
  void count_anonymous_refusal(Literal rule) override { refusals_.count(rule); }

 private:
  db::Store& store_;
  const trail::Trail& trail_;
  trail::TrailBatch& batch_;
  trail::RefusalCounters& refusals_;
};

}  // namespace parley::server
