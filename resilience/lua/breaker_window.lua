-- The window of the failure ratio; between breaker_shared.lua and breaker_record.lua.
--
-- ARGV  7 failure_ratio ("" = off), 8 window_ms, 9 minimum_calls
-- Defines observe(has_failed), exceeds_ratio() and keep_window()
-- Outcomes are counted in buckets, each a tenth of the window long. A bucket counts while its start lies
-- within the window, so an outcome counts for at least nine tenths of the window and never longer than it.
local ratio, window_ms, minimum_calls = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local start = now - now % math.floor(window_ms / 10)
local older, running, is_observed = {}, {start, 0, 0}, false
local calls, failed = 0, 0
for bucket_start, bucket_calls, bucket_failures in string.gmatch(window, '(%d+):(%d+):(%d+)') do
  local bucket = {tonumber(bucket_start), tonumber(bucket_calls), tonumber(bucket_failures)}
  if bucket[1] == start then
    running = bucket
  elseif bucket[1] < start and bucket[1] > now - window_ms then
    older[#older + 1] = table.concat(bucket, ':')
  else
    bucket = {0, 0, 0}
  end
  calls, failed = calls + bucket[2], failed + bucket[3]
end

local function observe(has_failed)
  local one = has_failed and 1 or 0
  is_observed = true
  running[2], running[3] = running[2] + 1, running[3] + one
  calls, failed = calls + 1, failed + one
end

-- A quotient, as in the model: 7/100 is the double 0.07.
local function exceeds_ratio()
  return ratio and calls >= minimum_calls and failed / calls >= ratio
end

local function keep_window()
  if ratio and is_observed then
    older[#older + 1] = table.concat(running, ':')
    redis.call('HSET', KEYS[1], 'window', table.concat(older, ' '))
  end
end
