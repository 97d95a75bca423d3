-- sms.lua - wrk's request: one SMS of 120 characters, one part. KEY, FROM and NONCE come from the environment; each request has an idempotency key of its own.
local key, from, nonce = os.getenv ("BENCH_KEY"), os.getenv ("BENCH_FROM"), os.getenv ("BENCH_NONCE")
local text = string.rep ("twelve chars", 10)
local thread_count, count = 0, 0

-- wrk shares the processors with what it measures, so a request is one format: all bodies are of one length, and no `response` makes wrk hand each answer to Lua.
local body = '{"from":"' .. from .. '","to":["+1555%d%06d"],"text":"' .. text .. '"}'
local head = "POST /v1/sms HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer " .. key .. "\r\nContent-Type: application/json\r\nContent-Length: " ..
             #string.format (body, 0, 0) .. "\r\nIdempotency-Key: " .. nonce .. "-%d-%d\r\n\r\n"
local whole = head .. body

function setup (thread)
    thread:set ("number", thread_count)
    thread_count = thread_count + 1
end

function request ()
    count = count + 1
    return string.format (whole, number, count, number, count % 1000000)
end

function done (summary, latency)
    io.write (string.format ("RESULT requests=%d duration_us=%d p50_us=%d p99_us=%d non2xx=%d socket_errors=%d\n", summary.requests,
                             summary.duration, latency:percentile (50), latency:percentile (99), summary.errors.status,
                             summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
