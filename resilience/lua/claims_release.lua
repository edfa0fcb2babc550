-- Release each claim that the owner holds; the others stay.
--
-- KEYS  the claims, each a string with its owner (at most 500 per call)
-- ARGV  1 owner
-- Returns how many were released
local released = 0
for i, holder in ipairs(redis.call('MGET', unpack(KEYS))) do
  if holder == ARGV[1] then
    released = released + redis.call('DEL', KEYS[i])
  end
end
return released
