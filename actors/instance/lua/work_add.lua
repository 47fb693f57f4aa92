-- KEYS owner jobs; ARGV epoch id job
-- Returns the current epoch. What waits already waits as it did.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return epoch or '0' end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
return epoch
