-- KEYS endpoints state replay meta; ARGV endpoint event_id type json channel instance
-- Returns 'unknown' | 'ok'. Repeatable while the entry is the last one.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 'unknown' end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if last and last[2][2] == ARGV[2] then return 'ok' end
local position = redis.call('HINCRBY', KEYS[2], 'replayed', 1)
redis.call('XADD', KEYS[3], text(position) .. '-0',
  'i', ARGV[2], 't', ARGV[3], 'c', '', 'e', ARGV[4], 's', '0', 'k', 'test')
redis.call('HINCRBY', KEYS[4], 'replays', 1)
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 'ok'
