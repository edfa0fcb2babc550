-- Begin a request to the host, if none is in progress, held back, too soon or beyond the day's limit.
--
-- After clock.lua and host_gate_shared.lua, which document the hash and ARGV 1.
-- KEYS  1 gate hash
-- ARGV  2 token of the request, 3 gap_ms since the last request began, 4 next_ms: the gap before the next one,
--       5 flight_ms: how long it may take, 6 daily_limit
-- Returns {0}, or {wait_ms, reason} with the reason "progress", "hold", "day" or "pace". A request in progress may end
--       at any time: its wait is one gap at most.
local gap = tonumber(ARGV[3])
local paced = math.max(due, started + gap)
if flight > now then
  return {math.max(1, math.min(flight - now, gap)), 'progress'}
elseif hold > now then
  return {hold - now, 'hold'}
elseif used >= tonumber(ARGV[6]) then
  return {(day + 1) * DAY_MS - now, 'day'}
elseif paced > now then
  return {paced - now, 'pace'}
end
started, due, flight, used = now, now + tonumber(ARGV[4]), now + tonumber(ARGV[5]), used + 1
store('token', ARGV[2])
return {0}
