#!/usr/bin/env python3
"""Measure the path of a send: accepted durable sends per second, p50 and p99, the rate to delivered, commits per message, beside the machine's flush rate.

    tests/bench/bench.py [--seconds N]

Needs build/release and wrk. Prints, judges nothing and fails nothing: the machine is shared, so compare what one run prints.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
os.environ.setdefault("AVIARY_BIN", str(ROOT / "build" / "release" / "bin"))

from harness import House, wait_for  # noqa: E402  (the path comes first)


def flush_rate(seconds=1.0):
    """fdatasyncs per second of a file that grows by 4 KiB, on the disk of the stores."""
    with tempfile.NamedTemporaryFile() as file:
        count, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
        return count / seconds


def figures(text):
    """{name: number} of the line that begins with RESULT."""
    found = re.search(r"RESULT (.*)", text)
    if not found:
        raise RuntimeError(text)
    return {name: int(value) for name, value in (pair.split("=") for pair in found[1].split())}


def wrk_at(port, script, connections, seconds, env):
    """wrk with a script of this folder; what it needs comes from `env`."""
    env = {**os.environ, "BENCH_KEY": "none", "BENCH_FROM": "+15550100", "BENCH_NONCE": str(time.time_ns()), **env}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(Path(__file__).with_name(script)), f"http://127.0.0.1:{port}"]
    return figures(subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout)


def wrk(house, number, connections, seconds):
    return wrk_at(house.port, "sms.lua", connections, seconds, {"BENCH_KEY": house.test_key, "BENCH_FROM": number})


def metric(house, name):
    """Sum of a metric over all its label sets; 0 if it is not there."""
    text = house.http("GET", "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}(\{{|\s)", line))


def accepted(seconds):
    with House("--rate-limits", "off", "--loopback-delay", "60000") as house:
        number = house.http("POST", "/v1/playground/phone-numbers/system", key=house.test_key).json["number"]
        print("accepted durable sends, carrier paused")
        for connections in (1, 16, 64):
            before = metric(house, "aviary_messaging_commits_total")
            result = wrk(house, number, connections, seconds)
            rate = result["requests"] / (result["duration_us"] / 1e6)
            commits = (metric(house, "aviary_messaging_commits_total") - before) / max(1, result["requests"])
            print(f"  {connections:3} connections: {rate:8.0f}/s  p50 {result['p50_us'] / 1000:7.2f} ms  p99 {result['p99_us'] / 1000:7.2f} ms  "
                  f"{commits:5.2f} commits a message  {result['non2xx']} not 2xx  {result['socket_errors']} socket errors", flush=True)


def delivered(seconds):
    with House("--rate-limits", "off", "--loopback-delay", "0") as house:
        number = house.http("POST", "/v1/playground/phone-numbers/system", key=house.test_key).json["number"]
        started = time.monotonic()
        result = wrk(house, number, 64, seconds)
        sent = metric(house, "aviary_messaging_sms_accepted_total")
        wait_for(lambda: metric(house, "aviary_messaging_recipients_delivered_total") >= sent, 120, 0.1, "all delivered")
        took = time.monotonic() - started
        print(f"to delivered, 64 connections: {sent / took:8.0f}/s  (accepted at {result['requests'] / (result['duration_us'] / 1e6):.0f}/s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    print(f"flushes of this disk: {flush_rate():.0f}/s")
    accepted(args.seconds)
    delivered(args.seconds)


if __name__ == "__main__":
    main()
