-- KEYS owner meta mailbox seen floors chats [message …]
-- ARGV epoch dedupe event_id type chat_id json ephemeral force soft hard window keep ring instance_id
--      aliases (JSON object: identity -> chat id) statuses (JSON array, parallel to the message keys)
local keys = {owner = KEYS[1], meta = KEYS[2], mailbox = KEYS[3], seen = KEYS[4], floors = KEYS[5]}
local result = append(
  keys, ARGV[1],
  {dedupe = ARGV[2], event_id = ARGV[3], type = ARGV[4], chat_id = ARGV[5], json = ARGV[6],
   ephemeral = ARGV[7] == '1', force = ARGV[8] == '1'},
  {soft = tonumber(ARGV[9]), hard = tonumber(ARGV[10]), window = tonumber(ARGV[11]), keep = tonumber(ARGV[12])},
  ARGV[13], ARGV[14]
)
if result[1] == 'ok' then
  for identity, chat_id in pairs(cjson.decode(ARGV[15])) do
    redis.call('HSETNX', KEYS[6], identity, chat_id)
  end
  for i, status in ipairs(cjson.decode(ARGV[16])) do raise_status(KEYS[6 + i], status) end
end
return result
