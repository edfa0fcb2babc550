-- Take the lease when nobody holds it, or take it over from oneself; each time under a higher fence.
--
-- KEYS  1 lease hash, 2 fence hash
-- ARGV  1 now_ms ("" = the server's clock), 2 token, 3 ttl_ms, 4 holder (JSON)
-- Returns {fence}, or {0, token, fence, since_ms, expires_in_ms, holder} of the one who holds it
-- Hash  lease: token, fence, since_ms, expires_ms, holder; TTL ttl_ms.
--       fence: fence (never goes down), released_by, released_ms; no TTL.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease = redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'expires_ms', 'holder')
local token, expires = lease[1], tonumber(lease[4] or 0)
if token and token ~= ARGV[2] and now < expires then
  return {0, token, tonumber(lease[2]), tonumber(lease[3]), expires - now, lease[5]}
end
-- At least the time: so it rises even when the server has lost the last one.
local fence = math.max(tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) + 1, now)
redis.call('HSET', KEYS[2], 'fence', fence)
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'fence', fence, 'since_ms', now,
  'expires_ms', now + tonumber(ARGV[3]), 'holder', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {fence}
