-- KEYS owner handoff history; ARGV leader record finished bound
-- A supervisor that was superseded must not go on with a handoff: its successor resumes it from here.
local leader = tonumber(redis.call('HGET', KEYS[1], 'leader') or '0')
if leader > tonumber(ARGV[1]) then return tostring(leader) end
redis.call('HSET', KEYS[1], 'leader', ARGV[1])
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[2])
  redis.call('LPUSH', KEYS[3], ARGV[2])
  redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[4]) - 1)
else
  redis.call('SET', KEYS[2], ARGV[2])
end
return 'ok'
