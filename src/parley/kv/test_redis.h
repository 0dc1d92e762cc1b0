#pragma once

// What the tests of stores on Redis share.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>

#include <unistd.h>

#include <fmt/format.h>

#include "parley/kv/redis_store.h"

namespace parley::kv {

inline constexpr const char* no_redis =
    "PARLEY_TEST_REDIS names no server: export PARLEY_TEST_REDIS=\"$(scripts/lib/redis start)\"";

/// The scratch server of this run, if there is one.
inline std::optional<RedisAddress> test_redis() {
  const char* url = std::getenv("PARLEY_TEST_REDIS");
  if (!url || !*url) return std::nullopt;
  auto address = parse_redis_url(url);
  if (!address) return std::nullopt;
  return *std::move(address);
}

/// Unlike any other test's, so that all can share a server.
inline std::string fresh_prefix() {
  static std::atomic<int> number = 0;
  return fmt::format("test{}_{}", ::getpid(), ++number);
}

/// Everything a store of that prefix has stored seems older by so much: what a test has in place of waiting.
inline void age(const RedisAddress& address, const std::string& prefix, std::chrono::microseconds by) {
  auto link = *RedisLink::connect(address, std::chrono::seconds(5));
  const Command script{"EVAL", R"lua(
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':rate:*')) do
      redis.call('SET', key, string.format('%.0f', tonumber(redis.call('GET', key)) - tonumber(ARGV[2])), 'KEEPTTL')
    end
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':claims:*')) do
      for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        redis.call('ZINCRBY', key, '-' .. ARGV[2], member)
      end
    end
    return 0)lua",
                       "0", prefix, std::to_string(by.count())};
  (void)link->call(script);
}

}  // namespace parley::kv
