#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "parley/base/time.h"
#include "parley/crypto/jws.h"
#include "parley/net/async.h"
#include "parley/net/fetch.h"

namespace parley::identity {

/// Key sets of others, by their address, remembered. Tokens name the key they were signed with, so a set is asked for
/// again when it lacks that name; not more often than once a minute, since anybody can invent names. Safe from any
/// thread.
class TokenKeys {
 public:
  /// Both must outlive this object.
  TokenKeys(net::Web& web, const Clock& clock) : web_(web), clock_(clock) {}

  /// The token, if a key published at this address signed it. `unauthenticated` if none did; else why the keys could
  /// not be had: as `Web::fetch`, or `unavailable` if what is there is no key set.
  Async<crypto::VerifiedJws> verify(std::string jwks_url, crypto::PresentedJws token);

 private:
  // A key that its owner has withdrawn goes on working so long.
  static constexpr std::chrono::microseconds age_max = std::chrono::hours(1);
  static constexpr std::chrono::microseconds refresh_after = std::chrono::minutes(1);
  // Full: emptied, since what is in use comes back with one request each.
  static constexpr std::size_t sets_max = 1'000;

  struct Entry {
    std::shared_ptr<const crypto::JwsKeys> keys;
    Timestamp read_at;
  };
  Async<std::shared_ptr<const crypto::JwsKeys>> read(std::string jwks_url);

  net::Web& web_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> sets_;
};

}  // namespace parley::identity
