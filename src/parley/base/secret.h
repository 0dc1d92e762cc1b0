#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace parley {

/// A password, key or token in memory. Cannot be printed, logged, serialised or compared with `==` (comparison belongs
/// to `crypto::equal_constant_time`), and is overwritten when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : value_(std::exchange(other.value_, {})) {}
  Secret& operator=(Secret other) noexcept {
    value_.swap(other.value_);
    return *this;
  }
  ~Secret() {
    // To the capacity, since a moved-from short string keeps its bytes in place with a size of nought; volatile, since
    // the compiler may otherwise drop stores to memory that is about to be freed.
    value_.resize(value_.capacity());
    volatile char* bytes = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i) bytes[i] = 0;
  }

  bool empty() const { return value_.empty(); }
  /// The bare bytes, for the one call that needs them.
  std::string_view reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace parley
