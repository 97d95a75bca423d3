#!/usr/bin/env python3
"""What one message costs: rate, CPU and (with --instructions) instructions of each process, while wrk sends.

    tests/bench/cost.py [--mode accept|deliver] [--connections N] [--seconds N] [--instructions] [--tap "FLAGS"] [BIN...]

Give two folders of binaries to compare builds: they are measured in turn, --rounds times. `accept` keeps the carrier paused, `deliver` waits until all is
delivered; with --tap an `aviary tap FLAGS` runs beside it. CPU comes in steps of 10 ms; instructions need perf. Prints and judges nothing.
"""
import argparse
import contextlib
import os
import shlex
import subprocess
import time

import bench
from harness import House, wait_for

SERVICES = ["edge", "broker", "messaging", "webhooks", "accounts"]
ACCEPTED, DELIVERED = "aviary_messaging_sms_accepted_total", "aviary_messaging_recipients_delivered_total"
COMMITS = ["aviary_messaging_commits_total", "aviary_webhooks_commits_total"]


def cpu_us(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 // os.sysconf("SC_CLK_TCK")


def instructions_begin(pid):
    return subprocess.Popen(["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", str(pid)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def instructions_end(process):
    process.send_signal(2)
    rows = [line.split(",") for line in process.communicate()[1].splitlines() if "instructions" in line]
    return [int(row[0]) if row[0].isdigit() else 0 for row in rows]


def all_delivered(house):
    wait_for(lambda: bench.metric(house, DELIVERED) >= bench.metric(house, ACCEPTED), 120, 0.05, "all delivered")


@contextlib.contextmanager
def tap_beside(house, args, binaries):
    """The process id of an `aviary tap`, as {"tap": pid}; {} without one."""
    if args.tap is None:
        yield {}
        return
    with subprocess.Popen([f"{binaries}/aviary", "tap", "--data", house.data, *shlex.split(args.tap)], stdout=subprocess.DEVNULL) as process:
        time.sleep(1)
        yield {"tap": process.pid}
        process.terminate()


def measure(args, binaries):
    delay = "60000" if args.mode == "accept" else "0"
    began = time.monotonic()
    with House("--rate-limits", "off", "--loopback-delay", delay, binaries=binaries) as house, tap_beside(house, args, binaries) as tap:
        ready = time.monotonic() - began
        number = house.http("POST", "/v1/playground/phone-numbers/system", key=house.test_key).json["number"]
        pids = {name: house.pid(name) for name in SERVICES} | tap
        bench.wrk(house, number, args.connections, 1)
        if args.mode == "deliver":
            all_delivered(house)
        before = {name: bench.metric(house, name) for name in COMMITS + [ACCEPTED]}
        spent = {name: cpu_us(pid) for name, pid in pids.items()}
        counters = {name: instructions_begin(pid) for name, pid in pids.items()} if args.instructions else {}
        began = time.monotonic()
        result = bench.wrk(house, number, args.connections, args.seconds)
        if args.mode == "deliver":
            all_delivered(house)
        took = time.monotonic() - began
        spent = {name: cpu_us(pid) - spent[name] for name, pid in pids.items()}
        counted = {name: instructions_end(process) for name, process in counters.items()}
        after = {name: bench.metric(house, name) - before[name] for name in before}
    count = max(1, after[ACCEPTED])
    print(f"{binaries}: {args.mode} at {args.connections}: {count / took:.0f}/s  p50 {result['p50_us']} us  p99 {result['p99_us']} us  {result['non2xx']} not 2xx  "
          f"ready {ready:.2f} s  commits: messaging {after[COMMITS[0]] / count:.3f} a message, webhooks {after[COMMITS[1]]:.0f} in all")
    print("  CPU us a message: " + "  ".join(f"{name} {us / count:.1f}" for name, us in spent.items()) + f"  sum {sum(spent.values()) / count:.1f}")
    for name, values in counted.items():
        print(f"  instructions a message, {name}: " + "  ".join(f"{kind} {value / count:.0f}" for kind, value in zip(("user", "kernel"), values)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["accept", "deliver"], default="accept")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--tap", metavar="FLAGS")
    parser.add_argument("binaries", nargs="*", default=[os.environ["AVIARY_BIN"]], metavar="BIN")
    args = parser.parse_args()
    for _ in range(args.rounds):
        for binaries in args.binaries:
            measure(args, binaries)


if __name__ == "__main__":
    main()
