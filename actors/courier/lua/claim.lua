-- KEYS state floors done retries endpoints replay_retries; ARGV endpoint courier nonce
-- Returns {'gone'} or {'ok', claim, floor, finished, retries, replay retries,
--   {last success, circuit, told}}. Repeatable.
if redis.call('HEXISTS', KEYS[5], ARGV[1]) == 0 then return {'gone'} end
local claim = redis.call('HGET', KEYS[1], 'claim')
local suffix = ':' .. ARGV[2] .. ':' .. ARGV[3]
if not claim or string.sub(claim, -#suffix) ~= suffix then
  claim = text(redis.call('HINCRBY', KEYS[1], 'epoch', 1)) .. suffix
  redis.call('HSET', KEYS[1], 'claim', claim, 'courier', ARGV[2])
end
-- An endpoint without a floor would let the mailbox forget what it still has to get.
redis.call('HSETNX', KEYS[2], ARGV[1], '0')
return {
  'ok', claim, redis.call('HGET', KEYS[2], ARGV[1]), redis.call('ZRANGE', KEYS[3], 0, -1),
  redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[6]),
  redis.call('HMGET', KEYS[1], 'last_success', 'circuit', 'told'),
}
