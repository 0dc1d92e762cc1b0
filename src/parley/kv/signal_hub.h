#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "parley/kv/store.h"

namespace parley::kv {

/// Who listens to what, in this process. Safe from any thread.
class SignalHub {
 public:
  std::uint64_t add(std::string topic, OnSignal on_signal);
  void remove(std::uint64_t number);

  void tell(std::string_view topic, std::string_view payload);
  void tell_missed();

 private:
  struct Listener {
    std::string topic;
    OnSignal on_signal;
  };
  template <class Wanted>
  void deliver(Wanted wanted, const Heard& heard);

  // Held while functions run, so that `remove` returns only when none runs any more; recursive, so that a function may
  // end its own subscription.
  std::recursive_mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Listener>> listeners_;
  std::uint64_t last_ = 0;
};

}  // namespace parley::kv
