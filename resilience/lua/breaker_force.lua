-- Hold the breaker open or closed on an operator's word, or give it back to itself, closed and at zero;
-- writes down who said so.
--
-- After breaker_shared.lua, which names the fields of the hash and ARGV 1.
-- KEYS  1 breaker hash, 2 audit (list of the last 100, the newest first: JSON of at_ms, by, action, before)
-- ARGV  2 action: "force_open", "force_closed" or "reset" (automatic again), 3 by whom
-- Returns {state before, state after}
-- TTL   none, on either key
local action, by = ARGV[2], ARGV[3]
local after = action == 'force_open' and 'open' or 'closed'
failures, successes = 0, 0
move(after)
if action == 'reset' then
  redis.call('HDEL', KEYS[1], 'forced', 'forced_by')
else
  redis.call('HSET', KEYS[1], 'forced', after, 'forced_by', by)
end
redis.call('LPUSH', KEYS[2], cjson.encode({at_ms = now, by = by, action = action, before = before}))
redis.call('LTRIM', KEYS[2], 0, 99)
return {before, after}
