-- Keep facts about contacts, and forget others, within bounds of count and age.
--
-- KEYS owner facts ages
-- ARGV epoch bound ttl facts (JSON object: field -> fact as JSON, false: forget)
-- Returns {outcome, number}: ok count | stale epoch
local current = redis.call('HGET', KEYS[1], 'epoch')
if current ~= ARGV[1] then return {'stale', current or '0'} end
local facts, bound, ttl = cjson.decode(ARGV[4]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
for field, fact in pairs(facts) do
  if fact then
    redis.call('HSET', KEYS[2], field, fact)
    redis.call('ZADD', KEYS[3], now, field)
  else
    redis.call('HDEL', KEYS[2], field)
    redis.call('ZREM', KEYS[3], field)
  end
end
local function forget(fields)
  for _, field in ipairs(fields) do
    redis.call('HDEL', KEYS[2], field)
    redis.call('ZREM', KEYS[3], field)
  end
end
forget(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('(%d', tonumber(time[1]) - ttl), 'LIMIT', 0, 256))
local surplus = redis.call('ZCARD', KEYS[3]) - bound
-- Never more at once than were just written and a few: others wait for Redis meanwhile.
if surplus > 0 then forget(redis.call('ZRANGE', KEYS[3], 0, math.min(surplus, 512) - 1)) end
redis.call('EXPIRE', KEYS[2], ttl)
redis.call('EXPIRE', KEYS[3], ttl)
return {'ok', tostring(redis.call('ZCARD', KEYS[3]))}
