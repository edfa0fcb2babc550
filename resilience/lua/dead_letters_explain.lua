-- Put the last word of a message into its body, before the broker moves it to the dead letters.
--
-- KEYS  1 bodies (hash: id -> message)
-- ARGV  1 id, 2 body
-- Returns 1 when written, else 0: the message is no longer there, and must not come back as a stray body
-- TTL   none
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
