-- Count one attempt in every counter, or in none if one of them has reached its limit.
--
-- KEYS  counters
-- ARGV  1 window_ms, 2 and following: the limit of each counter
-- Returns the milliseconds until that counter restarts, 0 if the attempt is permitted
-- TTL   window_ms from the first attempt
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) >= tonumber(ARGV[i + 1]) then
    local left = redis.call('PTTL', key)
    if left > tonumber(ARGV[1]) then  -- the window began before the clock was set back
      redis.call('PEXPIRE', key, ARGV[1])
      left = tonumber(ARGV[1])
    end
    return math.max(1, left)
  end
end
for _, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return 0
