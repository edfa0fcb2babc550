-- Shared by the operations of a host gate: it is prepended to each of them, after clock.lua.
--
-- KEYS  1 gate hash
-- ARGV  1 now_ms (see clock.lua)
-- Hash  started_ms: when the last request began; next_ms: no request before; hold_ms: as next_ms, by a hold;
--       token, flight_ms: the request in progress, and when it counts as lost; day, used: the number of the UTC day,
--       and its requests; at_ms: when the hash was last written
-- TTL   25 hours after the last write: longer than a day's count and every hold matter
-- Defines started, due, hold, flight, day, used, and store(fields...). If now is before at_ms, the clock was set back
--       since: the stored times move back by as much, so that no request waits longer than without the change.
local DAY_MS, TTL_MS = 86400000, 90000000
local hash = redis.call('HMGET', KEYS[1], 'started_ms', 'next_ms', 'hold_ms', 'flight_ms', 'day', 'used', 'at_ms')
local function number(i)
  return tonumber(hash[i] or 0)
end
local late = math.max(0, number(7) - now)
local started, due, hold, flight = number(1) - late, number(2) - late, number(3) - late, number(4) - late
local day = math.floor(now / DAY_MS)
local used = number(5) == day and number(6) or 0

local function store(...)
  redis.call('HSET', KEYS[1], 'started_ms', started, 'next_ms', due, 'hold_ms', hold, 'flight_ms', flight,
    'day', day, 'used', used, 'at_ms', now, ...)
  redis.call('PEXPIRE', KEYS[1], TTL_MS)
end
