-- KEYS instances tokens removals; ARGV id
-- What is left of it is removed afterwards, by whoever supervises; until then its id is not free.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
  redis.call('HSET', KEYS[3], ARGV[1], redis.call('TIME')[1])
end
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if all[i + 1] == ARGV[1] then redis.call('HDEL', KEYS[2], all[i]) end
end
return 1
