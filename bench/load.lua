-- One script for every wrk run; what it sends comes from the environment:
--   BENCH_BODY    a file: POST its content (built once, so that wrk itself stays cheap)
--   BENCH_SUBMIT  a word: POST a task under an idempotency key of its own, which begins with this word
-- The last line of output is JSON.
local body_file = os.getenv("BENCH_BODY")
local submit = os.getenv("BENCH_SUBMIT")

if body_file or submit then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

if body_file then
  local file = assert(io.open(body_file, "rb"))
  wrk.body = file:read("*a")
  file:close()
end

if submit then
  local sent = 0
  function request()
    sent = sent + 1
    local key = submit .. "-" .. tostring(wrk.thread):match("0x%x+") .. "-" .. sent
    return wrk.format(nil, nil, nil, '{"type":"general_query","description":"what is 2 + 3?","params":{"series":' ..
      '"nyc_taxi","window":48,"threshold":0.75},"run_immediately":false,"idempotency_key":"' .. key .. '"}')
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.6f,"status_errors":%d,"socket_errors":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
