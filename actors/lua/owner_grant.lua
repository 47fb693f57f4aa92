-- KEYS owner lease; ARGV after leader actor node known_dead
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
local leader = tonumber(redis.call('HGET', KEYS[1], 'leader') or '0')
if leader > tonumber(ARGV[2]) then return {'deposed', tostring(leader)} end
local owner = redis.call('HMGET', KEYS[1], 'leader', 'actor', 'node')
if epoch == tonumber(ARGV[1]) + 1 and owner[1] == ARGV[2] and owner[2] == ARGV[3] and owner[3] == ARGV[4] then
  return {'ok', tostring(epoch)}
end
if epoch ~= tonumber(ARGV[1]) then return {'moved', tostring(epoch)} end
if ARGV[5] ~= '1' then
  local left = redis.call('PTTL', KEYS[2])
  if left > 0 then return {'leased', tostring(left)} end
end
redis.call('PERSIST', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', epoch + 1, 'leader', ARGV[2], 'actor', ARGV[3], 'node', ARGV[4])
return {'ok', tostring(epoch + 1)}
