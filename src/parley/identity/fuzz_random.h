#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "parley/crypto/random.h"

namespace parley::identity {

/// Randomness made of a fuzzer's bytes, so that it chooses what keys and tokens are made of.
class FuzzRandom final : public crypto::Random {
 public:
  explicit FuzzRandom(std::string_view bytes) : bytes_(bytes) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) {
      byte = at_ < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at_]) : static_cast<std::uint8_t>(at_);
      ++at_;
    }
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace parley::identity
