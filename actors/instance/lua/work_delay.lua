-- KEYS owner jobs; ARGV epoch id job
-- Returns the current epoch. What no longer waits is not made to wait again.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return epoch or '0' end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
return epoch
