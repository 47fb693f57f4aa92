-- Put news of an endpoint into the mailbox of its instance, unless it is what was told last. Repeatable.
-- KEYS 6 as `news` of common.lua takes them, state; ARGV 10 as it takes them, claim
-- Returns 'stale' | 'ok'
local state = KEYS[7]
if not holds(state, ARGV[11]) then return 'stale' end
if redis.call('HGET', state, 'told') ~= ARGV[1] then news(state, KEYS, ARGV) end
return 'ok'
