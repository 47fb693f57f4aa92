-- KEYS owner lease; ARGV epoch ttl_ms
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if epoch == ARGV[1] then redis.call('SET', KEYS[2], epoch, 'PX', ARGV[2]) end
return epoch
