#include "parley/kv/signal_hub.h"

namespace parley::kv {

Subscription::~Subscription() {
  if (hub_) hub_->remove(number_);
}

std::uint64_t SignalHub::add(std::string topic, OnSignal on_signal) {
  const std::scoped_lock lock(mutex_);
  listeners_.emplace(++last_, std::make_shared<Listener>(std::move(topic), std::move(on_signal)));
  return last_;
}

void SignalHub::remove(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  listeners_.erase(number);
}

template <class Wanted>
void SignalHub::deliver(Wanted wanted, const Heard& heard) {
  const std::scoped_lock lock(mutex_);
  // By number and not by iterator: a function may add and remove listeners, itself too.
  for (std::uint64_t number = 0;;) {
    const auto it = listeners_.upper_bound(number);
    if (it == listeners_.end()) return;
    number = it->first;
    const auto listener = it->second;
    if (wanted(*listener)) listener->on_signal(heard);
  }
}

void SignalHub::tell(std::string_view topic, std::string_view payload) {
  deliver([&](const Listener& listener) { return listener.topic == topic; }, {Heard::Kind::message, payload});
}

void SignalHub::tell_missed() {
  deliver([](const Listener&) { return true; }, {Heard::Kind::missed, {}});
}

}  // namespace parley::kv
