-- Acquire the lease if it is free, or again if the same token holds it; each time under a higher fence.
--
-- After clock.lua and lease_shared.lua, which document the lease hash and ARGV 1.
-- KEYS  1 lease hash, 2 fence hash
-- ARGV  2 token, 3 ttl_ms, 4 holder (JSON), 5 floor: the fence is higher than this
-- Returns {fence}, or {0, token, fence, since_ms, expires_in_ms, holder, held_ms} of the current holder
-- Hash  fence: fence (never decreases), released_by, released_ms; no TTL
local ttl = tonumber(ARGV[3])
if token and token ~= ARGV[2] then
  if expires > now + ttl then  -- acquired before the clock was set back: it expires after one TTL
    redis.call('HSET', KEYS[1], 'expires_ms', now + ttl, 'since_ms', since)
    redis.call('PEXPIRE', KEYS[1], ttl)
  end
  return {0, unpack(described(ttl))}
end
-- At least the time and above the floor, so that it increases even if the server lost the last one and its
-- clock was set back.
local next_fence = math.max(tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) + 1, now, tonumber(ARGV[5]) + 1)
redis.call('HSET', KEYS[2], 'fence', next_fence)
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'fence', next_fence, 'since_ms', now,
  'expires_ms', now + ttl, 'holder', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ttl)
return {next_fence}
