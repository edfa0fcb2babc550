-- Ask how many of n requests may go out now; turns an open breaker whose recovery is over half open.
--
-- KEYS  1 breaker hash, 2 probes (sorted set: probe -> end of its lease in ms)
-- ARGV  1 now_ms ("" = the server's clock), 2 n, 3 token, 4 recovery_ms, 5 success_threshold, 6 probe_ms
-- Returns {granted, retry_after_ms, generation, state before, state after, forced or ""}
-- Hash  state, failures, successes, generation, since_ms, forced, forced_by. TTL: none.
-- Probe i of this permit is the member "<token>:<i>", counted from 0; its lease frees the slot of a
-- prober that never reports.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local n, token = tonumber(ARGV[2]), ARGV[3]
local recovery, threshold, lease = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local hash = redis.call('HMGET', KEYS[1], 'state', 'successes', 'generation', 'since_ms', 'forced')
local before = hash[1] or 'closed'
local successes, generation = tonumber(hash[2] or 0), tonumber(hash[3] or 0)
local since, forced = tonumber(hash[4] or 0), hash[5] or ''

if before == 'closed' then
  return {n, 0, generation, before, before, forced}
end
if forced == 'open' then
  return {0, recovery, generation, before, before, forced}
end
if before == 'open' then
  if now < since + recovery then
    return {0, since + recovery - now, generation, before, before, forced}
  end
  successes, generation = 0, generation + 1
  redis.call('HSET', KEYS[1], 'state', 'half_open', 'successes', 0, 'generation', generation, 'since_ms', now)
  redis.call('DEL', KEYS[2])
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
-- A threshold lowered by a new release must not leave the breaker half open without a slot.
local free = threshold - math.min(successes, threshold - 1) - redis.call('ZCARD', KEYS[2])
local granted = math.max(0, math.min(n, free))
for i = 0, granted - 1 do
  redis.call('ZADD', KEYS[2], now + lease, token .. ':' .. i)
end
local retry_after = 0
if granted < n then
  retry_after = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] - now
end
return {granted, retry_after, generation, before, 'half_open', forced}
