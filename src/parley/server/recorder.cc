#include "parley/server/recorder.h"

#include "parley/trail/actor.h"

namespace parley::server {
namespace {

trail::Entry entry(trail::Kind kind, RequestId request, const Principal& who, Literal action, Literal rule,
                   trail::Decision decision) {
  const auto object = who.project ? trail::Object("project", *who.project) : trail::Object("tenant", *who.tenant);
  return {.kind = kind,
          .actor = trail::actor_of(who),
          .action = action,
          .object = object,
          .decision = decision,
          .rule = rule,
          .request = request};
}

}  // namespace

Async<void> TrailRecorder::refused(RequestId request, Principal who, Literal action, Literal rule) {
  // Somebody who has signed in and belongs nowhere: there is no trail to put it on.
  if (!who.tenant) {
    refusals_.count(rule);
    co_return Result<void>();
  }
  const auto record = entry(trail::Kind::refusal, request, who, action, rule, trail::Decision::refused);
  co_return co_await trail_.append_now(store_.tenant(*who.tenant), record);
}

Async<void> TrailRecorder::write(RequestId request, Principal who, Literal action, Literal rule, trail::Object object) {
  auto record = entry(trail::Kind::write, request, who, action, rule, trail::Decision::allowed);
  record.object = std::move(object);
  co_return co_await trail_.append_now(store_.tenant(*who.tenant), record);
}

Async<void> TrailRecorder::set_up(RequestId request, TenantId tenant, AccountId account) {
  const trail::Entry record{.kind = trail::Kind::operation,
                            .actor = trail::Actor::account(account),
                            .action = "account.set_up",
                            .object = trail::Object("tenant", tenant),
                            .decision = trail::Decision::allowed,
                            .rule = "setup_token",
                            .request = request};
  co_return co_await trail_.append_now(store_.tenant(tenant), record);
}

Async<void> TrailRecorder::note(RequestId request, Principal who, Literal action, Literal rule,
                                trail::Decision decision) {
  if (!who.tenant) {
    if (decision == trail::Decision::refused) refusals_.count(rule);
    co_return Result<void>();
  }
  const auto kind = decision == trail::Decision::allowed ? trail::Kind::read : trail::Kind::refusal;
  const TenantId tenant = *who.tenant;
  co_return co_await batch_.note(tenant, entry(kind, request, who, action, rule, decision));
}

}  // namespace parley::server
