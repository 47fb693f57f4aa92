-- The result of one attempt at an entry of the replay lane. Repeatable: a second time changes nothing.
-- KEYS state replay replay_retries attempts dead dead_index
-- ARGV claim position event_id verdict attempt retry at attempt_log letter attempts_kept dead_kept
-- Returns {'stale'} | {'changed'} | {'ok', '0'}
local keys = {state = KEYS[1], dead = KEYS[5], dead_index = KEYS[6]}
local position, event_id, verdict = tonumber(ARGV[2]), ARGV[3], ARGV[4]
if not holds(keys.state, ARGV[1]) then return {'stale'} end
local entry = entry_at(KEYS[2], position)
if not entry then return {'ok', '0'} end
if entry.i ~= event_id then return {'changed'} end

if verdict == 'retry' then
  local known = redis.call('HGET', KEYS[3], text(position))
  if known and cjson.decode(known).attempts >= tonumber(ARGV[5]) then return {'ok', '0'} end
  redis.call('HSET', KEYS[3], text(position), ARGV[6])
else
  redis.call('HDEL', KEYS[3], text(position))
  redis.call('XDEL', KEYS[2], text(position) .. '-0')
  if verdict == 'dead' then
    bury(keys, event_id, tonumber(entry.s), entry.e, ARGV[9], ARGV[7], tonumber(ARGV[11]))
  end
end
note(keys.state, verdict == 'done', ARGV[7])
log_attempt(KEYS[4], ARGV[8], ARGV[10])
return {'ok', '0'}
