-- KEYS endpoints floors meta; ARGV endpoint record bound channel instance
-- Returns 'ok' | 'full'. Repeatable.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 'ok' end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
-- It gets what happens from now on.
redis.call('HSETNX', KEYS[2], ARGV[1], redis.call('HGET', KEYS[3], 'seq') or '0')
redis.call('HINCRBY', KEYS[3], 'endpoints', 1)
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 'ok'
