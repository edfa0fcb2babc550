-- Reserve n consecutive slots of the fleet's request rate (GCRA), unless the first is too far away.
--
-- After rate_limit_shared.lua, which documents the fields of the hash and ARGV 1.
-- KEYS  1 rate limiter hash
-- ARGV  2 n, 3 interval_us between slots, 4 burst_us that a slot may be early,
--       5 patience_us: how far away the first slot may be
-- Returns the microseconds until the first slot; slot i is i intervals later. More than patience_us if nothing was
--       reserved
local n, interval, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local start = math.max(now, hold, due - burst)
if start - now <= tonumber(ARGV[5]) then
  store(math.max(now, hold, due) + n * interval, hold)
end
return start - now
