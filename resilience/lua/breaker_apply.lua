-- Set the state on behalf of a person or the program, and record who did it.
--
-- After breaker_shared.lua, which documents the fields of the hash and ARGV 1.
-- KEYS  1 breaker hash, 2 probes,
--       3 history (list of the last 100, newest first: JSON of at_ms, by, action, before)
-- ARGV  2 action: "force_open", "force_closed", "reset", "open" or "half_open", 3 by whom
-- Returns {state before, state after}
-- TTL   none, on any key
-- A forced state lasts until the next action. "open" and "half_open" keep the count of failures.
local action, by = ARGV[2], ARGV[3]
local targets = {force_open = 'open', force_closed = 'closed', reset = 'closed'}
local after = targets[action] or action
if targets[action] then
  failures = 0
end
move(after)
redis.call('DEL', KEYS[2])
if action == 'force_open' or action == 'force_closed' then
  redis.call('HSET', KEYS[1], 'forced', after, 'forced_by', by)
else
  redis.call('HDEL', KEYS[1], 'forced', 'forced_by')
end
redis.call('LPUSH', KEYS[3], cjson.encode({at_ms = now, by = by, action = action, before = before}))
redis.call('LTRIM', KEYS[3], 0, 99)
return {before, after}
