-- KEYS endpoints meta state; ARGV endpoint revision record channel instance
-- Returns 'ok' | 'unknown' | 'conflict'. Repeatable.
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current then return 'unknown' end
if current == ARGV[3] then return 'ok' end
if cjson.decode(current).revision ~= tonumber(ARGV[2]) then return 'conflict' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if not cjson.decode(current).enabled and cjson.decode(ARGV[3]).enabled then
  -- It gets the full time again before it is given up for failing.
  redis.call('HDEL', KEYS[3], 'failing_since')
end
redis.call('HINCRBY', KEYS[2], 'endpoints', 1)
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 'ok'
