#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"

namespace parley::trail {

/// A program instance that writes a chain of its own.
using NodeId = Id<struct NodeTag>;

enum class Kind : std::uint8_t {
  write,           ///< something was changed
  tool_intention,  ///< a tool is about to run
  refusal,         ///< an authenticated caller was told no
  read,            ///< something was looked at; batched
  operation,       ///< the program or its operator did something: start, backup, restore
  gap,             ///< reads up to this time may be missing: the program ended without writing them
  epoch,           ///< the chain goes on after a restore; `reference` names the head that was lost
};
std::string_view name(Kind kind);

enum class Decision : std::uint8_t { allowed, refused };
std::string_view name(Decision decision);

/// Who did it. Only ids of ours and numbers: no name, address or text a client chose.
class Actor {
 public:
  static Actor api_key(KeyId id) { return {"api_key", id.to_string()}; }
  static Actor account(AccountId id) { return {"account", id.to_string()}; }
  static Actor visitor(Uuid id) { return {"visitor", id.to_string()}; }
  /// Somebody at this machine's command line, by user number.
  static Actor local_user(std::uint32_t uid) { return {"local_user", std::to_string(uid)}; }
  /// Parley itself, e.g. a sweep.
  static Actor program() { return {"program", {}}; }

  std::string_view kind() const { return kind_; }
  const std::string& id() const { return id_; }

 private:
  Actor(Literal kind, std::string id) : kind_(kind), id_(std::move(id)) {}
  Literal kind_;
  std::string id_;
};

/// What it was done to: a kind of thing and, if there is one, its id.
class Object {
 public:
  explicit Object(Literal kind) : kind_(kind) {}
  template <class Tag>
  Object(Literal kind, const Id<Tag>& id) : kind_(kind), id_(id.to_string()) {}

  std::string_view kind() const { return kind_; }
  const std::string& id() const { return id_; }

 private:
  Literal kind_;
  std::string id_;
};

/// One thing that happened. There is no member that message text, a title, an address or a key could get into: words
/// are literals of the program, the rest is ids and numbers.
struct Entry {
  Kind kind;
  Actor actor;
  Literal action;  ///< the action's name, e.g. "key_revoke"
  Object object;
  Decision decision = Decision::allowed;
  Literal rule;               ///< which rule decided, e.g. "scope_missing"
  RequestId request;          ///< nil if there was none
  std::int64_t quantity = 0;  ///< a number that belongs to the deed: rows, bytes; for a gap, microseconds of its start
  std::optional<crypto::Digest> reference = {};  ///< digest of something that is kept elsewhere, e.g. of a report
};

/// A record as it stands in the table. Text fields are the bytes that are stored, not what they mean, so that any
/// change to them changes the hash.
struct StoredRecord {
  std::string node;
  std::int64_t seq = 0;  ///< 1, 2, 3, … in each chain
  std::int64_t epoch = 1;
  std::int64_t at = 0;
  std::string kind;
  std::string actor_kind;
  std::string actor_id;
  std::string action;
  std::string object_kind;
  std::string object_id;
  std::string decision;
  std::string rule;
  std::string request_id;
  std::int64_t quantity = 0;
  std::string reference;  ///< hexadecimal digest, or empty
  std::string prev;       ///< hash of the record before; 32 zero bytes for the first
  std::string hash;       ///< 32 bytes
};

/// The bytes a record's hash covers besides the hash before it: "parley trail 1\n", then the fields in the order of
/// `StoredRecord` without `prev` and `hash`; a text is its length (4 bytes, big-endian) and its bytes, a number 8 bytes
/// big-endian. Two different records never have the same bytes. Documented in README.md for other programs.
std::string canonical(const StoredRecord& record);

/// SHA-256 over the hash before and the canonical bytes.
crypto::Digest link(const crypto::Digest& prev, const StoredRecord& record);

/// The end of a chain.
struct Head {
  std::string node;
  std::int64_t seq = 0;
  std::int64_t epoch = 1;
  crypto::Digest hash;
};

}  // namespace parley::trail
