-- KEYS owner meta mailbox seen floors chats outbox message
-- ARGV the 14 of an append, then: entry status result ttl aliases (JSON object)
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
-- Read before the first write: a script that fails half-way is not rolled back.
local aliases = cjson.decode(ARGV[19])
-- The first result counts: a message that has left the queue has its result and its event.
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] and #redis.call('XRANGE', KEYS[7], ARGV[15], ARGV[15]) == 0 then
  return {'duplicate', '0'}
end
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6], force = true},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'stale' then return result end
learn(KEYS[6], aliases)
redis.call('XDEL', KEYS[7], ARGV[15])
if redis.call('EXISTS', KEYS[8]) == 1 then
  if ARGV[16] == 'failed' then redis.call('HSET', KEYS[8], 'status', 'failed')
  else raise_status(KEYS[8], ARGV[16]) end
  redis.call('HSET', KEYS[8], 'result', ARGV[17])
  redis.call('EXPIRE', KEYS[8], ARGV[18])
end
return result
