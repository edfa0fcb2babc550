-- Read the instances with a heartbeat within ttl_ms, the oldest heartbeat first; changes nothing. A heartbeat
-- in the future (clock set back) does not count.
--
-- After clock.lua, which documents ARGV 1.
-- KEYS  1 heartbeats (sorted set: instance -> last heartbeat in ms), 2 facts (hash: instance -> JSON)
-- ARGV  2 ttl_ms
-- Returns a list of {instance, age in ms, facts (JSON), time of the heartbeat in ms}
local alive, oldest = {}, string.format('(%.0f', now - tonumber(ARGV[2]))
local beats = redis.call('ZRANGEBYSCORE', KEYS[1], oldest, now, 'WITHSCORES')
for i = 1, #beats, 2 do
  alive[#alive + 1] = {beats[i], now - beats[i + 1], redis.call('HGET', KEYS[2], beats[i]), tonumber(beats[i + 1])}
end
return alive
