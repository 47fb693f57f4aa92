-- KEYS owner meta mailbox seen floors chats outbox message
-- ARGV the 14 of an append, then: entry status result ttl aliases (JSON object)
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6], force = true},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'stale' then return result end
for identity, chat_id in pairs(cjson.decode(ARGV[19])) do redis.call('HSETNX', KEYS[6], identity, chat_id) end
redis.call('XDEL', KEYS[7], ARGV[15])
if redis.call('EXISTS', KEYS[8]) == 1 then
  if ARGV[16] == 'failed' then redis.call('HSET', KEYS[8], 'status', 'failed')
  else raise_status(KEYS[8], ARGV[16]) end
  redis.call('HSET', KEYS[8], 'result', ARGV[17])
  redis.call('EXPIRE', KEYS[8], ARGV[18])
end
return result
