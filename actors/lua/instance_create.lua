-- KEYS instances tokens; ARGV id record token_hash
-- Repeatable: the same id with the same token is the same request, whose reply was lost.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[1] and 1 or 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[1])
return 1
