-- Give back each claim that is the owner's; the others stay.
--
-- KEYS  the claims, each a string that holds its owner (at most 500 a call)
-- ARGV  1 owner
-- Returns how many were given back
local released = 0
for i, holder in ipairs(redis.call('MGET', unpack(KEYS))) do
  if holder == ARGV[1] then
    released = released + redis.call('DEL', KEYS[i])
  end
end
return released
