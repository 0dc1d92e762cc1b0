#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "parley/base/time.h"
#include "parley/crypto/jws.h"
#include "parley/net/async.h"
#include "parley/net/fetch.h"

namespace parley::identity {

/// Key sets of others, by their address, remembered for an hour and asked for again before that. Tokens name the key
/// they were signed with, so a set is also asked for when it lacks that name; not more often than once a minute, since
/// anybody can invent names, and one at a time. While an address does not answer, the keys it had hold until they are
/// an hour old. Safe from any thread.
class TokenKeys {
 public:
  /// Both must outlive this object.
  TokenKeys(net::Web& web, const Clock& clock) : web_(web), clock_(clock) {}

  /// The token, if a key published at this address signed it. `unauthenticated` if none did; `unavailable` if the keys
  /// cannot be had, or could not a moment ago.
  Async<crypto::VerifiedJws> verify(std::string jwks_url, crypto::PresentedJws token);

  // A key that its owner has withdrawn goes on working so long, if its owner cannot be asked.
  static constexpr std::chrono::microseconds age_max = std::chrono::hours(1);
  // Asked for again in use, so that an outage of minutes is nobody's.
  static constexpr std::chrono::microseconds refresh_after = std::chrono::minutes(30);
  static constexpr std::chrono::microseconds unknown_key_refresh_after = std::chrono::minutes(1);
  // An address that does not answer takes up to the time limit of a request each time.
  static constexpr std::chrono::microseconds retry_after = std::chrono::seconds(10);

 private:
  // Full: emptied, since what is in use comes back with one request each.
  static constexpr std::size_t sets_max = 1'000;

  using Keys = std::shared_ptr<const crypto::JwsKeys>;
  struct Entry {
    Keys keys;  ///< null until they were had once
    Timestamp read_at;
    std::optional<Timestamp> asked_at;
    bool asking = false;
  };
  /// What to do about a token of this address.
  enum class Step : std::uint8_t { use, ask, wait, give_up };
  struct Decided {
    Step step;
    Keys keys;  ///< those that hold still; may be null unless the step is `use`
  };
  class Asking;
  Decided decide(const std::string& jwks_url, const crypto::PresentedJws& token);
  Async<Keys> read(std::string jwks_url);

  net::Web& web_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> sets_;
};

}  // namespace parley::identity
