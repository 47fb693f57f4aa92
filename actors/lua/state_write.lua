-- KEYS owner state; ARGV epoch state
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if epoch == ARGV[1] then redis.call('SET', KEYS[2], ARGV[2]) end
return epoch
