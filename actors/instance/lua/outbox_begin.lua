-- KEYS owner message; ARGV epoch
-- Returns {'stale', epoch} or {'ok', attempts}
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if epoch ~= ARGV[1] then return {'stale', epoch} end
if redis.call('HGET', KEYS[2], 'status') == 'queued' then redis.call('HSET', KEYS[2], 'status', 'sending') end
return {'ok', tostring(redis.call('HINCRBY', KEYS[2], 'attempts', 1))}
