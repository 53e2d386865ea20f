-- wrk script: plays a table of complete request heads, each thread from its own place in it, with bodies from a second file.
-- Arguments: table of heads, number of threads, file of bodies ("-" for none), bytes per body.
local threads_made = 0

function setup(thread)
  thread:set("slot", threads_made)
  threads_made = threads_made + 1
end

local function read_all(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  heads, bodies = {}, nil
  local text, from = read_all(args[1]), 1
  while true do
    local _, stop = text:find("\r\n\r\n", from, true)
    if not stop then break end
    heads[#heads + 1] = text:sub(from, stop)
    from = stop + 1
  end
  if args[3] ~= "-" then
    local size, all = tonumber(args[4]), read_all(args[3])
    bodies = {}
    for at = 1, #all, size do bodies[#bodies + 1] = all:sub(at, at + size - 1) end
  end
  place = math.floor(slot * #heads / tonumber(args[2]))
end

function request()
  place = place + 1
  if place > #heads then place = 1 end
  if bodies then return heads[place] .. bodies[(place - 1) % #bodies + 1] end
  return heads[place]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, summary.bytes, errors.status, errors.connect, errors.read, errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
