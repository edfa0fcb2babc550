-- Shared by the lease's operations, between clock.lua and each of them.
--
-- KEYS  1 lease hash
-- Hash  token, fence, since_ms, expires_ms, holder (JSON). TTL: ttl_ms.
-- Defines token, fence, since, expires and holder of a lease that has not expired; else token is nil. Times after now
-- were stored before the clock was set back.
-- Defines described(ttl): {token, fence, since_ms, expires_in_ms, holder, held_ms}
local token, fence, since, expires, holder = unpack(
  redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'expires_ms', 'holder'))
fence, since, expires = tonumber(fence or 0), math.min(tonumber(since or 0), now), tonumber(expires or 0)
if now >= expires then
  token = nil
end

local function described(ttl)
  return {token, fence, since, math.min(expires - now, tonumber(ttl)), holder, now - since}
end
