-- KEYS owner meta mailbox seen floors chats downloads
-- ARGV the 14 of an append, then: media id
-- A file that no longer waits has its result and its event.
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] and redis.call('HEXISTS', KEYS[7], ARGV[15]) == 0 then
  return {'duplicate', '0'}
end
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6], force = true},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] ~= 'stale' then redis.call('HDEL', KEYS[7], ARGV[15]) end
return result
