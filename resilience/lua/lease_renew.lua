-- Restart the TTL of a lease that is still held with this token and fence.
--
-- After clock.lua and lease_shared.lua, which document the lease hash and ARGV 1.
-- KEYS  1 lease hash
-- ARGV  2 token, 3 fence, 4 ttl_ms
-- Returns 1 if renewed, else 0: it expired, or another holds it
if token ~= ARGV[2] or fence ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[1], 'expires_ms', now + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
