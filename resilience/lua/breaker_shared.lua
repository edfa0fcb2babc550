-- Shared by the breaker's operations: between clock.lua and each of them, in one chunk, so they see its locals.
--
-- KEYS  1 breaker hash
-- Hash  state, since_ms: the state and when it began; generation: counts transitions;
--       failures in a row, successes of probes; forced, forced_by: a forced state, and by whom;
--       error, error_ms: why a request failed last, kept through transitions;
--       window: "start_ms:calls:failures" for each bucket (breaker_window.lua);
--       ramp: "step:granted", only after half open -> closed (breaker_permit.lua). TTL: none.
-- Defines the fields of the hash, and move(state). A state that began after now was stored before the
-- clock was set back: it counts from now, so that it lasts no longer than it should.
local hash = redis.call('HMGET', KEYS[1], 'state', 'failures', 'successes', 'generation', 'since_ms',
  'forced', 'forced_by', 'window', 'ramp')
local before, generation = hash[1] or 'closed', tonumber(hash[4] or 0)
local stamped = tonumber(hash[5] or 0)
local since = math.min(stamped, now)
local failures, successes = tonumber(hash[2] or 0), tonumber(hash[3] or 0)
local forced, forced_by, window, ramp = hash[6] or '', hash[7] or '', hash[8] or '', hash[9] or ''

-- Every transition raises the generation, and clears the probes' successes, the window and the ramp.
local function move(state)
  generation, successes = generation + 1, 0
  redis.call('HSET', KEYS[1], 'state', state, 'failures', failures, 'successes', 0,
    'generation', generation, 'since_ms', now)
  redis.call('HDEL', KEYS[1], 'window', 'ramp')
end
