-- Hold the breaker open or closed on an operator's word, or give it back to itself, closed and at zero.
--
-- KEYS  1 breaker hash
-- ARGV  1 now_ms ("" = the server's clock), 2 "open", "closed" or "" (automatic again), 3 by whom
-- Returns {state before, state after}
-- Hash  state, failures, successes, generation, since_ms, forced, forced_by. TTL: none.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local before = redis.call('HGET', KEYS[1], 'state') or 'closed'
local after = ARGV[2] == 'open' and 'open' or 'closed'
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'state', after, 'failures', 0, 'successes', 0, 'since_ms', now)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'forced', 'forced_by')
else
  redis.call('HSET', KEYS[1], 'forced', ARGV[2], 'forced_by', ARGV[3])
end
return {before, after}
