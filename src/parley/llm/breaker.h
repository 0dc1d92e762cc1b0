#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "parley/base/time.h"
#include "parley/llm/model.h"

namespace parley::llm {

/// Keeps callers away from an upstream that fails: so many failures one after another open it, for a while nobody asks,
/// then one call at a time tries. Each time that one fails the while doubles. Safe from any thread.
class Breaker {
 public:
  /// One failure is a hiccup, and five in a row are not.
  static constexpr int failures_to_open = 5;
  static constexpr std::chrono::seconds open_min{5};
  static constexpr std::chrono::seconds open_max{60};

  /// `clock` must outlive this object.
  explicit Breaker(const Clock& clock) : clock_(clock) {}

  /// Leave to make one call. Without a word on how it went it counts as neither.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& other) noexcept : breaker_(std::exchange(other.breaker_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass();
    void went_well();
    void failed();

   private:
    friend class Breaker;
    explicit Pass(Breaker* breaker) : breaker_(breaker) {}
    Breaker* breaker_;
  };
  /// None while it is open.
  std::optional<Pass> ask();

 private:
  enum class State : std::uint8_t { closed, open, trying };

  const Clock& clock_;
  std::mutex mutex_;
  State state_ = State::closed;
  bool try_under_way_ = false;
  int failures_ = 0;
  std::chrono::seconds open_for_ = open_min;
  Timestamp opened_at_;
};

/// Whether a failure says something about the upstream, and not about the request or the caller.
bool is_upstreams_fault(Failure failure);

}  // namespace parley::llm
