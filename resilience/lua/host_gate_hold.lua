-- Begin no request for hold_ms; a hold only ever gets longer.
--
-- After clock.lua and host_gate_shared.lua, which document the hash and ARGV 1.
-- KEYS  1 gate hash
-- ARGV  2 hold_ms
hold = math.max(hold, now + tonumber(ARGV[2]))
store()
