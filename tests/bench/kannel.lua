-- kannel.lua - wrk's request to Kannel's smsbox: one SMS of 120 characters, one part. BENCH_DLR is the receiver's address, "" = no reports; 9 asks for two, sent and delivered.
local text = string.rep ("twelve+chars", 10)
local dlr = os.getenv ("BENCH_DLR") or ""
local thread_count, count = 0, 0

-- One format, as in sms.lua. A percent sign of the receiver's address stays one.
local reports = dlr ~= "" and ("&dlr-mask=9&dlr-url=" .. dlr):gsub ("%%", "%%%%") or ""
local whole = "GET /cgi-bin/sendsms?username=bench&password=bench&from=15550100&to=1555%d%06d&text=" .. text .. reports .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"

function setup (thread)
    thread:set ("number", thread_count)
    thread_count = thread_count + 1
end

function request ()
    count = count + 1
    return string.format (whole, number, count % 1000000)
end

function done (summary, latency)
    io.write (string.format ("RESULT requests=%d duration_us=%d p50_us=%d p99_us=%d non2xx=%d socket_errors=%d\n", summary.requests,
                             summary.duration, latency:percentile (50), latency:percentile (99), summary.errors.status,
                             summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
