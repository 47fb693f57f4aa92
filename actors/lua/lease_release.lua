-- KEYS owner lease; ARGV epoch
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
