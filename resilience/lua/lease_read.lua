-- Read who holds the lease; changes nothing.
--
-- KEYS  1 lease hash
-- ARGV  1 now_ms ("" = the server's clock), 2 ttl_ms
-- Returns {token, fence, since_ms, expires_in_ms, holder, held_ms}, or {} when nobody holds it
-- Hash  token, fence, since_ms, expires_ms, holder.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease = redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'expires_ms', 'holder')
if not lease[1] or now >= tonumber(lease[4]) then
  return {}
end
local since = math.min(tonumber(lease[3]), now)
local left = math.min(lease[4] - now, tonumber(ARGV[2]))
return {lease[1], tonumber(lease[2]), since, left, lease[5], now - since}
