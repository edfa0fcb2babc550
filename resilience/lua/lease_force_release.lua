-- Release the lease for any holder, and record who did it.
--
-- After clock.lua and lease_shared.lua, which document the lease hash and ARGV 1.
-- KEYS  1 lease hash, 2 fence hash
-- ARGV  2 by whom, 3 ttl_ms
-- Returns {token, fence, since_ms, expires_in_ms, holder, held_ms} of the former holder, or {} without one
-- Hash  fence: fence (never decreases), released_by, released_ms; no TTL
if not token then
  return {}
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'released_by', ARGV[2], 'released_ms', now)
return described(ARGV[3])
