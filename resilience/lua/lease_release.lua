-- Release the lease if it is still held with this token and fence.
--
-- After clock.lua and lease_shared.lua, which document the lease hash and ARGV 1.
-- KEYS  1 lease hash
-- ARGV  2 token, 3 fence
-- Returns 1 if released, else 0: it expired, or another holds it
if token ~= ARGV[2] or fence ~= tonumber(ARGV[3]) then
  return 0
end
return redis.call('DEL', KEYS[1])
