-- Shared by the rate limiter's operations: it is prepended to each of them, in one chunk, so they see its locals.
--
-- KEYS  1 rate limiter hash
-- ARGV  1 now_ms ("" = the server's clock)
-- Hash  next_us: when the slot after the last reserved one is due; hold_us: no slot before;
--       at_us: when they were last written. Whole microseconds: exact, and no slot is rounded forward.
-- Defines now, due, hold, and store(due, hold). If now is before at_us, the clock was set back since: the stored
-- times move back by as much, so that no request waits longer than without the change.
local now = tonumber(ARGV[1])
if now then
  now = now * 1000
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local hash = redis.call('HMGET', KEYS[1], 'next_us', 'hold_us', 'at_us')
local due, hold, at = tonumber(hash[1] or 0), tonumber(hash[2] or 0), tonumber(hash[3] or 0)

-- The hash expires when neither field matters any more.
local function store(next_due, next_hold)
  redis.call('HSET', KEYS[1], 'next_us', string.format('%.0f', next_due),
    'hold_us', string.format('%.0f', next_hold), 'at_us', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(next_due, next_hold, now) - now) / 1000) + 1000)
end

if at > now then
  due, hold = math.max(0, due - (at - now)), math.max(0, hold - (at - now))
  store(due, hold)
end
