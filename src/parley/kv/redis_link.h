#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"

struct redisContext;

namespace parley::kv {

/// Where a Redis server is.
struct RedisAddress {
  std::string host;  ///< empty when it is a socket
  std::uint16_t port = 6379;
  std::string socket;  ///< path of a unix socket
  int database = 0;
  std::string user;
  Secret password;
};

/// "redis://host:6379", "redis://host:6379/2" or "unix:/run/redis/redis.sock". No user and no password in it: an
/// address stands in files and logs. `invalid_argument` otherwise.
Result<RedisAddress> parse_redis_url(std::string_view text);

/// What a server said.
struct Reply {
  enum class Kind : std::uint8_t { text, integer, list, nothing, refusal };
  Kind kind = Kind::nothing;
  std::int64_t integer = 0;
  std::string text;  ///< of a refusal: "NOSCRIPT …"
  std::vector<Reply> list;
};

using Command = std::vector<std::string>;

/// One connection, used by one thread. Waits for the network, but never longer than its timeout without a byte; after
/// an error it is of no more use.
class RedisLink {
 public:
  static Result<std::unique_ptr<RedisLink>> connect(const RedisAddress& address, std::chrono::milliseconds timeout);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  /// Sends all commands at once, then gives their replies in order.
  Result<std::vector<Reply>> call(std::span<const Command> commands);
  Result<Reply> call(const Command& command);

  /// Sends without waiting for a reply: for subscriptions, whose replies come from `next`.
  Result<void> send(const Command& command);
  /// Replies that have already arrived, after a read of what the socket holds; call it when `descriptor` is readable.
  Result<std::vector<Reply>> arrived();
  int descriptor() const;

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  explicit RedisLink(redisContext* context) : context_(context) {}
  Result<void> append(const Command& command);
  std::unexpected<Error> failure() const;

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace parley::kv
