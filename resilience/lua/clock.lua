-- The time; prepended to the scripts that need it.
--
-- ARGV  1 now_ms ("" = the server's clock)
-- Defines now, in ms since the epoch
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
