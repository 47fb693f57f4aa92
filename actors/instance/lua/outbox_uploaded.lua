-- KEYS owner message; ARGV epoch upload
-- Returns the current epoch. A message that has its result has nothing to remember any more.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return epoch or '0' end
if redis.call('HEXISTS', KEYS[2], 'file') == 1 then redis.call('HSET', KEYS[2], 'upload', ARGV[2]) end
return epoch
