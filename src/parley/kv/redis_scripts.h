#pragma once

#include <string_view>

namespace parley::kv {

// What runs inside Redis. Each script is atomic there, and takes its time from Redis, so that all nodes count by one
// clock whatever their own say. Numbers are written with %.0f: Lua's own spelling of 1.7e15 loses digits. Doubles hold
// whole numbers up to 2^53: microseconds until the year 2255, and nine thousand million units of money.

/// KEYS: counts. ARGV: step and burst of each. {0, 0}, or {which, wait} of the longest wait.
inline constexpr std::string_view take_script = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local which, wait, next = 0, 0, {}
for i = 1, #KEYS do
  local step, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full = tonumber(redis.call('GET', KEYS[i]) or '0')
  -- after a jump back of the clock; stored also when the request is refused, or its wait would begin anew each time
  if full > now + burst then
    full = now + burst
    redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.ceil(burst / 1000))
  end
  next[i] = (full > now and full or now) + step
  local w = next[i] - now - burst
  if w > wait then which, wait = i, w end
end
if which > 0 then return {which, wait} end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', next[i]), 'PX', math.ceil((next[i] - now) / 1000))
end
return {0, 0}
)lua";

/// KEYS: counts. ARGV: step of each.
inline constexpr std::string_view give_back_script = R"lua(
for i = 1, #KEYS do
  local full = redis.call('GET', KEYS[i])
  if full then redis.call('SET', KEYS[i], string.format('%.0f', tonumber(full) - tonumber(ARGV[i])), 'KEEPTTL') end
end
return 0
)lua";

/// KEYS: for each line the budget (a hash: s settled, r reserved) and its claims (a sorted set by expiry of
/// "id:amount"). ARGV: id, amount, lifetime, then limit and forget-at (ms) of each line. {0, 0} reserved, {1, which}
/// over, {2, which} unknown.
inline constexpr std::string_view reserve_script = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local lines, amount = #KEYS / 2, tonumber(ARGV[2])
for i = 1, lines do
  if redis.call('HEXISTS', KEYS[2 * i - 1], 's') == 0 then return {2, i} end
end
for i = 1, lines do
  local budget, claims = KEYS[2 * i - 1], KEYS[2 * i]
  local gone = redis.call('ZRANGEBYSCORE', claims, '-inf', string.format('%.0f', now), 'LIMIT', 0, 1000)
  for _, member in ipairs(gone) do
    redis.call('HINCRBY', budget, 'r', '-' .. string.match(member, ':(%d+)$'))
    redis.call('ZREM', claims, member)
  end
  local has = redis.call('HMGET', budget, 's', 'r')
  if amount > tonumber(ARGV[2 + 2 * i]) - tonumber(has[1]) - tonumber(has[2] or '0') then return {1, i} end
end
for i = 1, lines do
  local budget, claims = KEYS[2 * i - 1], KEYS[2 * i]
  redis.call('HINCRBY', budget, 'r', ARGV[2])
  redis.call('ZADD', claims, string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1] .. ':' .. ARGV[2])
  redis.call('PEXPIREAT', budget, ARGV[3 + 2 * i])
  redis.call('PEXPIREAT', claims, ARGV[3 + 2 * i])
end
return {0, 0}
)lua";

/// KEYS as above. ARGV: id, amount, cost. A claim that has expired, or that another settlement took, frees nothing.
inline constexpr std::string_view settle_script = R"lua(
for i = 1, #KEYS / 2 do
  local budget, claims = KEYS[2 * i - 1], KEYS[2 * i]
  if redis.call('HEXISTS', budget, 's') == 1 then
    if redis.call('ZREM', claims, ARGV[1] .. ':' .. ARGV[2]) == 1 then
      redis.call('HINCRBY', budget, 'r', '-' .. ARGV[2])
    end
    redis.call('HINCRBY', budget, 's', ARGV[3])
  end
end
return 0
)lua";

/// KEYS: budgets. ARGV: settled at least, forget-at (ms) of each.
inline constexpr std::string_view raise_script = R"lua(
for i = 1, #KEYS do
  local has = tonumber(redis.call('HGET', KEYS[i], 's') or '-1')
  if tonumber(ARGV[2 * i - 1]) > has then redis.call('HSET', KEYS[i], 's', ARGV[2 * i - 1]) end
  redis.call('PEXPIREAT', KEYS[i], ARGV[2 * i])
end
return 0
)lua";

}  // namespace parley::kv
