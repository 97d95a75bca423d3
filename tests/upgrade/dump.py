#!/usr/bin/env python3
"""Make a new dump: dump.py --bin DIR NAME runs a day (day.py) with the binaries in DIR, kills the house and writes tests/upgrade/NAME. See README.md."""
import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import carriers  # noqa: E402
import harness  # noqa: E402
from day import Day  # noqa: E402
import dumps  # noqa: E402

FULL = {"messaging": ["jobs", "lanes", "due", "claimed", "svc.idem_a", "svc.idem_b", "svc.parked"], "webhooks": ["jobs", "lanes", "due", "svc.idem_a"],
        "accounts": ["svc.idem_a", "svc.idem_b"], "inbox": ["svc.idem_a", "svc.idem_b"]}  # what must not be empty, where a version has it
# The journals hold the last hour only: who follows from before takes the snapshot. It makes the dump smaller, too.
ENV = {"AVIARY_WEBHOOKS_JITTER": "0"} | {f"AVIARY_{service}_JOURNAL_RETENTION": "1h" for service in ("ACCOUNTS", "MESSAGING", "INBOX")}
REFUSED = {"/refuses": 500, "/later": (429, {"Retry-After": "3600"}, b"")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, type=Path, help="folder of the binaries of the version that landed")
    parser.add_argument("name", help="name of the dump: the day it landed, YYYY-MM-DD")
    given = parser.parse_args()
    harness.BIN = given.bin.resolve()
    with harness.Receiver(lambda request: REFUSED.get(request.path, 200)) as receiver, \
            carriers.Carriers("--test-clock", "--loopback-delay", "600", settings={"send_schedule": "1s,15m", "send_jitter": 0}, env=ENV) as live:
        facts = Day(live).run(receiver)
        facts["version"] = live.house.cli("--version").split()[-1]
        live.house.crash()  # what was at the carrier stays claimed
        facts["stopped_at"] = time.time_ns() // 1000000 + dumps.clock_offset(live.house.data)
        dumps.write(live.house.data, facts, HERE / given.name)
    for store, tables in FULL.items():
        for table in tables:
            assert dumps.rows(HERE / given.name / f"{store}.txt", table) != 0, f"{store} has nothing in {table}: the day did not leave what it is for"
    size = sum(path.stat().st_size for path in (HERE / given.name).iterdir())
    print(f"{HERE / given.name}: {size} bytes")


if __name__ == "__main__":
    main()
