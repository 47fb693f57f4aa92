-- Keep chats, and how far the mailbox was read for them, if nobody else did meanwhile.
--
-- KEYS owner chat_list chat_times chat_cursor chat_account
-- ARGV epoch before after bound account (empty: as before) fresh (1: forget all others) [id time record …]
-- Returns {outcome, number}: ok | stale epoch | moved cursor
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'stale', epoch or '0'} end
local cursor = redis.call('GET', KEYS[4]) or '0'
if cursor ~= ARGV[2] then return {'moved', cursor} end
if ARGV[6] == '1' then redis.call('DEL', KEYS[2], KEYS[3]) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[5], ARGV[5]) end
for i = 7, #ARGV, 3 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[3], ARGV[i + 1], ARGV[i])
end
redis.call('SET', KEYS[4], ARGV[3])
local surplus = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[4])
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, surplus - 1)) do
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
  end
end
return {'ok', ARGV[3]}
