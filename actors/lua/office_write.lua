-- KEYS office; ARGV revision record
local raw = redis.call('GET', KEYS[1])
if raw == ARGV[2] then return 'ok' end
local revision = raw and tonumber(cjson.decode(raw).revision) or 0
if revision ~= tonumber(ARGV[1]) then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2])
return 'ok'
