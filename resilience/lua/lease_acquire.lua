-- Take the lease when nobody holds it, or take it over from oneself; each time under a higher fence.
--
-- KEYS  1 lease hash, 2 fence hash
-- ARGV  1 now_ms ("" = the server's clock), 2 token, 3 ttl_ms, 4 holder (JSON),
--       5 floor: the fence is higher than this
-- Returns {fence}, or {0, token, fence, since_ms, expires_in_ms, holder, held_ms} of the one who holds it
-- Hash  lease: token, fence, since_ms, expires_ms, holder; TTL ttl_ms.
--       fence: fence (never goes down), released_by, released_ms; no TTL.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease = redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'expires_ms', 'holder')
local token, expires, ttl = lease[1], tonumber(lease[4] or 0), tonumber(ARGV[3])
if token and token ~= ARGV[2] and now < expires then
  local since = math.min(tonumber(lease[3]), now)
  if expires > now + ttl then  -- it was taken before the clock was set back: now it runs out as it should
    expires = now + ttl
    redis.call('HSET', KEYS[1], 'expires_ms', expires, 'since_ms', since)
    redis.call('PEXPIRE', KEYS[1], ttl)
  end
  return {0, token, tonumber(lease[2]), since, expires - now, lease[5], now - since}
end
-- At least the time, and above the floor: so it rises when the server has lost the last one, and when the
-- clock was set back besides.
local fence = math.max(tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) + 1, now, tonumber(ARGV[5]) + 1)
redis.call('HSET', KEYS[2], 'fence', fence)
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'fence', fence, 'since_ms', now,
  'expires_ms', now + ttl, 'holder', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ttl)
return {fence}
