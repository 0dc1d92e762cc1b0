#pragma once

#include <chrono>

#include "parley/base/time.h"

namespace parley::net {

/// The machine's wall clock.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return {std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count()};
  }
};

inline const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace parley::net
