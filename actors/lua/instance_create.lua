-- KEYS instances tokens removals; ARGV id record token_hash
-- Returns 1: it is there; 0: the id is taken; 2: it was another's, which is still being removed.
-- Repeatable: the same id with the same token is the same request, whose reply was lost.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[1] and 1 or 0
end
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then return 2 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[1])
return 1
