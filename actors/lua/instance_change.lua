-- KEYS instances; ARGV id revision record
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if not raw then return 'unknown' end
if raw == ARGV[3] then return 'ok' end
if tonumber(cjson.decode(raw).revision) ~= tonumber(ARGV[2]) then return 'conflict' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'ok'
