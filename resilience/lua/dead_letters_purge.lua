-- Delete dead letters.
--
-- KEYS  1 dead (sorted set: id -> died at in ms), 2 dead bodies (hash: id -> message)
-- ARGV  their ids
-- Returns how many were deleted; another retry or purge may have removed some
local purged = 0
for _, id in ipairs(ARGV) do
  purged = purged + redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
return purged
