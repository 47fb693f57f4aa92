-- Put news of an endpoint into the mailbox of its instance, unless it is what was told last. Repeatable.
-- KEYS owner meta mailbox seen floors chats state
-- ARGV claim told, then as `news` of common.lua takes them
-- Returns 'stale' | 'ok'
if not holds(KEYS[7], ARGV[1]) then return 'stale' end
if redis.call('HGET', KEYS[7], 'told') ~= ARGV[2] then
  redis.call('HSET', KEYS[7], 'told', ARGV[2])
  news(KEYS, ARGV, 3)
end
return 'ok'
