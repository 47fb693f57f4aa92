-- Remember what a request that makes something has come to.
--
-- KEYS owner record taken (which says of the group that was made, whose it is; the record again if there is none)
-- ARGV epoch record (empty: forget it) ttl (seconds) only_new whose
-- Returns {outcome, value}: ok "" | exists the record that is there | stale epoch
local current = redis.call('HGET', KEYS[1], 'epoch')
if current ~= ARGV[1] then return {'stale', current or '0'} end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
  return {'ok', ''}
end
local there = redis.call('GET', KEYS[2])
if there and ARGV[4] == '1' then return {'exists', there} end
if KEYS[3] ~= KEYS[2] then redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return {'ok', ''}
