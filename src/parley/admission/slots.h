#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "parley/base/uuid.h"
#include "parley/net/async.h"

namespace parley::admission {

struct SlotLimits {
  /// Chats that run at once on this node. Each holds a connection, some buffers and mostly waits for a model.
  std::size_t running_max = 64;
  /// Of these for one organisation: three quarters, so that no flood of one takes the last places from the others.
  std::size_t running_per_organisation_max = 48;
  /// Chats that may wait for a place; four waves of them are more than anybody waits for.
  std::size_t waiting_max = 256;
  /// How long one may wait: beyond this people have gone, or pressed the button again.
  std::chrono::milliseconds wait_max{10'000};
};

/// Shares the places for running chats between organisations.
///
/// A place that gets free goes to the organisation with the fewest running, within it to whoever has waited longest. So
/// while an organisation waits it gets every second place or more against any single other, whatever that other has
/// queued. When the queue is full, the newest of the organisation with the most waiting is sent away: one that floods
/// sheds its own.
///
/// Safe from any thread. A caller's executor must run one thing at a time, as an event loop's or a strand does.
class Slots {
 private:
  class Core;

 public:
  /// A place to run in, given back with the value.
  class [[nodiscard]] Slot {
   public:
    Slot(Slot&& other) noexcept : core_(std::move(other.core_)), tenant_(other.tenant_) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(core_, other.core_);
      std::swap(tenant_, other.tenant_);
      return *this;
    }
    ~Slot();

   private:
    friend class Core;
    Slot(std::shared_ptr<Core> core, TenantId tenant) : core_(std::move(core)), tenant_(tenant) {}
    std::shared_ptr<Core> core_;
    TenantId tenant_;
  };

  explicit Slots(SlotLimits limits);

  /// Waits for a place. `unavailable`, about "chats_at_once" and with when to try again, if the queue is full or the
  /// wait too long; `cancelled` if the caller was cancelled: it has left the queue then, and holds no place.
  Async<Slot> enter(TenantId tenant);

  struct Counts {
    std::size_t running = 0;
    std::size_t waiting = 0;
    std::uint64_t shed = 0;  ///< sent away since the start
  };
  Counts counts() const;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace parley::admission
