-- KEYS owner meta mailbox seen floors chats [message …]
-- ARGV epoch dedupe event_id type chat_id json ephemeral force soft hard window keep ring instance_id
--      aliases (JSON object: identity -> chat id) statuses (JSON array, parallel to the message keys)
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
-- Read before the first write: a script that fails half-way is not rolled back.
local aliases, statuses = cjson.decode(ARGV[15]), cjson.decode(ARGV[16])
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6],
   ephemeral = ARGV[7] == '1', force = ARGV[8] == '1'},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'ok' then
  for i, status in ipairs(statuses) do raise_status(KEYS[6 + i], status) end
end
-- A dropped event is dropped for good, what it taught about a chat is not: the writer counts on it.
if result[1] == 'ok' or result[1] == 'dropped' then learn(KEYS[6], aliases) end
return result
