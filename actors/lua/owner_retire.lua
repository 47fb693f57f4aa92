-- KEYS owner; ARGV ttl_s
-- What is left of a deleted instance: its epoch, for as long as an owner that hung could still wake up. Were it
-- forgotten at once, a new instance with the same id would begin at epoch 1 again, where the old one had been.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'actor', '', 'node', '')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
