-- Grant up to n requests; an open breaker whose recovery is over becomes half open.
--
-- After breaker_shared.lua, which documents the fields of the hash and ARGV 1.
-- KEYS  1 breaker hash, 2 probes (sorted set: probe -> end of its lease in ms)
-- ARGV  2 n, 3 token, 4 recovery_ms, 5 success_threshold, 6 probe_ms, 7 ramp_ms (0 = off)
-- Returns {granted, retry_after_ms, generation, state before, state after, forced or ""}
-- Probe i of this permit is the member "<token>:<i>", counted from 0. The slot of a probe that never reports
-- becomes free when its lease ends.
local n, token = tonumber(ARGV[2]), ARGV[3]
local recovery, threshold, lease = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local ramp_ms = tonumber(ARGV[7])

if since < stamped then
  redis.call('HSET', KEYS[1], 'since_ms', since)
end

-- Step k of the ten steps of the ramp, counted from 0, grants threshold * 2^k; a refusal does not count.
local function permit_closed()
  local elapsed, step, spent = now - since, string.match(ramp, '(%d+):(%d+)')
  if not step or elapsed >= ramp_ms then
    return {n, 0, generation, before, before, forced}
  end
  local running = math.floor(elapsed * 10 / ramp_ms)
  spent = tonumber(step) == running and tonumber(spent) or 0
  local granted = math.max(0, math.min(n, threshold * 2 ^ running - spent))
  local retry_after = granted < n and math.ceil((running + 1) * ramp_ms / 10) - elapsed or 0
  redis.call('HSET', KEYS[1], 'ramp', running .. ':' .. (spent + granted))
  return {granted, retry_after, generation, before, before, forced}
end

if before == 'closed' then
  return permit_closed()
end
if forced == 'open' then
  return {0, recovery, generation, before, before, forced}
end
if before == 'open' then
  if now < since + recovery then
    return {0, since + recovery - now, generation, before, before, forced}
  end
  move('half_open')
  redis.call('DEL', KEYS[2])
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local longest = now + lease  -- a later end means that the clock was set back since
for _, probe in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], string.format('(%.0f', longest), '+inf')) do
  redis.call('ZADD', KEYS[2], longest, probe)
end
-- A threshold lowered by a new release must not leave the breaker half open without free slots.
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
