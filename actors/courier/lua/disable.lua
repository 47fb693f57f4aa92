-- Switch an endpoint off, together with the attempt that is the cause, if it is not in the log yet, and with
-- the news of it. Repeatable.
-- KEYS 6 as `news` of common.lua takes them, state endpoints attempts
-- ARGV 10 as it takes them, claim endpoint revision record attempt_log attempts_kept at channel
-- Returns 'stale' | 'conflict' | 'ok'
local state, endpoints = KEYS[7], KEYS[8]
local claim, endpoint, revision, record, attempt_log, kept, at, channel = unpack(ARGV, 11)
if not holds(state, claim) then return 'stale' end
local current = redis.call('HGET', endpoints, endpoint)
if not current then return 'stale' end
if current == record then return 'ok' end
if cjson.decode(current).revision ~= tonumber(revision) then return 'conflict' end
redis.call('HSET', endpoints, endpoint, record)
redis.call('HINCRBY', KEYS[2], 'endpoints', 1)
if attempt_log ~= '' then
  local attempts = attempts_at(KEYS[9])
  note(attempts, false, at, attempt_log)
  write_down(attempts, state, kept)
end
news(state, KEYS, ARGV)
redis.call('PUBLISH', channel, ARGV[10])
return 'ok'
