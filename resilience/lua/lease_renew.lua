-- Let a lease that is still held, under this token and fence, run for its whole time again.
--
-- KEYS  1 lease hash
-- ARGV  1 now_ms ("" = the server's clock), 2 token, 3 fence, 4 ttl_ms
-- Returns 1 when renewed, else 0: it ran out, or is another's
-- Hash  token, fence, since_ms, expires_ms, holder. TTL: ttl_ms.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease = redis.call('HMGET', KEYS[1], 'token', 'fence', 'expires_ms')
if lease[1] ~= ARGV[2] or lease[2] ~= ARGV[3] or now >= tonumber(lease[3]) then
  return 0
end
redis.call('HSET', KEYS[1], 'expires_ms', now + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
