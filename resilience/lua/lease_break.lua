-- Take the lease away from whoever holds it, on an operator's word, and write down who said so.
--
-- KEYS  1 lease hash, 2 fence hash
-- ARGV  1 now_ms ("" = the server's clock), 2 by whom, 3 ttl_ms
-- Returns {token, fence, since_ms, expires_in_ms, holder, held_ms} of the former holder, or {} when nobody held it
-- Hash  lease: token, fence, since_ms, expires_ms, holder.
--       fence: fence (never goes down), released_by, released_ms; no TTL.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease = redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'expires_ms', 'holder')
if not lease[1] or now >= tonumber(lease[4]) then
  return {}
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'released_by', ARGV[2], 'released_ms', now)
local since = math.min(tonumber(lease[3]), now)
local left = math.min(lease[4] - now, tonumber(ARGV[3]))
return {lease[1], tonumber(lease[2]), since, left, lease[5], now - since}
