-- Count the outcomes of one permit, in order; trips, reopens or closes the breaker where they call for it.
--
-- KEYS  1 breaker hash, 2 probes (sorted set: probe -> end of its lease in ms)
-- ARGV  1 now_ms ("" = the server's clock), 2 generation of the permit, 3 token of the permit,
--       4 outcomes, a character each: "1" success, "0" failure, "-" excluded,
--       5 failure_threshold, 6 success_threshold
-- Returns {state before, state after}
-- Hash  state, failures, successes, generation, since_ms, forced, forced_by. TTL: none.
-- Outcomes of another generation change nothing, nor do those that follow a transition. A success counts
-- while its probe holds its lease; a failure always does.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local token, outcomes = ARGV[3], ARGV[4]
local failure_threshold, success_threshold = tonumber(ARGV[5]), tonumber(ARGV[6])

local hash = redis.call('HMGET', KEYS[1], 'state', 'failures', 'successes', 'generation', 'forced')
local before, forced = hash[1] or 'closed', hash[5]
local failures, successes = tonumber(hash[2] or 0), tonumber(hash[3] or 0)
if tonumber(hash[4] or 0) ~= tonumber(ARGV[2]) then
  return {before, before}
end

local function move(state)
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
  redis.call('HSET', KEYS[1], 'state', state, 'failures', failures, 'successes', successes, 'since_ms', now)
  return {before, state}
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for i = 1, #outcomes do
  local outcome = string.sub(outcomes, i, i)
  local held = before == 'half_open' and redis.call('ZREM', KEYS[2], token .. ':' .. (i - 1)) == 1
  if outcome == '0' then
    failures = failures + 1
    if before == 'half_open' then return move('open') end
    if before == 'closed' and not forced and failures >= failure_threshold then return move('open') end
  elseif outcome == '1' and before == 'closed' then
    failures = 0
  elseif outcome == '1' and held then
    successes = successes + 1
    if successes >= success_threshold then failures, successes = 0, 0; return move('closed') end
  end
end
redis.call('HSET', KEYS[1], 'failures', failures, 'successes', successes)
return {before, before}
