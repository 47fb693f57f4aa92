-- Move dead letters into the replay lane, in the order in which they are given.
-- KEYS endpoints state replay dead dead_index meta; ARGV endpoint channel instance request event_id [event_id …]
-- Returns {'unknown'} or {'ok', number moved}. Repeatable under the same request.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {'unknown'} end
if redis.call('HGET', KEYS[2], 'replay_request') == ARGV[4] then
  return {'ok', tonumber(redis.call('HGET', KEYS[2], 'replay_moved'))}
end
local moved = 0
for i = 5, #ARGV do
  local raw = redis.call('HGET', KEYS[4], ARGV[i])
  if raw then
    -- Cut out rather than decoded: a decode would not give back the same JSON.
    local seq, rest = string.match(raw, '^{"seq":(%d+),"letter":(.*)$')
    local event = string.sub(rest, string.find(rest, ',"event":', 1, true) + 9, -2)
    local fields = cjson.decode(event)
    local chat = fields.chat_id
    if type(chat) ~= 'string' then chat = '' end
    local position = redis.call('HINCRBY', KEYS[2], 'replayed', 1)
    redis.call('XADD', KEYS[3], text(position) .. '-0',
      'i', ARGV[i], 't', fields.type, 'c', chat, 'e', event, 's', seq, 'k', 'replay')
    redis.call('HDEL', KEYS[4], ARGV[i])
    redis.call('ZREM', KEYS[5], ARGV[i])
    moved = moved + 1
  end
end
redis.call('HSET', KEYS[2], 'replay_request', ARGV[4], 'replay_moved', moved)
-- A sweep sees by this what a lost ring would have told.
if moved > 0 then redis.call('HINCRBY', KEYS[6], 'replays', 1) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return {'ok', moved}
