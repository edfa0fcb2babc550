-- Note why a request failed last; changes no state.
--
-- After breaker_shared.lua, which names the fields of the hash and ARGV 1.
-- KEYS  1 breaker hash
-- ARGV  2 the error, one line
-- Hash  error, error_ms: they outlast every transition
redis.call('HSET', KEYS[1], 'error', ARGV[2], 'error_ms', now)
