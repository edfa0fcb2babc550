-- Add an entry of counts to the fleet's, once: repeating an entry whose answer was lost changes nothing.
--
-- KEYS  1 counts (hash: name -> count), 2 last entry of this process (string: number)
-- ARGV  1 number of the entry, 2 ttl_ms, then alternately name and increment
-- Returns 1, or 0 if the entry was added before
-- TTL   ttl_ms on the last entry; the counts stay
if redis.call('GET', KEYS[2]) == ARGV[1] then
  return 0
end
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
