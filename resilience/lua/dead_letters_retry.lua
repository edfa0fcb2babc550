-- Move those that are still dead to the end of their queue, each under a new id.
--
-- KEYS  1 dead (sorted set: id -> died at in ms), 2 dead bodies (hash: id -> message),
--       3 queue (list of ids), 4 bodies (hash: id -> message)
-- ARGV  three per letter: its id, its new id, its new body
-- Returns how many were moved; another retry or purge may have removed some
-- TTL   none
local moved = 0
for i = 1, #ARGV, 3 do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('HSET', KEYS[4], ARGV[i + 1], ARGV[i + 2])
    redis.call('RPUSH', KEYS[3], ARGV[i + 1])
    moved = moved + 1
  end
end
return moved
