-- Count the start of a message.
--
-- KEYS  1 starts (string: how often it started since it last ended)
-- ARGV  1 ttl_ms
-- Returns how often it has started, including this time
-- TTL   ttl_ms from the last start
local starts = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return starts
