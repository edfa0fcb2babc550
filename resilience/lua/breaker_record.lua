-- Count the outcomes of one permit, in order, and open or close the breaker accordingly.
--
-- After breaker_shared.lua and breaker_window.lua, which document the fields of the hash and ARGV 1 and 7 to 9.
-- KEYS  1 breaker hash, 2 probes (sorted set: probe -> end of its lease in ms)
-- ARGV  2 generation of the permit, 3 token of the permit,
--       4 outcomes, a character each: "1" success, "0" failure, "-" excluded,
--       5 failure_threshold, 6 success_threshold, 10 why a request failed, one line ("" = none did)
-- Returns {state before, state after}
-- Outcomes of another generation, and those after a transition, change nothing. A success counts while its
-- probe holds its lease; a failure always counts. The error is stored in any case, for display.
local token, outcomes = ARGV[3], ARGV[4]
local failure_threshold, success_threshold = tonumber(ARGV[5]), tonumber(ARGV[6])
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[1], 'error', ARGV[10], 'error_ms', now)
end
if generation ~= tonumber(ARGV[2]) then
  return {before, before}
end

local function is_tripped(outcome)
  if before == 'half_open' then return outcome == '0' end
  return before == 'closed' and forced == '' and (failures >= failure_threshold or exceeds_ratio())
end

local function count(outcome, held)
  if before == 'closed' then observe(outcome == '0') end
  if outcome == '0' then
    failures = failures + 1
  elseif before == 'closed' then
    failures = 0
  elseif held then
    successes = successes + 1
  end
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for i = 1, #outcomes do
  local outcome = string.sub(outcomes, i, i)
  local held = before == 'half_open' and redis.call('ZREM', KEYS[2], token .. ':' .. (i - 1)) == 1
  if outcome ~= '-' then
    count(outcome, held)
    if is_tripped(outcome) then
      move('open')
      return {before, 'open'}
    elseif outcome == '1' and held and successes >= success_threshold then
      failures = 0
      move('closed')
      redis.call('HSET', KEYS[1], 'ramp', '0:0')
      return {before, 'closed'}
    end
  end
end
redis.call('HSET', KEYS[1], 'failures', failures, 'successes', successes)
keep_window()
return {before, before}
