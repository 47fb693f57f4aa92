-- Finish events that the endpoint did not subscribe to. Repeatable.
-- KEYS state floors done mailbox meta retries; ARGV claim endpoint witness_seq witness_id keep first last [first last …]
-- Returns {'stale'} | {'changed'} | {'ok', floor}
local keys = {state = KEYS[1], floors = KEYS[2], done = KEYS[3], mailbox = KEYS[4], meta = KEYS[5]}
local before = tonumber(redis.call('HGET', keys.floors, ARGV[2]))
if not before or not holds(keys.state, ARGV[1]) then return {'stale'} end

-- The log only ever loses its end: if the last event read is still the same, so are all before it.
local witness = entry_at(keys.mailbox, tonumber(ARGV[3]))
if (not witness and tonumber(ARGV[3]) > before) or (witness and witness.i ~= ARGV[4]) then return {'changed'} end

local floor, refused = before, {}
local any_refused = redis.call('HLEN', KEYS[6]) > 0
for i = 6, #ARGV, 2 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if any_refused then
    -- It was tried while the filter was another one. So far past the floor nothing was.
    for seq = math.max(first, before + 1), math.min(last, before + 20000) do refused[#refused + 1] = text(seq) end
  end
  if first <= floor + 1 then
    floor = math.max(floor, last)
  else
    for seq = first, last do redis.call('ZADD', keys.done, text(seq), text(seq)) end
  end
end
in_parts('HDEL', KEYS[6], refused)
return {'ok', text(raise_floor(keys, ARGV[2], before, floor, tonumber(ARGV[5])))}
