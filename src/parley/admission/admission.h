#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include <boost/asio/ip/address.hpp>

#include "parley/admission/forwarded.h"
#include "parley/admission/keyed_hash.h"
#include "parley/admission/limits.h"
#include "parley/base/error.h"
#include "parley/base/literal.h"
#include "parley/base/time.h"
#include "parley/evidence/proofs.h"
#include "parley/kv/memory_store.h"
#include "parley/net/async.h"

namespace parley::admission {

/// A refusal by a limit. The name is a literal, so the answer can carry it without naming anything else.
struct Refused {
  Literal limit;
  std::chrono::seconds retry_after;

  /// `rate_limited`, naming the limit and when to come back.
  Error error() const {
    return Error(Code::rate_limited, "this limit is used up for now").about(limit).retry_after(retry_after);
  }
};

/// What a request turned out to be about, once it was found and allowed.
struct Target {
  TenantId tenant;
  ProjectId project;
  std::optional<ChatId> chat;
};

/// Decides whether a request may go on. Safe from any thread.
///
/// The node's own counts are always kept. With shared ones, a request that the node's own allow is asked of the shared
/// ones too; while those cannot be reached, the node's own decide alone. So a flood on one node never costs a trip to
/// the shared store, and losing that store opens no gap: each node goes on from what it has seen itself.
class Admission {
 public:
  /// `shared` may be null: this node counts alone. Clock and store must outlive this object.
  Admission(Limits limits, const Clock& clock, HashKey hash_key, kv::Store* shared = nullptr, Proxies proxies = {});

  /// Whose headers say where a request comes from; see `client_of`.
  const Proxies& proxies() const { return proxies_; }

  /// Before anything is parsed. IPv6 clients count by /64, since one customer has at least that many addresses. Counted
  /// by this node alone, and not awaited: this is what a flood meets, at a rate that no shared store should see.
  std::expected<AddressAdmitted, Refused> admit_address(const boost::asio::ip::address& client);
  /// The same for a request that may have come through a trusted proxy: see `client_in`.
  template <class Headers>
  std::expected<AddressAdmitted, Refused> admit_address(const boost::asio::ip::address& peer, const Headers& headers) {
    return admit_address(client_in(peer, headers, proxies_));
  }

  /// Once the caller is known, before anything that costs. Takes one unit from every count that can be known by then
  /// (address, person, key, and the credential's project and organisation), or none at all.
  asio::awaitable<std::expected<Admitted, Refused>> admit(AddressAdmitted from, Authenticated caller, Work work);

  /// Once the target is found and allowed: the counts that `admit` could not know. The project and the organisation,
  /// for a caller whose credential names none; the chat, if there is one. The chat's count is this caller's alone:
  /// somebody who only knows its id must not be able to use up its owner's messages.
  asio::awaitable<std::optional<Refused>> admit_target(Work work, Principal who, Target target);

  /// Before a password, a code or a passkey is looked at. `account` is what was typed; letters' case does not matter.
  /// Empty where nobody is named yet: the address alone is counted.
  asio::awaitable<std::optional<Refused>> admit_log_in(AddressAdmitted from, std::string account);

 private:
  struct Nest;
  kv::Count count(const Limit& limit, std::string_view subject) const;
  asio::awaitable<std::optional<Refused>> take(Nest nest);

  Limits limits_;
  kv::MemoryStore own_;
  HashKey hash_key_;
  std::array<std::uint64_t, limits_count> names_{};  ///< of the lines, hashed
  kv::Store* shared_;
  std::atomic<bool> alone_ = false;  ///< the shared store did not answer last time
  Proxies proxies_;
};

}  // namespace parley::admission
