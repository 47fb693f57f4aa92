-- Switch an endpoint off, together with the attempt that is the cause, if it is not in the log yet, and with
-- the news of it. Repeatable.
-- KEYS owner meta mailbox seen floors chats state endpoints attempts
-- ARGV claim told, 9 as `news` of common.lua takes them,
--   then endpoint revision record attempt_log attempts_kept at channel
-- Returns 'stale' | 'conflict' | 'ok'
local state, endpoints = KEYS[7], KEYS[8]
local endpoint, revision, record, attempt_log, kept, at, channel = unpack(ARGV, 12)
if not holds(state, ARGV[1]) then return 'stale' end
local current = redis.call('HGET', endpoints, endpoint)
if not current then return 'stale' end
if current == record then return 'ok' end
if cjson.decode(current).revision ~= tonumber(revision) then return 'conflict' end
redis.call('HSET', endpoints, endpoint, record)
redis.call('HINCRBY', KEYS[2], 'endpoints', 1)
if attempt_log ~= '' then
  note(state, false, at)
  log_attempt(KEYS[9], attempt_log, kept)
end
redis.call('HSET', state, 'told', ARGV[2])
news(KEYS, ARGV, 3)
redis.call('PUBLISH', channel, ARGV[11])
return 'ok'
