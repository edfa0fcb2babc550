-- Say that an instance is alive, with its facts; forgets those that have been silent for ttl_ms, and those
-- that beat before the clock was set back: who is alive beats again within a second.
--
-- KEYS  1 beats (sorted set: instance -> last beat in ms), 2 facts (hash: instance -> JSON)
-- ARGV  1 now_ms ("" = the server's clock), 2 instance, 3 facts (JSON), 4 ttl_ms
-- Returns 1
-- TTL   ttl_ms on both keys
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local function forget(from, to)
  for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], from, to)) do
    redis.call('ZREM', KEYS[1], silent)
    redis.call('HDEL', KEYS[2], silent)
  end
end
forget('-inf', now - tonumber(ARGV[4]))
forget(string.format('(%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
