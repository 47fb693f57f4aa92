-- KEYS outbox meta message idempotency owner
-- ARGV message_id request created_at fingerprint bound key_ttl has_key secret file (JSON, empty: none)
--      account (empty: whichever is paired)
-- Returns {outcome, id or depth}. Repeatable: a message id is made once per request.
-- Nobody would ever send it, and nobody remove it.
if redis.call('HGET', KEYS[5], 'actor') == '' then return {'gone', '0'} end
if ARGV[7] == '1' then
  local known = redis.call('HMGET', KEYS[4], 'id', 'fingerprint')
  if known[1] then
    if known[2] == ARGV[4] then return {'known', known[1]} end
    return {'mismatch', known[1]}
  end
end
if redis.call('EXISTS', KEYS[3]) == 1 then return {'queued', ARGV[1]} end
local depth = redis.call('XLEN', KEYS[1])
if depth >= tonumber(ARGV[5]) then return {'full', tostring(depth)} end
local entry = string.format('%d-0', redis.call('HINCRBY', KEYS[2], 'outbox', 1))
redis.call('XADD', KEYS[1], entry, 'id', ARGV[1])
redis.call('HSET', KEYS[3], 'id', ARGV[1], 'request', ARGV[2], 'created_at', ARGV[3], 'status', 'queued',
  'entry', entry, 'attempts', '0', 'secret', ARGV[8])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[3], 'file', ARGV[9]) end
if ARGV[10] ~= '' then redis.call('HSET', KEYS[3], 'account', ARGV[10]) end
if ARGV[7] == '1' then
  redis.call('HSET', KEYS[4], 'id', ARGV[1], 'fingerprint', ARGV[4])
  -- Its time is over once the message has its result, not while it waits to be sent.
  redis.call('EXPIRE', KEYS[4], ARGV[6])
  redis.call('HSET', KEYS[3], 'idempotency', KEYS[4])
end
return {'queued', ARGV[1]}
