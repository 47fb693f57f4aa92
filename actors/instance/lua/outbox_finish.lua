-- KEYS owner meta mailbox seen floors chats known known_ages outbox message idempotency (the message: none)
-- ARGV the 14 of an append, then: aliases (JSON object) statuses (none) memory (JSON, null: none) known_bound known_ttl
--      entry status result ttl key_ttl
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
-- Read before the first write: a script that fails half-way is not rolled back.
local aliases, memory = cjson.decode(ARGV[15]), cjson.decode(ARGV[17])
-- The first result counts: a message that has left the queue has its result and its event.
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] and #redis.call('XRANGE', KEYS[9], ARGV[20], ARGV[20]) == 0 then
  learn(KEYS[6], aliases)
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
if result[1] == 'ok' and memory ~= cjson.null then
  recall(KEYS[7], KEYS[8], memory, {count = tonumber(ARGV[18]), ttl = tonumber(ARGV[19])})
end
redis.call('XDEL', KEYS[9], ARGV[20])
if redis.call('EXISTS', KEYS[10]) == 1 then
  if ARGV[21] == 'failed' then redis.call('HSET', KEYS[10], 'status', 'failed')
  else raise_status(KEYS[10], ARGV[21]) end
  redis.call('HSET', KEYS[10], 'result', ARGV[22])
  redis.call('HDEL', KEYS[10], 'file', 'upload')
  redis.call('EXPIRE', KEYS[10], ARGV[23])
end
if KEYS[11] ~= KEYS[10] then redis.call('EXPIRE', KEYS[11], ARGV[24]) end
return result
