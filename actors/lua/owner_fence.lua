-- KEYS owner lease; ARGV after leader actor node known_dead version
-- Makes a successor the owner at once: its predecessor can neither write nor renew from then on. How long somebody
-- before it may still believe in a lease is remembered, so that whoever asks again (after a lost reply, or a new
-- supervisor), or replaces a successor that never came to be, is told so, too.
local owner = redis.call('HMGET', KEYS[1], 'epoch', 'leader', 'actor', 'predecessor_until')
local epoch, leader = tonumber(owner[1] or '0'), tonumber(owner[2] or '0')
if leader > tonumber(ARGV[2]) then return {'deposed', tostring(leader), ''} end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local left = math.max(0, tonumber(owner[4] or '0') - now)
if owner[3] == ARGV[3] and epoch == tonumber(ARGV[1]) + 1 then
  redis.call('HSET', KEYS[1], 'leader', ARGV[2])
  return {'ok', tostring(epoch), string.format('%d', left)}
end
if epoch ~= tonumber(ARGV[1]) then return {'refused', tostring(epoch), owner[3] or ''} end
if ARGV[5] ~= '1' then left = math.max(left, redis.call('PTTL', KEYS[2])) end
redis.call('PERSIST', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', epoch + 1, 'leader', ARGV[2], 'actor', ARGV[3], 'node', ARGV[4],
  'version', ARGV[6], 'predecessor_until', string.format('%d', now + left))
return {'ok', tostring(epoch + 1), string.format('%d', left)}
