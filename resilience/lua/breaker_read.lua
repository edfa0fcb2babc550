-- Read the breaker at one moment; changes nothing.
--
-- KEYS  1 breaker hash
-- ARGV  1 now_ms ("" = the server's clock), 2 recovery_ms
-- Returns {state, failures, successes, since_ms or "", forced or "", forced_by or "", retry_after_ms}
-- Hash  state, failures, successes, generation, since_ms, forced, forced_by. TTL: none.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local recovery = tonumber(ARGV[2])
local hash = redis.call('HMGET', KEYS[1], 'state', 'failures', 'successes', 'since_ms', 'forced', 'forced_by')
local state, since, forced = hash[1] or 'closed', hash[4] or '', hash[5] or ''
local retry_after = 0
if forced == 'open' then
  retry_after = recovery
elseif state == 'open' then
  retry_after = math.max(0, since + recovery - now)
end
return {state, tonumber(hash[2] or 0), tonumber(hash[3] or 0), since, forced, hash[6] or '', retry_after}
