-- One append to an instance's mailbox, as a function: scripts that finish something else in the same atomic
-- step are put behind it.
--
-- keys: owner meta mailbox seen floors chats
-- event: {dedupe, event_id, type, chat_id, json, ephemeral, force}
-- bounds: {soft, hard, window, keep}
-- Returns {outcome, number}: ok seq | duplicate seq | stale epoch | full depth | dropped depth

local function undelivered(floors_key, seq)
  local floor = seq
  for _, value in ipairs(redis.call('HVALS', floors_key)) do
    local number = tonumber(value)
    if number < floor then floor = number end
  end
  return seq - floor, floor
end

local function append(keys, epoch, event, bounds, ring, instance_id)
  local current = redis.call('HGET', keys.owner, 'epoch')
  if current ~= epoch then return {'stale', current or '0'} end
  local known = redis.call('ZSCORE', keys.seen, event.dedupe)
  if known then return {'duplicate', known} end

  local seq = tonumber(redis.call('HGET', keys.meta, 'seq') or '0')
  local depth, floor = undelivered(keys.floors, seq)
  if not event.force then
    if event.ephemeral and depth >= bounds.soft then
      redis.call('HINCRBY', keys.meta, 'dropped', 1)
      return {'dropped', tostring(depth)}
    end
    if depth >= bounds.hard then return {'full', tostring(depth)} end
  end

  seq = seq + 1
  local text = string.format('%d', seq)
  redis.call('XADD', keys.mailbox, text .. '-0', 'i', event.event_id, 't', event.type, 'c', event.chat_id, 'e', event.json)
  redis.call('HSET', keys.meta, 'seq', text)
  redis.call('ZADD', keys.seen, text, event.dedupe)
  if seq % 64 == 0 then
    redis.call('ZREMRANGEBYSCORE', keys.seen, '-inf', string.format('%d', seq - bounds.window))
    local oldest = math.min(floor, seq - bounds.keep)
    if oldest > 0 then redis.call('XTRIM', keys.mailbox, 'MINID', string.format('%d-0', oldest + 1)) end
  end
  redis.call('PUBLISH', ring, instance_id)
  return {'ok', text}
end

-- HSETNX: the chat id of an identity never changes, whoever learns of it later.
local function learn(chats_key, aliases)
  for identity, chat_id in pairs(aliases) do redis.call('HSETNX', chats_key, identity, chat_id) end
end

local RANK = {queued = 0, sending = 1, sent = 2, delivered = 3, read = 4, played = 5}

-- A status only ever rises; a message that nobody here sent is not made up.
local function raise_status(message_key, status)
  local before, after = RANK[redis.call('HGET', message_key, 'status')], RANK[status]
  if not before or not after or before >= after then return end
  redis.call('HSET', message_key, 'status', status)
end
