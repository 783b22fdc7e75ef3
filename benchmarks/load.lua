-- Sends one scenario's requests and prints what came of them as a line of JSON.
-- Arguments: method, path (in which {id} stands for a user), least and greatest id, body.

local requests, turn = {}, 0

function init(args)
   local method, path, body = args[1], args[2], args[5]
   local headers = { ["Host"] = "localhost" }
   if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
   for id = tonumber(args[3]), tonumber(args[4]) do
      requests[#requests + 1] = wrk.format(method, (path:gsub("{id}", id)), headers, body)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   print(string.format('{"answers": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}', summary.requests,
      summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
