#!/usr/bin/env python3
"""Compare Aviary with the same work done otherwise, alternating in one run: the bare pipeline, Kannel, Node with PostgreSQL, libcurl, cJSON, itself with tap.

    tests/bench/compare.py [--rounds N] [--seconds N] [--only accept,deliver,webhook,outbound,tap,json,idle,growth] [--messages N] [--figure FILE]

Each round measures every side once, in the other order each time; a row shows the median of each side, the median of the rounds' ratios with the least and
the greatest, and the bar. Bars that
are missed are told again at the end. `growth` (growth.py) is measured once: 2,000,000 messages when it is named, 300,000 when all is measured, or --messages; --figure draws it. Prints, and
fails nothing: the machine is shared. What is not installed (tools/setup bench) is left out and told.
"""
import argparse
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench
import contenders
import growth
import memory
from contenders import BIN, Aviary, Kannel, Node, Pipeline, Receiver
from harness import House, wait_for

PAUSED, AT_ONCE = 60000, 64
MANY, FEWER = 2000000, 300000  # of growth


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


def until(name, side, seconds, done, total):
    """From the first request until all `total` is done: messages per second, and CPU time a message of all the side's processes."""
    spent, began = contenders.cpu_us(side), time.monotonic()
    result = side.send(AT_ONCE, seconds)
    wait_for(lambda: done() >= total(result["requests"]), 120, 0.02, "all is done")
    count, took = total(result["requests"]), time.monotonic() - began
    return {name: count / took, f"{name}/cpu": (contenders.cpu_us(side) - spent) / count}


def deliver_aviary(seconds):
    with Aviary(0) as house:
        return until("aviary/delivered", house, seconds, house.delivered, lambda _: house.accepted())


def deliver_kannel(name, **how):
    """To what Kannel counts as sent: it is written to the carrier's socket."""

    def measure(seconds):
        with Kannel(**how) as kannel:
            return until(f"{name}/delivered", kannel, seconds, kannel.sent, lambda count: count)

    return measure


def webhook_aviary(seconds):
    with Receiver() as receiver, Aviary(0) as house:
        house.subscribe(receiver.url)
        return until("aviary/webhook", house, seconds, lambda: receiver.count() / 2, lambda _: house.accepted())


def webhook_kannel(name, **how):
    def measure(seconds):
        with Receiver() as receiver, Kannel(receiver.url, **how) as kannel:
            return until(f"{name}/webhook", kannel, seconds, lambda: receiver.count() / 2, lambda count: count)

    return measure


def drain_rate(receiver, before, expected):
    """Deliveries per second between the first and the last tenth of what waited."""

    def reached(part, what):
        wait_for(lambda: receiver.count() >= before + (expected - before) * part, 120, 0.05, what)
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
        result = bench.figures(done.stdout)
        return {**found, "curl/outbound": result["posts"] / (result["duration_us"] / 1e6)}


TAP_TURNS = itertools.count()


def tap(seconds):
    """One house for all, so each turn begins with another side: the store gets fuller."""
    found, first = {}, next(TAP_TURNS)
    with Aviary(PAUSED) as house, tempfile.TemporaryDirectory() as folder:
        house.send(AT_ONCE, 1)
        sides = {"none": None, "subject": ["--subject", "+15550000000"], "record": ["--record", f"{folder}/tap", "--reveal"]}
        names = list(sides)
        for name in names[first % len(names):] + names[:first % len(names)]:
            flags = sides[name]
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


def idle(_):
    """From the command to /readyz, the first time and again; then what it holds in memory."""
    found = {}
    with House("--rate-limits", "1000000", start=False) as house:
        for name in ("first", "later"):
            house.stop()
            began = time.monotonic()
            house.start()
            found[f"start/{name}"] = time.monotonic() - began
        time.sleep(3)
        found["idle/pss"] = sum(memory.memory(pid)[0] for pid in memory.pids_of(house)) / 1024
    return found


def grow(messages, figure):
    def measure(_):
        found = {}
        for name in ("growth", "delivered"):
            rows, end = growth.read(growth.run(messages, deliver=name == "delivered"))
            found |= {f"{name}/last": rows[-1][1], f"{name}/first": end["fresh"]}
            if figure and name == "growth":
                figure.write_text(growth.draw(rows, end), encoding="utf-8")
        return found

    return measure


# ---- what is run, and what is read off it ----
def groups(messages=FEWER, figure=None):
    """{name: [(what must be there, measurement)]}"""
    return {
        "accept": [("pipeline", accept(Pipeline, "pipeline", (1, 16, 64))), ("aviary", accept(lambda: Aviary(PAUSED), "aviary", (1, 16, 64))),
                   ("kannel", accept(Kannel, "kannel", (16, 64))), ("kannel", accept(lambda: Kannel(packaged=True), "packaged", (16, 64))),
                   ("node", accept(Node, "node", (16, 64))), ("node", accept(lambda: Node("--single"), "single", (16, 64)))],
        "deliver": [("aviary", deliver_aviary), ("kannel", deliver_kannel("kannel")), ("kannel", deliver_kannel("packaged", packaged=True))],
        "webhook": [("aviary", webhook_aviary), ("kannel", webhook_kannel("kannel")), ("kannel", webhook_kannel("packaged", packaged=True))],
        "outbound": [("aviary", outbound)],
        "tap": [("aviary", tap)],
        "json": [("json", json)],
        "idle": [("aviary", idle)],
        "growth": [("growth", grow(messages, figure))],
    }


