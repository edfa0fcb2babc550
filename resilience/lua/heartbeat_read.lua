-- Read which instances have beaten within ttl_ms, the longest silent first; changes nothing. A beat ahead of
-- now came before the clock was set back and says nothing.
--
-- KEYS  1 beats (sorted set: instance -> last beat in ms), 2 facts (hash: instance -> JSON)
-- ARGV  1 now_ms ("" = the server's clock), 2 ttl_ms
-- Returns a list of {instance, age in ms, facts (JSON), when it beat in ms}
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local alive = {}
local beats = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now - tonumber(ARGV[2])), now, 'WITHSCORES')
for i = 1, #beats, 2 do
  alive[#alive + 1] = {beats[i], now - beats[i + 1], redis.call('HGET', KEYS[2], beats[i]), tonumber(beats[i + 1])}
end
return alive
