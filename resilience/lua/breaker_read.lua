-- Read the breaker; changes nothing.
--
-- After breaker_shared.lua, which documents the fields of the hash and ARGV 1.
-- KEYS  1 breaker hash
-- ARGV  2 recovery_ms
-- Returns {state, failures, successes, since_ms or "", forced or "", forced_by or "", retry_after_ms,
--          error or "", error_ms or ""}
local recovery, retry_after = tonumber(ARGV[2]), 0
if forced == 'open' then
  retry_after = recovery
elseif before == 'open' then
  retry_after = math.max(0, since + recovery - now)
end
local last = redis.call('HMGET', KEYS[1], 'error', 'error_ms')
return {before, failures, successes, hash[5] and since or '', forced, forced_by, retry_after, last[1] or '', last[2] or ''}
