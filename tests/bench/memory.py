#!/usr/bin/env python3
"""Measure memory: all processes idle (PSS less the stores' maps), and anonymous memory after 20,000 and after 200,000 delivered messages.

    tests/bench/memory.py [--first N] [--second N] [--connections N]

Needs build/release and wrk. Prints, beside the promises (idle at most 150 MB, aim 100; growth at most 10 %), and fails nothing. Every message has an
idempotency key, runs to `delivered` and stands in the store and the journal, so what grows with the number of messages would show. What the edge works with
grows with the requests under way at once, which the first part has reached.
"""
import argparse
import re
import time
from pathlib import Path

from bench import House, metric, wait_for, wrk

MAPS = re.compile(r"/(data\.mdb|lock\.mdb)$")


def pids_of(house):
    """Every process below the supervisor, by name."""
    found = {house.process.pid: "aviary"}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(fields["PPid"]) == house.process.pid:
            found[int(fields["Pid"])] = (status.parent / "cmdline").read_bytes().split(b"\0")[0].decode().rsplit("/", 1)[-1]
    return found


def memory(pid):
    """(PSS less the stores' maps, anonymous) in KiB."""
    name, pss, anonymous = "", 0, 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            name = line
        elif line.startswith("Pss:") and not MAPS.search(name):
            pss += int(line.split()[1])
        elif line.startswith("Anonymous:"):
            anonymous += int(line.split()[1])
    return pss, anonymous


def show(house, title):
    rows = {name: memory(pid) for pid, name in sorted(pids_of(house).items())}
    pss, anonymous = (sum(row[i] for row in rows.values()) for i in (0, 1))
    print(f"{title}: {pss / 1024:.1f} MB PSS less maps, {anonymous / 1024:.1f} MB anonymous  "
          + "  ".join(f"{name.removeprefix('aviary-')} {row[1] / 1024:.1f}" for name, row in rows.items()), flush=True)
    return pss, anonymous


def deliver(house, number, until, connections):
    """Send until so many were accepted, then wait until all are delivered and followed."""
    while (sent := metric(house, "aviary_messaging_sms_accepted_total")) < until:
        wrk(house, number, connections, max(1, min(5, int((until - sent) / 10000))))
    wait_for(lambda: metric(house, "aviary_messaging_recipients_delivered_total") >= metric(house, "aviary_messaging_sms_accepted_total"), 300, 0.2, "all delivered")
    time.sleep(3)
    return int(metric(house, "aviary_messaging_sms_accepted_total"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=20000)
    parser.add_argument("--second", type=int, default=200000)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    with House("--rate-limits", "off", "--loopback-delay", "0") as house:
        number = house.http("POST", "/v1/playground/phone-numbers/system", key=house.test_key).json["number"]
        time.sleep(3)
        show(house, "idle")
        first = deliver(house, number, args.first, args.connections)
        before = show(house, f"after {first} messages")
        second = deliver(house, number, args.second, args.connections)
        after = show(house, f"after {second} messages")
        print(f"growth of anonymous memory: {100 * (after[1] / before[1] - 1):+.1f} %")


if __name__ == "__main__":
    main()
