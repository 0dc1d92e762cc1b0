#include "parley/admission/slots.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace parley::admission {

namespace {

/// About how long an answer takes to be written: by then there are other places.
constexpr std::chrono::seconds try_again_after{5};

std::unexpected<Error> overloaded() {
  return fail(
      Error(Code::unavailable, "too many chats are running now").about("chats_at_once").retry_after(try_again_after));
}

struct Waiter {
  enum class State : std::uint8_t { waiting, granted, shed };

  Waiter(asio::any_io_executor executor, TenantId whose) : timer(std::move(executor)), tenant(whose) {}

  State state = State::waiting;  ///< under the core's mutex
  asio::steady_timer timer;      ///< touched on its own executor only
  TenantId tenant;
};

}  // namespace

class Slots::Core : public std::enable_shared_from_this<Slots::Core> {
 public:
  explicit Core(SlotLimits limits) : limits_(limits) {}

  Async<Slot> enter(TenantId tenant) {
    const auto self = shared_from_this();
    const auto executor = co_await asio::this_coro::executor;
    std::shared_ptr<Waiter> waiter;
    {
      const std::scoped_lock lock(mutex_);
      if (may_run(tenant)) {
        start(tenant);
        co_return Slot(self, tenant);
      }
      if (waiting_ >= limits_.waiting_max && !make_room_for(tenant)) co_return overloaded();
      waiter = std::make_shared<Waiter>(executor, tenant);
      Tenant& mine = tenants_[tenant];
      if (mine.queue.empty()) mine.waits_since = ++ticks_;
      mine.queue.push_back(waiter);
      ++waiting_;
    }
    waiter->timer.expires_after(limits_.wait_max);
    // A grant that came before this line was posted to this executor, so it cannot have been carried out yet.
    boost::system::error_code error;
    co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));

    const std::scoped_lock lock(mutex_);
    switch (waiter->state) {
      case Waiter::State::granted: co_return Slot(self, tenant);
      case Waiter::State::shed: co_return overloaded();
      case Waiter::State::waiting: break;
    }
    leave(waiter);
    if (!error) {
      ++shed_;
      co_return overloaded();
    }
    co_return fail(Code::cancelled, "the caller left");
  }

  void finish(TenantId tenant) {
    const std::scoped_lock lock(mutex_);
    --running_;
    const auto it = tenants_.find(tenant);
    --it->second.running;
    if (it->second.running == 0 && it->second.queue.empty()) tenants_.erase(it);
    while (grant_one()) {
    }
  }

  Counts counts() const {
    const std::scoped_lock lock(mutex_);
    return {running_, waiting_, shed_};
  }

 private:
  struct Tenant {
    std::size_t running = 0;
    std::list<std::shared_ptr<Waiter>> queue;
    std::uint64_t waits_since = 0;  ///< when its turn was last over, or its queue began
  };

  bool may_run(TenantId tenant) {
    if (running_ >= limits_.running_max) return false;
    const auto it = tenants_.find(tenant);
    if (it == tenants_.end()) return true;
    // Not past those of its own that wait already.
    return it->second.queue.empty() && it->second.running < limits_.running_per_organisation_max;
  }

  void start(TenantId tenant) {
    ++running_;
    ++tenants_[tenant].running;
  }

  /// Gives a free place away, if there is one and somebody for it.
  bool grant_one() {
    if (running_ >= limits_.running_max || waiting_ == 0) return false;
    Tenant* next = nullptr;
    for (auto& [id, tenant] : tenants_) {
      if (tenant.queue.empty() || tenant.running >= limits_.running_per_organisation_max) continue;
      if (!next || std::pair(tenant.running, tenant.waits_since) < std::pair(next->running, next->waits_since))
        next = &tenant;
    }
    if (!next) return false;
    const auto waiter = next->queue.front();
    next->queue.pop_front();
    next->waits_since = ++ticks_;
    ++next->running;
    ++running_;
    --waiting_;
    wake(waiter, Waiter::State::granted);
    return true;
  }

  /// Sends the newest of the organisation with the most waiting away; false if that is the newcomer itself.
  bool make_room_for(TenantId newcomer) {
    Tenant* largest = nullptr;
    for (auto& [id, tenant] : tenants_)
      if (!largest || tenant.queue.size() > largest->queue.size()) largest = &tenant;
    const auto mine = tenants_.find(newcomer);
    const std::size_t with_newcomer = 1 + (mine == tenants_.end() ? 0 : mine->second.queue.size());
    ++shed_;
    if (!largest || with_newcomer >= largest->queue.size()) return false;
    const auto waiter = largest->queue.back();
    largest->queue.pop_back();
    --waiting_;
    wake(waiter, Waiter::State::shed);
    return true;
  }

  static void wake(const std::shared_ptr<Waiter>& waiter, Waiter::State state) {
    waiter->state = state;
    asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
  }

  void leave(const std::shared_ptr<Waiter>& waiter) {
    const auto it = tenants_.find(waiter->tenant);
    std::erase(it->second.queue, waiter);
    --waiting_;
    if (it->second.running == 0 && it->second.queue.empty()) tenants_.erase(it);
  }

  const SlotLimits limits_;
  mutable std::mutex mutex_;
  // Those that run or wait now, so at most running_max + waiting_max of them.
  std::unordered_map<TenantId, Tenant> tenants_;
  std::size_t running_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t shed_ = 0;
  std::uint64_t ticks_ = 0;
};

Slots::Slot::~Slot() {
  if (core_) core_->finish(tenant_);
}

Slots::Slots(SlotLimits limits) : core_(std::make_shared<Core>(limits)) {}

Async<Slots::Slot> Slots::enter(TenantId tenant) { return core_->enter(tenant); }

Slots::Counts Slots::counts() const { return core_->counts(); }

}  // namespace parley::admission
