#!/usr/bin/env python3
"""Measure what accepting a message costs from the first 100,000 to two million in the store, and draw it.

    tests/bench/growth.py [--messages N] [--batch N] [--deliver] [--figure FILE] [--read FILE]

Runs bench_growth (services/messaging/growth_bench.c says what it does) and prints its lines; --figure writes an SVG of them, --read draws lines that were printed before. The bar, a
ratio under 1.5, is for CPU time a message, the last 50,000 beside those that end at 100,000 of a store filled meanwhile. 2 million messages take 3.4 GB, in TMPDIR. Prints, and fails nothing.
"""
import argparse
import os
import re
import subprocess
from pathlib import Path

import bench  # noqa: F401  (it names the binaries)

BAR, FIRST = 1.5, 100000
LINE = re.compile(r"^ *(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)( +fresh)?$")
END = re.compile(r"^of (\d+) to \d+ messages, CPU then ([\d.]+), CPU meanwhile ([\d.]+), wall meanwhile ([\d.]+)$")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 340, 56, 28, 58, 44


def run(messages, batch=32, deliver=False):
    """bench_growth's lines, as they come."""
    command = [Path(os.environ["AVIARY_BIN"]) / "bench_growth", "--messages", str(messages), "--batch", str(batch), *(["--deliver"] if deliver else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield from process.stdout
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise RuntimeError("bench_growth failed")


def read(lines):
    """([(messages, cpu_us, cpu_mean, wall_us, store_mb)], {messages, then, meanwhile, wall, fresh}) of its lines; `fresh` is the other store's last cpu_us."""
    rows, end, fresh = [], None, None
    for line in lines:
        if found := LINE.match(line):
            row = tuple(float(word) for word in found.groups()[:5])
            if found[6]:
                fresh = row[1]
            else:
                rows.append(row)
        elif found := END.match(line):
            end = dict(zip(("messages", "then", "meanwhile", "wall"), (float(word) for word in found.groups())))
    if not rows or not end or not fresh:
        raise RuntimeError("bench_growth printed no figures")
    return rows, {**end, "fresh": fresh}


def step_of(most, count):
    """A round step that divides 0..most into about `count` parts."""
    return next(size for power in range(12) for size in (10**power, 2 * 10**power, 5 * 10**power) if most <= size * count)


STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; fill: #24292f }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .median { fill: none; stroke: #0969da; stroke-width: 2 }
  .mean { fill: none; stroke: #0969da; stroke-width: 1; stroke-dasharray: 2 3 }
  .bar { stroke: #cf222e; stroke-width: 1; stroke-dasharray: 6 4 }
  .of-bar { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #8b949e }
    .title { fill: #e6edf3 }
    .grid { stroke: #30363d }
    .median, .mean { stroke: #58a6ff }
    .bar { stroke: #ff7b72 }
    .of-bar { fill: #ff7b72 }
  }
"""


def draw(rows, end):
    """The figure: CPU time a message over the messages in the store."""
    first = next((row[1] for row in rows if row[0] >= FIRST), rows[0][1])
    most_x, most_y = rows[-1][0], 1.15 * max(BAR * first, max(max(row[1:3]) for row in rows))

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * value / most_x

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most_y

    def line(column):
        return " ".join(f"{x(row[0]):.1f},{y(row[column]):.1f}" for row in rows)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
             f"<title>CPU time to accept a message, by the messages in the store: {end['meanwhile']:.2f} times at {most_x:.0f}</title>", f"<style>{STYLE}</style>",
             f'<text class="title" x="{LEFT}" y="20">CPU time to accept a message (us), medians of 50,000 (dotted: means)</text>']
    step = step_of(most_y, 6)
    for n in range(int(most_y / step) + 1):
        at = y(n * step)
        parts += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>',
                  f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{n * step:g}</text>']
    step = step_of(most_x, 8)
    parts += [f'<text x="{x(n * step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{n * step / 1000:,.0f}</text>' for n in range(int(most_x / step) + 1)]
    parts += [f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">thousands of messages in the store</text>',
              f'<line class="bar" x1="{x(FIRST):.1f}" x2="{WIDTH - RIGHT}" y1="{y(BAR * first):.1f}" y2="{y(BAR * first):.1f}"/>',
              f'<text class="of-bar" x="{LEFT}" y="40">dashed: {BAR} times that at {FIRST:,}</text>',
              f'<polyline class="mean" points="{line(2)}"/>', f'<polyline class="median" points="{line(1)}"/>', "</svg>"]
    return "\n".join(parts) + "\n"


def shown(lines):
    for line in lines:
        print(line, end="", flush=True)
        yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000000)
    parser.add_argument("--batch", type=int, default=32, help="asks in a turn")
    parser.add_argument("--deliver", action="store_true", help="the carrier takes and delivers them too")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--read", type=Path)
    args = parser.parse_args()
    lines = args.read.read_text(encoding="utf-8").splitlines(keepends=True) if args.read else run(args.messages, args.batch, args.deliver)
    rows, end = read(shown(lines))
    print(f"{end['meanwhile']:.2f}, bar < {BAR}{'' if end['meanwhile'] < BAR else '  missed'}")
    if args.figure:
        args.figure.write_text(draw(rows, end), encoding="utf-8")


if __name__ == "__main__":
    main()
