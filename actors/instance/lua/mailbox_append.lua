-- KEYS owner meta mailbox seen floors chats known known_ages jobs [message …]
-- ARGV epoch dedupe event_id type chat_id json ephemeral force soft hard window keep ring instance_id
--      aliases (JSON object: identity -> chat id) statuses (JSON array, parallel to the message keys)
--      memory (JSON, null: none) known_bound known_ttl job_id job (empty: none)
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
-- Read before the first write: a script that fails half-way is not rolled back.
local aliases, statuses, memory = cjson.decode(ARGV[15]), cjson.decode(ARGV[16]), cjson.decode(ARGV[17])
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6],
   ephemeral = ARGV[7] == '1', force = ARGV[8] == '1'},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'ok' then
  for i, status in ipairs(statuses) do raise_status(KEYS[9 + i], status) end
  if memory ~= cjson.null then
    recall(KEYS[7], KEYS[8], memory, {count = tonumber(ARGV[18]), ttl = tonumber(ARGV[19])})
  end
  -- In the same step: after a crash the job waits, or the event comes again.
  if ARGV[20] ~= '' then redis.call('HSET', KEYS[9], ARGV[20], ARGV[21]) end
end
-- The writer gives what it learned of any chat since the last time, and counts on it if the event is dropped for good
-- or was there before, too.
if result[1] == 'ok' or result[1] == 'dropped' or result[1] == 'duplicate' then learn(KEYS[6], aliases) end
return result
