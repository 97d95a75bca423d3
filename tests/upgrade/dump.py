#!/usr/bin/env python3
"""Make a new dump: dump.py --bin DIR NAME runs a day (day.py) with the binaries in DIR and writes tests/upgrade/NAME. See README.md."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, type=Path, help="folder of the binaries of the version that landed")
    parser.add_argument("name", help="name of the dump: the day it landed, YYYY-MM-DD")
    given = parser.parse_args()
    harness.BIN = given.bin.resolve()
    with harness.Receiver(lambda request: 500 if request.path == "/refuses" else 200) as receiver, \
            carriers.Carriers("--test-clock", "--loopback-delay", "10", env={"AVIARY_WEBHOOKS_JITTER": "0"}) as live:
        facts = Day(live).run(receiver)
        facts["version"] = live.house.cli("--version").split()[-1]
        code = live.house.stop()
        assert code == 0, f"the house ended with {code}"
        facts["stopped_at"] = time.time_ns() // 1000000 + dumps.clock_offset(live.house.data)
        dumps.write(live.house.data, facts, HERE / given.name)
    size = sum(path.stat().st_size for path in (HERE / given.name).iterdir())
    print(f"{HERE / given.name}: {size} bytes")


if __name__ == "__main__":
    main()
