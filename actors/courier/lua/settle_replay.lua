-- The results of attempts at entries of the replay lane. Repeatable: a second time changes nothing.
-- KEYS state replay replay_retries attempts dead dead_index
-- ARGV claim attempts_kept dead_kept circuit result [result …]
-- result: 8 lines in one argument, position, event_id, verdict, attempt, retry, at, attempt_log, letter
-- Returns {'stale'} | {'changed'} | {'ok', failing since, dead letters dropped}
local keys = {state = KEYS[1], dead = KEYS[5], dead_index = KEYS[6]}
if not holds(keys.state, ARGV[1]) then return {'stale'} end

local changed = false
local attempts = attempts_at(KEYS[4])

local function settle(position, event_id, verdict, attempt, retry, at, attempt_log, letter)
  local entry = entry_at(KEYS[2], position)
  if not entry then return end
  if entry.i ~= event_id then changed = true return end

  if verdict == 'retry' then
    local known = redis.call('HGET', KEYS[3], text(position))
    if known and cjson.decode(known).attempts >= attempt then return end
    redis.call('HSET', KEYS[3], text(position), retry)
  else
    redis.call('HDEL', KEYS[3], text(position))
    redis.call('XDEL', KEYS[2], text(position) .. '-0')
    if verdict == 'dead' then
      bury(keys, event_id, tonumber(entry.s), entry.e, letter, at, tonumber(ARGV[3]))
    end
  end
  note(attempts, verdict == 'done', at, attempt_log)
end

for i = 5, #ARGV do
  local result = lines(ARGV[i])
  settle(tonumber(result[1]), result[2], result[3], tonumber(result[4]), unpack(result, 5, 8))
end
write_down(attempts, keys.state, ARGV[2])
remember(keys.state, ARGV[4])
return {changed and 'changed' or 'ok', redis.call('HGET', keys.state, 'failing_since') or '', keys.dropped or 0}
