#!/usr/bin/env python3
"""Compare Aviary with the same work done otherwise, alternating in one run: the bare pipeline, Kannel, Node with PostgreSQL, libcurl, cJSON, itself with tap.

    tests/bench/compare.py [--rounds N] [--seconds N] [--only accept,deliver,webhook,outbound,tap,json]

Each round measures every side once, in the other order each time; a row shows the median of each side, the median of the rounds' ratios, and the bar. Bars that
are missed are told again at the end. Prints, and fails nothing: the machine is shared. What is not installed (tools/setup bench) is left out and told.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench
import contenders
from contenders import BIN, Aviary, Kannel, Node, Pipeline, Receiver
from harness import wait_for

PAUSED, AT_ONCE = 60000, 64


def rate(result):
    return result["requests"] / (result["duration_us"] / 1e6)


# ---- measurements: each gives {name: value} ----
def accept(make, name, connections):
    def measure(seconds):
        found = {}
        with make() as side:
            side.send(AT_ONCE, 1)
            for count in connections:
                result = side.send(count, seconds)
                found[f"{name}/{count}"] = rate(result)
                found[f"{name}/{count}/p50"], found[f"{name}/{count}/p99"] = result["p50_us"], result["p99_us"]
        return found

    return measure


def until(seconds, send, done, total):
    """Messages per second from the first request until all `total` is done."""
    began = time.monotonic()
    result = send(AT_ONCE, seconds)
    wait_for(lambda: done() >= total(result["requests"]), 120, 0.02, "all is done")
    return total(result["requests"]) / (time.monotonic() - began)


def deliver_aviary(seconds):
    with Aviary(0) as house:
        return {"aviary/delivered": until(seconds, house.send, house.delivered, lambda _: house.accepted())}


def deliver_kannel(seconds):
    with Kannel() as kannel:
        return {"kannel/delivered": until(seconds, kannel.send, kannel.sent, lambda count: count)}


def webhook_aviary(seconds):
    with Receiver() as receiver, Aviary(0) as house:
        house.subscribe(receiver.url)
        return {"aviary/webhook": until(seconds, house.send, lambda: receiver.count() / 2, lambda _: house.accepted())}


def webhook_kannel(seconds):
    with Receiver() as receiver, Kannel(receiver.url) as kannel:
        return {"kannel/webhook": until(seconds, kannel.send, lambda: receiver.count() / 2, lambda count: count)}


def drain_rate(receiver, before, expected):
    """Deliveries per second between the first and the last tenth of what waited."""

    def reached(part, what):
        wait_for(lambda: receiver.count() >= before + (expected - before) * part, 120, 0.01, what)
        return time.monotonic(), receiver.count()

    first, last = reached(0.1, "the first deliveries"), reached(0.9, "all deliveries")
    return (last[1] - first[1]) / (last[0] - first[0])


def outbound(seconds):
    """`webhooks` stands still while the events pile up, and then has nothing else to do; libcurl then posts its last request again and again."""
    with Receiver() as receiver, Aviary(0) as house:
        house.subscribe(receiver.url)
        house.send(1, 1)
        wait_for(lambda: receiver.count() >= 2 * house.accepted(), 60, 0.05, "the first deliveries")
        before, held = receiver.count(), house.kill("webhooks", sig=signal.SIGSTOP)
        try:
            house.send(AT_ONCE, seconds)
            wait_for(lambda: house.delivered() >= house.accepted(), 60, 0.05, "all delivered")
            expected = 2 * house.accepted()
        finally:
            os.kill(held, signal.SIGCONT)
        found = {"aviary/outbound": drain_rate(receiver, before, expected)}
        with tempfile.NamedTemporaryFile() as file:
            file.write(receiver.last())
            file.flush()
            done = subprocess.run([BIN / "bench_post", receiver.url, file.name, "32", str(seconds)], stdout=subprocess.PIPE, text=True, check=True)
        result = contenders.figures(done.stdout)
        return {**found, "curl/outbound": result["posts"] / (result["duration_us"] / 1e6)}


def tap(seconds):
    found = {}
    with Aviary(PAUSED) as house, tempfile.TemporaryDirectory() as folder:
        house.send(AT_ONCE, 1)
        sides = {"none": None, "subject": ["--subject", "+15550000000"], "record": ["--record", f"{folder}/tap", "--reveal"]}
        for name, flags in sides.items():
            command = [BIN / "aviary", "tap", "--data", house.data, *(flags or [])]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if flags else None
            time.sleep(0.5)
            if process and process.poll() is not None:
                raise RuntimeError("aviary tap ended")
            found[f"tap/{name}"] = rate(house.send(AT_ONCE, seconds))
            if process:
                process.terminate()
                process.wait()
    return found


def json(_):
    text = subprocess.run([BIN / "json_bench", "50000"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {f"json/{name}": float(re.search(rf"{title}\s+(\d+) ns", text)[1]) for name, title in (("cjson", "cJSON_Parse"), ("ours", "read and pack"))}


# ---- what is run, and what is read off it ----
GROUPS = {
    "accept": [("pipeline", accept(Pipeline, "pipeline", (1, 16, 64))), ("aviary", accept(lambda: Aviary(PAUSED), "aviary", (1, 16, 64))),
               ("kannel", accept(Kannel, "kannel", (16, 64))), ("node", accept(Node, "node", (16, 64))),
               ("node", accept(lambda: Node("--single"), "single", (16, 64)))],
    "deliver": [("aviary", deliver_aviary), ("kannel", deliver_kannel)],
    "webhook": [("aviary", webhook_aviary), ("kannel", webhook_kannel)],
    "outbound": [("aviary", outbound)],
    "tap": [("aviary", tap)],
    "json": [("json", json)],
}
# title, ours, theirs, bar, at least (else at most); no bar = only told
ROWS = [
    ("accepted, 16 connections, of the pipeline's rate", "aviary/16", "pipeline/16", 0.7, True),
    ("accepted, 64 connections, of the pipeline's rate", "aviary/64", "pipeline/64", 0.7, True),
    ("p99 (us) at 16, of the pipeline's", "aviary/16/p99", "pipeline/16/p99", 3, False),
    ("p99 (us) at 64, of the pipeline's", "aviary/64/p99", "pipeline/64/p99", 3, False),
    ("one request alone, p50 (us), of the pipeline's", "aviary/1/p50", "pipeline/1/p50", 1.5, False),
    ("the pipeline itself, 64, of Kannel's rate (counts from 2)", "pipeline/64", "kannel/64", 2, True),
    ("accepted, 64, of Node's rate (transaction)", "aviary/64", "node/64", 4, True),
    ("accepted, 64, of Node's rate (one statement)", "aviary/64", "single/64", None, True),
    ("to delivered, 64, of Kannel's rate", "aviary/delivered", "kannel/delivered", 1.2, True),
    ("the same with a subscriber, of Kannel's with reports", "aviary/webhook", "kannel/webhook", 0.8, True),
    ("webhook deliveries, of libcurl's alone", "aviary/outbound", "curl/outbound", 0.5, True),
    ("tap of one subject, of no tap", "tap/subject", "tap/none", 0.9, True),
    ("tap --record, of no tap", "tap/record", "tap/none", 0.6, True),
    ("JSON to msgpack (ns), of cJSON's parse", "json/ours", "json/cjson", 2, False),
]


def available():
    have = {"aviary": BIN / "aviary", "pipeline": BIN / "bench_pipeline", "json": BIN / "json_bench", "kannel": contenders.FAKESMSC,
            "node": contenders.NODE if (contenders.POSTGRES / "initdb").exists() else contenders.POSTGRES / "initdb"}
    for name, path in have.items():
        if not path.exists():
            print(f"left out: {name} ({path} is not there)")
    return {name for name, path in have.items() if path.exists()}


def measure(args, values):
    have = available()
    steps = [measure_one for group in args.only.split(",") for side, measure_one in GROUPS[group] if side in have]
    for number in range(args.rounds):
        for step in steps if number % 2 == 0 else reversed(steps):
            try:
                for name, value in step(args.seconds).items():
                    values.setdefault(name, {})[number] = value
            except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                print(f"  (round {number + 1}: {error})", flush=True)
        print(f"round {number + 1} of {args.rounds}: load {os.getloadavg()[0]:.1f}, {bench.flush_rate(0.3):.0f} flushes/s", file=sys.stderr, flush=True)


def report(values):
    missed = []
    for title, ours, theirs, bar, at_least in ROWS:
        both = sorted(values.get(ours, {}).keys() & values.get(theirs, {}).keys())
        if not both:
            continue
        mine, other = ([values[name][n] for n in both] for name in (ours, theirs))
        ratio = statistics.median(a / b for a, b in zip(mine, other))
        met = bar is None or (ratio >= bar if at_least else ratio <= bar)
        wanted = "no bar" if bar is None else f"{'>=' if at_least else '<='} {bar}"
        line = f"{title:<58} {statistics.median(mine):>9.0f} {statistics.median(other):>9.0f}  {ratio:5.2f}  {wanted:<7}"
        print(line + ("" if met else "  missed"))
        missed += [] if met else [title]
    print("missed: " + ("; ".join(missed) or "none"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join(GROUPS))
    args = parser.parse_args()
    if unknown := set(args.only.split(",")) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    values = {}
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # whatever runs is ended on the way out
    try:
        measure(args, values)
    except KeyboardInterrupt:
        print("interrupted; what was measured:")
    report(values)


if __name__ == "__main__":
    main()
