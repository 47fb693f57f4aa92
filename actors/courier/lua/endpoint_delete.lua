-- KEYS endpoints floors meta mailbox state done retries replay replay_retries attempts dead dead_index
-- ARGV endpoint keep channel instance
-- Returns 1 if it existed. A courier at work on it is fenced by the loss of its state.
local existed = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
for i = 5, #KEYS do redis.call('DEL', KEYS[i]) end
trim({floors = KEYS[2], meta = KEYS[3], mailbox = KEYS[4]}, tonumber(ARGV[2]))
redis.call('HINCRBY', KEYS[3], 'endpoints', 1)
redis.call('PUBLISH', ARGV[3], ARGV[4])
return existed
