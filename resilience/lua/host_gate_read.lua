-- After clock.lua and host_gate_shared.lua, which document the hash and ARGV 1.
-- KEYS  1 gate hash
-- Returns {requests of this UTC day, ms until a hold ends}
return {used, math.max(0, hold - now)}
