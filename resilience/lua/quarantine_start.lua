-- Count that a message starts.
--
-- KEYS  1 starts (string: how often it started since it last ended)
-- ARGV  1 ttl_ms
-- Returns how often it has started, this time included
-- TTL   ttl_ms from its last start
local starts = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return starts
