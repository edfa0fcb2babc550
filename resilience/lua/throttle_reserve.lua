-- Reserve n consecutive slots of the fleet's request rate (GCRA), unless the first is too far away.
--
-- KEYS  1 throttle hash
-- ARGV  1 now_ms ("" = the server's clock), 2 n, 3 interval_us between slots, 4 burst_us that a slot may
--       come early, 5 patience_us: how far away the first slot may be
-- Returns microseconds until the first slot, slot i follows i intervals later; more than patience_us when
--       nothing was reserved and nothing written
-- Hash  next_us: when the slot after the last reserved one is due; hold_us: no slot before.
-- TTL   until neither field matters. Times are whole microseconds: exact, and no slot is rounded forward.
local now = tonumber(ARGV[1])
if now then
  now = now * 1000
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local n, interval, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local patience = tonumber(ARGV[5])
local hash = redis.call('HMGET', KEYS[1], 'next_us', 'hold_us')
local due, hold = tonumber(hash[1] or 0), tonumber(hash[2] or 0)

local start = math.max(now, hold, due - burst)
if start - now > patience then
  return start - now
end
local next_due = math.max(now, hold, due) + n * interval
redis.call('HSET', KEYS[1], 'next_us', string.format('%.0f', next_due))
redis.call('PEXPIRE', KEYS[1], math.ceil((next_due - now) / 1000) + 1000)
return start - now
