-- KEYS owner meta mailbox seen floors chats jobs
-- ARGV the 14 of an append, then: aliases (JSON object: identity -> chat id) id
--      next (the job as it waits from now on; empty: it is done)
-- Returns what an append returns, or {'missing', 0}: there is no such job any more.
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
-- Read before the first write: a script that fails half-way is not rolled back.
local aliases = cjson.decode(ARGV[15])
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] and redis.call('HEXISTS', KEYS[7], ARGV[16]) == 0 then
  learn(KEYS[6], aliases)
  return {'missing', '0'}
end
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6], force = ARGV[8] == '1'},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'ok' or result[1] == 'duplicate' then
  learn(KEYS[6], aliases)
  if ARGV[17] == '' then redis.call('HDEL', KEYS[7], ARGV[16])
  else redis.call('HSET', KEYS[7], ARGV[16], ARGV[17]) end
end
return result
