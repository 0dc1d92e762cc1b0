#include "parley/llm/breaker.h"

#include <algorithm>

namespace parley::llm {

std::optional<Breaker::Pass> Breaker::ask() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::closed) return Pass(this);
  const auto now = clock_.now();
  // Also when the clock went back: nobody would be let through for as long.
  if (state_ == State::open && (now < opened_at_ || now - opened_at_ >= open_for_)) state_ = State::trying;
  if (state_ != State::trying || try_under_way_) return std::nullopt;
  try_under_way_ = true;
  return Pass(this);
}

Breaker::Pass::~Pass() {
  if (!breaker_) return;
  const std::lock_guard lock(breaker_->mutex_);
  breaker_->try_under_way_ = false;
}

void Breaker::Pass::went_well() {
  if (!breaker_) return;
  auto& breaker = *std::exchange(breaker_, nullptr);
  const std::lock_guard lock(breaker.mutex_);
  breaker.state_ = State::closed;
  breaker.try_under_way_ = false;
  breaker.failures_ = 0;
  breaker.open_for_ = open_min;
}

void Breaker::Pass::failed() {
  if (!breaker_) return;
  auto& breaker = *std::exchange(breaker_, nullptr);
  const std::lock_guard lock(breaker.mutex_);
  const bool was_trying = breaker.state_ == State::trying && breaker.try_under_way_;
  breaker.try_under_way_ = false;
  if (was_trying) breaker.open_for_ = std::min(breaker.open_for_ * 2, open_max);
  // Calls that began before it opened come back late, and open nothing a second time.
  else if (breaker.state_ != State::closed || ++breaker.failures_ < failures_to_open) return;
  breaker.state_ = State::open;
  breaker.opened_at_ = breaker.clock_.now();
}

bool is_upstreams_fault(Failure failure) {
  switch (failure) {
    case Failure::unreachable:
    case Failure::timed_out:
    case Failure::rate_limited:
    case Failure::overloaded:
    case Failure::provider_broken:
    case Failure::bad_answer:
    case Failure::interrupted:
    // Nothing a caller does changes these two either.
    case Failure::key_refused:
    case Failure::key_missing: return true;
    case Failure::address_refused:
    case Failure::request_refused:
    case Failure::too_long:
    case Failure::circuit_open:
    case Failure::listener_failed:
    case Failure::cancelled: return false;
  }
  std::unreachable();
}

}  // namespace parley::llm
