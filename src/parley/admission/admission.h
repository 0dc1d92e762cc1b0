#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "parley/admission/gcra.h"
#include "parley/base/error.h"
#include "parley/base/literal.h"
#include "parley/base/time.h"
#include "parley/evidence/proofs.h"

namespace parley::admission {

/// The limits of section `[limits]`. Each has a number by default, so none is off by being left out.
struct Limits {
  // A person reads an answer before asking again; 15 a minute is more than anyone types.
  Rate chat_per_visitor{15, std::chrono::minutes(1)};
  Rate chat_per_chat{15, std::chrono::minutes(1)};
  // An office behind one address: some dozen people at once.
  Rate chat_per_address{100, std::chrono::minutes(1)};
  // A server that speaks for many people.
  Rate chat_per_secret_key{600, std::chrono::minutes(1)};
  Rate chat_per_organisation{3'000, std::chrono::minutes(1)};
  // Anything at all, before a credential is even read: far above what pages and servers do, below what a flood does.
  Rate request_per_address{6'000, std::chrono::minutes(1)};
  // Minting visitors is what would reset a visitor's own limit.
  Rate visitor_per_address{60, std::chrono::minutes(1)};
};

/// A refusal by a limit. The name is a literal, so the answer can carry it without naming anything else.
struct Refused {
  Literal limit;
  std::chrono::seconds retry_after;

  /// `rate_limited`, naming the limit and when to come back.
  Error error() const {
    return Error(Code::rate_limited, "this limit is used up for now").about(limit).retry_after(retry_after);
  }
};

/// Decides whether a request may go on. In memory; each node counts for itself. Safe from any thread.
class Admission {
 public:
  Admission(Limits limits, const Clock& clock, std::uint64_t hash_key)
      : limits_(limits), clock_(&clock), hash_key_(hash_key) {}

  /// Before anything is parsed. IPv6 clients count by /64, since one customer has at least that many addresses.
  std::expected<AddressAdmitted, Refused> admit_address(const boost::asio::ip::address& client);

  /// Once the caller is known. Takes one unit from every count the request belongs to, or none at all.
  std::expected<Admitted, Refused> admit(const AddressAdmitted& from, const Authenticated& caller, Cost cost);

  /// Once the chat is known, on top of `admit`. Counts for this caller alone: whether the chat is theirs is decided
  /// later, and somebody who only knows its id must not be able to use up its owner's messages.
  std::optional<Refused> admit_chat(const ChatId& chat, const Principal& who);

 private:
  struct Count {
    Literal limit;
    Gcra::Key key;
    Rate rate;
  };
  std::optional<Refused> take_all(std::span<const Count> counts);
  Gcra::Key key(Literal limit, std::string_view subject) const;

  Limits limits_;
  const Clock* clock_;
  std::uint64_t hash_key_;  ///< random for each start, so that nobody can aim at another's count
  Gcra gcra_;
};

}  // namespace parley::admission