ONCE = {"growth"}
# title, ours, theirs (None: ours itself is judged), the bar; without one it is only told
ROWS = [
    ("accepted, 16 connections, of the pipeline's rate", "aviary/16", "pipeline/16", ">= 0.7"),
    ("accepted, 64 connections, of the pipeline's rate", "aviary/64", "pipeline/64", ">= 0.7"),
    ("p99 (us) at 16, of the pipeline's", "aviary/16/p99", "pipeline/16/p99", "<= 3"),
    ("p99 (us) at 64, of the pipeline's", "aviary/64/p99", "pipeline/64/p99", "<= 3"),
    ("one request alone, p50 (us), of the pipeline's", "aviary/1/p50", "pipeline/1/p50", "<= 1.5"),
    ("the pipeline itself, 64, of Kannel's rate (counts from 2)", "pipeline/64", "kannel/64", ">= 2"),
    ("the pipeline itself, 64, of Kannel's as packaged", "pipeline/64", "packaged/64", None),
    ("accepted, 64, of Kannel's rate", "aviary/64", "kannel/64", None),
    ("accepted, 64, of Kannel's as packaged", "aviary/64", "packaged/64", None),
    ("accepted, 64, of Node's rate (transaction)", "aviary/64", "node/64", ">= 4"),
    ("accepted, 64, of Node's rate (one statement)", "aviary/64", "single/64", None),
    ("to delivered, 64, of Kannel's rate", "aviary/delivered", "kannel/delivered", ">= 1.2"),
    ("to delivered, 64, of Kannel's as packaged", "aviary/delivered", "packaged/delivered", None),
    ("the same, CPU (us) a message, of Kannel's", "aviary/delivered/cpu", "kannel/delivered/cpu", None),
    ("the same, CPU (us) a message, of Kannel's as packaged", "aviary/delivered/cpu", "packaged/delivered/cpu", None),
    ("the same with a subscriber, of Kannel's with reports", "aviary/webhook", "kannel/webhook", ">= 0.8"),
    ("the same with a subscriber, of Kannel's as packaged", "aviary/webhook", "packaged/webhook", None),
    ("webhook deliveries, of libcurl's alone", "aviary/outbound", "curl/outbound", ">= 0.5"),
    ("tap of one subject, of no tap", "tap/subject", "tap/none", ">= 0.9"),
    ("tap --record, of no tap", "tap/record", "tap/none", ">= 0.6"),
    ("JSON to msgpack (ns), of cJSON's parse", "json/ours", "json/cjson", "<= 2"),
    ("idle memory of all processes (MB), PSS less maps", "idle/pss", None, "< 100"),
    ("start to /readyz (s), the first time", "start/first", None, "< 2"),
    ("start to /readyz (s), later", "start/later", None, "< 2"),
    ("CPU (us) to accept at {messages:,} queued, of at 100,000", "growth/last", "growth/first", "< 1.5"),
    ("CPU (us) to delivered at {messages:,}, of at 100,000", "delivered/last", "delivered/first", "< 1.5"),
]
HOLDS = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, "<": lambda a, b: a < b}


def available():
    have = {"aviary": BIN / "aviary", "pipeline": BIN / "bench_pipeline", "json": BIN / "json_bench", "growth": BIN / "bench_growth", "kannel": contenders.FAKESMSC,
            "node": contenders.NODE if (contenders.POSTGRES / "initdb").exists() else contenders.POSTGRES / "initdb"}
    for name, path in have.items():
        if not path.exists():
            print(f"left out: {name} ({path} is not there)")
    return {name for name, path in have.items() if path.exists()}


def measure(args, values):
    have = available()
    steps = [(group, step) for group in args.only for side, step in groups(args.messages, args.figure)[group] if side in have]
    for number in range(args.rounds):
        for group, step in steps if number % 2 == 0 else reversed(steps):
            if number and group in ONCE:
                continue
            try:
                for name, value in step(args.seconds).items():
                    values.setdefault(name, {})[number] = value
            except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                print(f"  (round {number + 1}: {error})", flush=True)
        print(f"round {number + 1} of {args.rounds}: load {os.getloadavg()[0]:.1f}, {bench.flush_rate(0.3):.0f} flushes/s", file=sys.stderr, flush=True)


def figure_of(value):
    return f"{value:9.0f}" if value >= 1000 else f"{value:9.1f}" if value >= 10 else f"{value:9.2f}"


def report(values, messages):
    missed = []
    for title, ours, theirs, bar in ROWS:
        mine, other = values.get(ours, {}), values.get(theirs, {})
        both = sorted(mine.keys() & other.keys() if theirs else mine)
        if not both:
            continue
        ratios = [mine[n] / other[n] if theirs else mine[n] for n in both]
        judged = statistics.median(ratios)
        how, limit = bar.split() if bar else ("", "")
        met = not bar or HOLDS[how](judged, float(limit))
        title = title.format(messages=messages)
        told = (figure_of(statistics.median(mine[n] for n in both)), figure_of(statistics.median(other[n] for n in both)) if theirs else " " * 9,
                f"{judged:5.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if theirs else "")
        print(f"{title:<58} {told[0]} {told[1]}  {told[2]:<22} {bar or 'no bar':<7}" + ("" if met else "  missed"))
        missed += [] if met else [title]
    print("missed: " + ("; ".join(missed) or "none"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only")
    parser.add_argument("--messages", type=int, help="of growth")
    parser.add_argument("--figure", type=Path, help="of growth")
    args = parser.parse_args()
    args.messages = args.messages or (MANY if args.only and "growth" in args.only.split(",") else FEWER)
    args.only = args.only.split(",") if args.only else list(groups())
    if unknown := set(args.only) - set(groups()):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    values = {}
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # whatever runs is ended on the way out
    try:
        measure(args, values)
    except KeyboardInterrupt:
        print("interrupted; what was measured:")
    report(values, args.messages)


if __name__ == "__main__":
    main()
