-- Let nobody have a slot before now + hold_ms; the moment only ever moves later.
--
-- KEYS  1 throttle hash
-- ARGV  1 now_ms ("" = the server's clock), 2 hold_ms
-- Returns microseconds for which slots are held back now
-- Hash  next_us: when the slot after the last reserved one is due; hold_us: no slot before.
-- TTL   until neither field matters
local now = tonumber(ARGV[1])
if now then
  now = now * 1000
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local hash = redis.call('HMGET', KEYS[1], 'next_us', 'hold_us')
local due, hold = tonumber(hash[1] or 0), tonumber(hash[2] or 0)
hold = math.max(hold, now + tonumber(ARGV[2]) * 1000)
redis.call('HSET', KEYS[1], 'hold_us', string.format('%.0f', hold))
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(hold, due) - now) / 1000) + 1000)
return hold - now
