-- Switch an endpoint off, together with the attempt that is the cause, if it is not in the log yet. Repeatable.
-- KEYS state endpoints meta attempts; ARGV claim endpoint revision record attempt_log attempts_kept at channel instance
-- Returns 'stale' | 'conflict' | 'ok'
if not holds(KEYS[1], ARGV[1]) then return 'stale' end
local current = redis.call('HGET', KEYS[2], ARGV[2])
if not current then return 'stale' end
if current == ARGV[4] then return 'ok' end
if cjson.decode(current).revision ~= tonumber(ARGV[3]) then return 'conflict' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('HINCRBY', KEYS[3], 'endpoints', 1)
if ARGV[5] ~= '' then
  note(KEYS[1], false, ARGV[7])
  log_attempt(KEYS[4], ARGV[5], ARGV[6])
end
redis.call('PUBLISH', ARGV[8], ARGV[9])
return 'ok'
