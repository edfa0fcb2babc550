-- Claim each key that is free or already the owner's, for ttl_ms from now.
--
-- KEYS  the claims, each a string that holds its owner (at most 500 a call)
-- ARGV  1 owner, 2 ttl_ms
-- Returns the positions, counted from 1, of the claims that are now the owner's
-- TTL   ttl_ms; a claim of another that has longer was taken before the clock was set back, and gets ttl_ms
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
