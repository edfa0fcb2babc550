-- Count one attempt against every counter, or against none where one of them has had its fill.
--
-- KEYS  counters
-- ARGV  1 window_ms, 2… the limit of each counter
-- Returns the milliseconds until the full counter begins anew, 0 when the attempt may be made
-- TTL   window_ms from the first attempt
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) >= tonumber(ARGV[i + 1]) then
    local left = redis.call('PTTL', key)
    if left > tonumber(ARGV[1]) then  -- its window began before the clock was set back
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
