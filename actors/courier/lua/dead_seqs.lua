-- The sequence numbers of dead letters, without the letters themselves; '0' for one that is gone.
-- KEYS dead; ARGV event_id [event_id …]
local found = {}
for i, event_id in ipairs(ARGV) do
  found[i] = string.match(redis.call('HGET', KEYS[1], event_id) or '', '^{"seq":(%d+)') or '0'
end
return found
