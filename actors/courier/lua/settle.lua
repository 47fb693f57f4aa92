-- The result of one attempt at an event of the mailbox. Repeatable: a second time changes nothing.
-- KEYS state floors done retries mailbox meta attempts dead dead_index
-- ARGV claim endpoint seq event_id verdict attempt retry at attempt_log letter attempts_kept dead_kept keep
-- Returns {'stale'} | {'changed'} | {'ok', floor}
local keys = {state = KEYS[1], floors = KEYS[2], done = KEYS[3], mailbox = KEYS[5], meta = KEYS[6],
  dead = KEYS[8], dead_index = KEYS[9]}
local endpoint, seq, event_id, verdict = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local floor = tonumber(redis.call('HGET', keys.floors, endpoint))
if not floor or not holds(keys.state, ARGV[1]) then return {'stale'} end
if seq <= floor or redis.call('ZSCORE', keys.done, text(seq)) then return {'ok', text(floor)} end

-- After Redis lost its last second, this number may belong to another event by now.
local entry = entry_at(keys.mailbox, seq)
if not entry or entry.i ~= event_id then return {'changed'} end

if verdict == 'retry' then
  local known = redis.call('HGET', KEYS[4], text(seq))
  if known and cjson.decode(known).attempts >= tonumber(ARGV[6]) then return {'ok', text(floor)} end
  redis.call('HSET', KEYS[4], text(seq), ARGV[7])
else
  redis.call('HDEL', KEYS[4], text(seq))
  if verdict == 'dead' then bury(keys, event_id, seq, entry.e, ARGV[10], ARGV[8], tonumber(ARGV[12])) end
  redis.call('ZADD', keys.done, text(seq), text(seq))
end
note(keys.state, verdict == 'done', ARGV[8])
log_attempt(KEYS[7], ARGV[9], ARGV[11])
return {'ok', text(raise_floor(keys, endpoint, floor, floor, tonumber(ARGV[13])))}
