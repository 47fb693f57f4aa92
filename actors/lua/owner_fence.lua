-- KEYS owner lease; ARGV after leader actor node
-- Makes a prepared successor the owner at once. What is left of the predecessor's lease, which it cannot renew any
-- more, is remembered, so that whoever asks again (after a lost reply, or a new supervisor) is told the same.
local owner = redis.call('HMGET', KEYS[1], 'epoch', 'leader', 'actor', 'predecessor_until')
local epoch, leader = tonumber(owner[1] or '0'), tonumber(owner[2] or '0')
if leader > tonumber(ARGV[2]) then return {'deposed', tostring(leader), ''} end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if owner[3] == ARGV[3] and epoch == tonumber(ARGV[1]) + 1 then
  redis.call('HSET', KEYS[1], 'leader', ARGV[2])
  return {'ok', tostring(epoch), tostring(math.max(0, tonumber(owner[4] or '0') - now))}
end
if epoch ~= tonumber(ARGV[1]) then return {'refused', tostring(epoch), owner[3] or ''} end
local left = math.max(0, redis.call('PTTL', KEYS[2]))
redis.call('PERSIST', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', epoch + 1, 'leader', ARGV[2], 'actor', ARGV[3], 'node', ARGV[4],
  'predecessor_until', string.format('%d', now + left))
return {'ok', tostring(epoch + 1), tostring(left)}
