-- Remember, change or forget a message, within bounds of count and age.
--
-- memory: {step, id, record}; step: learn (if there is none under this id) | change | forget
-- bounds: {count, ttl}
local function recall(known, ages, memory, bounds)
  if memory.step == 'forget' then
    redis.call('HDEL', known, memory.id)
    redis.call('ZREM', ages, memory.id)
    return
  end
  if memory.step == 'learn' then
    if redis.call('HSETNX', known, memory.id, memory.record) == 0 then return end
  elseif redis.call('HEXISTS', known, memory.id) == 1 then
    redis.call('HSET', known, memory.id, memory.record)
    return
  else
    return
  end
  local time = redis.call('TIME')
  redis.call('ZADD', ages, string.format('%d.%06d', time[1], time[2]), memory.id)
  local oldest = string.format('(%d', tonumber(time[1]) - bounds.ttl)
  local old = redis.call('ZRANGEBYSCORE', ages, '-inf', oldest, 'LIMIT', 0, 64)
  local surplus = redis.call('ZCARD', ages) - #old - bounds.count
  if surplus > 0 then
    -- Oldest first, so these are behind the old ones.
    for _, id in ipairs(redis.call('ZRANGE', ages, #old, #old + math.min(surplus, 64) - 1)) do old[#old + 1] = id end
  end
  for _, id in ipairs(old) do
    redis.call('HDEL', known, id)
    redis.call('ZREM', ages, id)
  end
  redis.call('EXPIRE', known, bounds.ttl)
  redis.call('EXPIRE', ages, bounds.ttl)
end
