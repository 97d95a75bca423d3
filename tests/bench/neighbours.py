#!/usr/bin/env python3
"""What a number notices of another one whose carrier is dead, throttles or hangs: p50 from a request to the webhook that tells `sent`, beside the same without it.

    tests/bench/neighbours.py [--rounds N] [--messages N]

Two installations measure by turns, one with and one without the other number; a ratio is the median of the rounds' ratios. Prints, and fails nothing.
"""
import argparse
import contextlib
import statistics

import bench  # noqa: F401  (it names the binaries)
from test_carrier_faults import CHANNELS, TROUBLES, Neighbours

BAR = 1.3


@contextlib.contextmanager
def place():
    rig = Neighbours("test_neighbours")
    rig.setUp()
    try:
        for channel in CHANNELS:
            rig.p50(channel, 5)  # connections are there
        yield rig
    finally:
        rig.tearDown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=30, help="of a round, in each channel")
    args = parser.parse_args()
    missed = []
    with place() as alone, place() as beside:
        for nth, (name, action) in enumerate(TROUBLES.items()):
            beside.trouble(nth, action)
            for channel in CHANNELS:
                pairs = [(beside.p50(channel, args.messages), alone.p50(channel, args.messages)) for _ in range(args.rounds)]
                ratio = statistics.median(with_it / without for with_it, without in pairs)
                with_it, without = (statistics.median(column) for column in zip(*pairs))
                print(f"{channel:8} another number {name:10} p50 {with_it:6.1f} ms  without {without:6.1f} ms  ratio {ratio:.2f}  < {BAR}", flush=True)
                if ratio >= BAR:
                    missed.append(f"{channel}, another number {name}")
    print("missed: " + ("; ".join(missed) or "none"))


if __name__ == "__main__":
    main()
