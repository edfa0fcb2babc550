-- Store the cause of death in the body of a message, before the broker moves it to the dead letters.
--
-- KEYS  1 bodies (hash: id -> message)
-- ARGV  1 id, 2 body
-- Returns 1 if stored, else 0: the message is gone, and must not return as a body without an id
-- TTL   none
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
