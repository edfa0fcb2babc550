-- Read the holder of the lease; changes nothing.
--
-- After clock.lua and lease_shared.lua, which document the lease hash and ARGV 1.
-- KEYS  1 lease hash
-- ARGV  2 ttl_ms
-- Returns {token, fence, since_ms, expires_in_ms, holder, held_ms}, or {} without a holder
return token and described(ARGV[2]) or {}
