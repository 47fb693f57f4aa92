-- The results of attempts at events of the mailbox. Repeatable: a second time changes nothing.
-- KEYS state floors done retries mailbox meta attempts dead dead_index
-- ARGV claim endpoint keep attempts_kept dead_kept circuit result [result …]
-- result: 8 lines in one argument, seq, event_id, verdict, attempt, retry, at, attempt_log, letter
-- no attempt_log: no attempt; no at: a failure that says nothing of the endpoint, after which a retry follows
-- Returns {'stale'} | {'changed'} | {'ok', failing since, dead letters dropped}
local keys = {state = KEYS[1], floors = KEYS[2], done = KEYS[3], mailbox = KEYS[5], meta = KEYS[6],
  dead = KEYS[8], dead_index = KEYS[9]}
local endpoint = ARGV[2]
local before = tonumber(redis.call('HGET', keys.floors, endpoint))
if not before or not holds(keys.state, ARGV[1]) then return {'stale'} end

local floor, changed = before, false
local attempts = attempts_at(KEYS[7])
local finished, above = {}, {}

local function settle(seq, event_id, verdict, attempt, retry, at, attempt_log, letter)
  if seq <= floor or redis.call('ZSCORE', keys.done, text(seq)) then return end
  -- After Redis lost its last second, this number may belong to another event by now.
  local entry = entry_at(keys.mailbox, seq)
  if not entry or entry.i ~= event_id then changed = true return end

  if verdict == 'retry' then
    local known = redis.call('HGET', KEYS[4], text(seq))
    if known and cjson.decode(known).attempts >= attempt then return end
    redis.call('HSET', KEYS[4], text(seq), retry)
  else
    finished[#finished + 1] = text(seq)
    if verdict == 'dead' then bury(keys, event_id, seq, entry.e, letter, at, tonumber(ARGV[5])) end
    if seq == floor + 1 then
      floor = seq
    else
      above[#above + 1] = text(seq)
      above[#above + 1] = text(seq)
    end
  end
  if attempt_log ~= '' then note(attempts, verdict == 'done', at, attempt_log) end
end

for i = 7, #ARGV do
  local result = lines(ARGV[i])
  settle(tonumber(result[1]), result[2], result[3], tonumber(result[4]), unpack(result, 5, 8))
end
in_parts('HDEL', KEYS[4], finished)
in_parts('ZADD', keys.done, above)
write_down(attempts, keys.state, ARGV[4])
remember(keys.state, ARGV[6])
raise_floor(keys, endpoint, before, floor, tonumber(ARGV[3]))
return {changed and 'changed' or 'ok', redis.call('HGET', keys.state, 'failing_since') or '', keys.dropped or 0}
