-- What the steps of a delivery share. Put before each of them.

local function text(number) return string.format('%d', number) end

local function lines(argument)
  local found = {}
  for line in string.gmatch(argument .. '\n', '(.-)\n') do found[#found + 1] = line end
  return found
end

local function holds(state, claim) return redis.call('HGET', state, 'claim') == claim end

-- Remove what every endpoint has finished with, apart from the newest `keep` events.
local function trim(keys, keep)
  local seq = tonumber(redis.call('HGET', keys.meta, 'seq') or '0')
  local oldest = seq - keep
  for _, value in ipairs(redis.call('HVALS', keys.floors)) do oldest = math.min(oldest, tonumber(value)) end
  if oldest > 0 then redis.call('XTRIM', keys.mailbox, 'MINID', text(oldest + 1) .. '-0') end
end

-- Raise the floor over everything finished that follows it without a gap.
local function raise_floor(keys, endpoint, before, floor, keep)
  local gap = false
  while not gap do
    local page = redis.call('ZRANGEBYSCORE', keys.done, '(' .. text(floor), '+inf', 'LIMIT', 0, 256)
    gap = #page < 256
    for _, member in ipairs(page) do
      if tonumber(member) ~= floor + 1 then gap = true break end
      floor = floor + 1
    end
  end
  if floor > before then
    redis.call('ZREMRANGEBYSCORE', keys.done, '-inf', text(floor))
    redis.call('HSET', keys.floors, endpoint, text(floor))
    trim(keys, keep)
  end
  return floor
end

-- The event that stands at a position of a stream as a field table, nil if there is none.
local function entry_at(stream, position)
  local id = text(position) .. '-0'
  local found = redis.call('XRANGE', stream, id, id)[1]
  if not found then return nil end
  local fields = {}
  for i = 1, #found[2], 2 do fields[found[2][i]] = found[2][i + 1] end
  return fields
end

-- A command that takes any number of arguments, as often as Lua's stack makes it necessary.
local function in_parts(command, key, arguments)
  for first = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
end

-- A score for what dies now: two of one millisecond keep their order, as of clocks that differ a little.
local function later(index, at)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2]
  local score = last and tonumber(last) + 0.0001 or at
  if score < at or score > at + 60 then score = at end
  return string.format('%.4f', score)
end

-- A dead letter holds the whole event: the mailbox is free to forget it. How many had to make room for it is added
-- to keys.dropped.
local function bury(keys, event_id, seq, event, letter, at, kept)
  redis.call('HSET', keys.dead, event_id,
    '{"seq":' .. text(seq) .. ',"letter":' .. letter .. ',"event":' .. event .. '}')
  redis.call('ZADD', keys.dead_index, later(keys.dead_index, tonumber(at)), event_id)
  redis.call('HINCRBY', keys.state, 'dead', 1)
  local excess = redis.call('ZCARD', keys.dead_index) - kept
  if excess > 0 then
    for _, old in ipairs(redis.call('ZRANGE', keys.dead_index, 0, excess - 1)) do
      redis.call('HDEL', keys.dead, old)
      redis.call('ZREM', keys.dead_index, old)
    end
    redis.call('HINCRBY', keys.state, 'dead_dropped', excess)
    keys.dropped = (keys.dropped or 0) + excess
  end
end

-- Seconds without an attempt after which it is not known any more whether an endpoint failed all the time.
local QUIET = 86400

-- The attempts of one step. What can be summed up is written once at its end: calls are what a step costs.
local function attempts_at(log) return {log = log, delivered = 0, failed = 0} end

-- Take in an attempt: into the delivery log, and how the endpoint is doing, for people and for the decision
-- when to give up on it. A failure without a time says nothing of the endpoint.
local function note(attempts, success, at, logged)
  if success then
    attempts.delivered, attempts.last_success, attempts.failing_since = attempts.delivered + 1, at, nil
  else
    attempts.failed = attempts.failed + 1
    if at ~= '' then
      attempts.failing_since, attempts.last_failure = attempts.failing_since or at, at
    end
  end
  redis.call('XADD', attempts.log, '*', 'a', logged)
end

local function write_down(attempts, state, kept)
  if attempts.last_success then
    redis.call('HSET', state, 'last_success', attempts.last_success)
    redis.call('HDEL', state, 'failing_since')
    redis.call('HINCRBY', state, 'delivered', attempts.delivered)
  end
  if attempts.failed > 0 then redis.call('HINCRBY', state, 'failed_attempts', attempts.failed) end
  if attempts.failing_since then
    local before = tonumber(redis.call('HGET', state, 'last_failure') or attempts.failing_since)
    if tonumber(attempts.failing_since) - before > QUIET then redis.call('HDEL', state, 'failing_since') end
    redis.call('HSETNX', state, 'failing_since', attempts.failing_since)
    redis.call('HSET', state, 'last_failure', attempts.last_failure)
  end
  redis.call('XTRIM', attempts.log, 'MAXLEN', kept)
end

-- What the endpoint's gate has to remember, as JSON; '' if it stands open.
local function remember(state, circuit)
  if circuit == '' then redis.call('HDEL', state, 'circuit') else redis.call('HSET', state, 'circuit', circuit) end
end

-- Tell of an endpoint: by an event in the mailbox, above its hard bound too. Needs append.lua before this.
-- The first keys: owner meta mailbox seen floors chats
-- The first args: told dedupe event_id type head tail window keep ring instance
local function news(state, keys, args)
  local told, dedupe, event_id, type_, head, tail, window, keep, ring, instance_id = unpack(args, 1, 10)
  redis.call('HSET', state, 'told', told)
  local epoch = redis.call('HGET', keys[1], 'epoch')
  append({owner = keys[1], meta = keys[2], mailbox = keys[3], seen = keys[4], floors = keys[5], chats = keys[6]},
    epoch,
    {dedupe = dedupe, event_id = event_id, type = type_, chat_id = '', json = head .. (epoch or '0') .. tail,
     ephemeral = false, force = true},
    {soft = 0, hard = 0, window = tonumber(window), keep = tonumber(keep)}, ring, instance_id)
end
