-- sms.lua - wrk's request: one SMS of 120 characters, one part. KEY, FROM and NONCE come from the environment; each request has an idempotency key of its own.
local key, from, nonce = os.getenv ("BENCH_KEY"), os.getenv ("BENCH_FROM"), os.getenv ("BENCH_NONCE")
local text = string.rep ("twelve chars", 10)
local thread_count, count = 0, 0

function setup (thread)
    thread:set ("number", thread_count)
    thread_count = thread_count + 1
end

function request ()
    count = count + 1
    local to = string.format ("+1555%d%06d", number or 0, count % 1000000)
    local body = string.format ('{"from":"%s","to":["%s"],"text":"%s"}', from, to, text)
    local headers = { ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json",
                      ["Idempotency-Key"] = string.format ("%s-%d-%d", nonce, number or 0, count) }
    return wrk.format ("POST", "/v1/sms", headers, body)
end

local other = 0
function response (status)
    if status ~= 201 then other = other + 1 end
end

function done (summary, latency)
    io.write (string.format ("RESULT requests=%d duration_us=%d p50_us=%d p99_us=%d non2xx=%d socket_errors=%d\n", summary.requests,
                             summary.duration, latency:percentile (50), latency:percentile (99), summary.errors.status,
                             summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
