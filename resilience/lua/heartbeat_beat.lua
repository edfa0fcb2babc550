-- Record a heartbeat of an instance with its facts. Instances without a heartbeat within ttl_ms are deleted,
-- and those whose heartbeat is in the future (clock set back): a live one sends another within a second.
--
-- After clock.lua, which documents ARGV 1.
-- KEYS  1 heartbeats (sorted set: instance -> last heartbeat in ms), 2 facts (hash: instance -> JSON)
-- ARGV  2 instance, 3 facts (JSON), 4 ttl_ms
-- Returns 1
-- TTL   ttl_ms on both keys
local function delete(from, to)
  for _, instance in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], from, to)) do
    redis.call('ZREM', KEYS[1], instance)
    redis.call('HDEL', KEYS[2], instance)
  end
end
delete('-inf', now - tonumber(ARGV[4]))
delete(string.format('(%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
