-- Let nobody have a slot before now + hold_ms; the moment only ever moves later.
--
-- After throttle_shared.lua, which names the fields of the hash and ARGV 1.
-- KEYS  1 throttle hash
-- ARGV  2 hold_ms
-- Returns microseconds for which slots are held back now
hold = math.max(hold, now + tonumber(ARGV[2]) * 1000)
keep(due, hold)
return hold - now
