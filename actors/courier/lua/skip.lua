-- Finish events that the endpoint did not subscribe to. Repeatable.
-- KEYS state floors done mailbox meta; ARGV claim endpoint witness_seq witness_id keep first last [first last …]
-- Returns {'stale'} | {'changed'} | {'ok', floor}
local keys = {state = KEYS[1], floors = KEYS[2], done = KEYS[3], mailbox = KEYS[4], meta = KEYS[5]}
local before = tonumber(redis.call('HGET', keys.floors, ARGV[2]))
if not before or not holds(keys.state, ARGV[1]) then return {'stale'} end

-- The log only ever loses its end: if the last event read is still the same, so are all before it.
local witness = entry_at(keys.mailbox, tonumber(ARGV[3]))
if (not witness and tonumber(ARGV[3]) > before) or (witness and witness.i ~= ARGV[4]) then return {'changed'} end

local floor = before
for i = 6, #ARGV, 2 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if first <= floor + 1 then
    floor = math.max(floor, last)
  else
    for seq = first, last do redis.call('ZADD', keys.done, text(seq), text(seq)) end
  end
end
return {'ok', text(raise_floor(keys, ARGV[2], before, floor, tonumber(ARGV[5])))}
