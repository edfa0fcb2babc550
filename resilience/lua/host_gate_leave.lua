-- End the request with this token; one that counts as lost may have been followed by another.
--
-- After clock.lua and host_gate_shared.lua, which document the hash and ARGV 1.
-- KEYS  1 gate hash
-- ARGV  2 token
if redis.call('HGET', KEYS[1], 'token') == ARGV[2] then
  flight = 0
  store('token', '')
end
