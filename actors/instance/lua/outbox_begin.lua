-- KEYS owner message; ARGV epoch
-- Returns {'stale', epoch} or {'ok', attempts}; 0 attempts: there is no such message (any more).
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'stale', epoch or '0'} end
local status = redis.call('HGET', KEYS[2], 'status')
if not status then return {'ok', '0'} end
if status == 'queued' then redis.call('HSET', KEYS[2], 'status', 'sending') end
return {'ok', tostring(redis.call('HINCRBY', KEYS[2], 'attempts', 1))}
