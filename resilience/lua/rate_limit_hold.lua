-- Grant no slot before now + hold_ms; a hold only ever gets longer.
--
-- After rate_limit_shared.lua, which documents the fields of the hash and ARGV 1.
-- KEYS  1 rate limiter hash
-- ARGV  2 hold_ms
-- Returns the microseconds until the next slot can be granted
hold = math.max(hold, now + tonumber(ARGV[2]) * 1000)
store(due, hold)
return hold - now
