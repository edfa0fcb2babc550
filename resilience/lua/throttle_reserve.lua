-- Reserve n consecutive slots of the fleet's request rate (GCRA), unless the first is too far away.
--
-- After throttle_shared.lua, which names the fields of the hash and ARGV 1.
-- KEYS  1 throttle hash
-- ARGV  2 n, 3 interval_us between slots, 4 burst_us that a slot may come early,
--       5 patience_us: how far away the first slot may be
-- Returns microseconds until the first slot, slot i follows i intervals later; more than patience_us when
--       nothing was reserved
local n, interval, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local start = math.max(now, hold, due - burst)
if start - now <= tonumber(ARGV[5]) then
  keep(math.max(now, hold, due) + n * interval, hold)
end
return start - now
