-- Claim each key that is free or already the owner's, for ttl_ms from now.
--
-- KEYS  the claims, each a string with its owner (at most 500 per call)
-- ARGV  1 owner, 2 ttl_ms
-- Returns the positions, counted from 1, of the claims that are now the owner's
-- TTL   ttl_ms; another owner's claim with a longer TTL was taken before the clock was set back, and gets ttl_ms
local taken = {}
for i, holder in ipairs(redis.call('MGET', unpack(KEYS))) do
  if not holder or holder == ARGV[1] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    taken[#taken + 1] = i
  elseif redis.call('PTTL', KEYS[i]) > tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
end
return taken
