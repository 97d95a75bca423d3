#!/usr/bin/env python3
"""Generated parts of the docs are what the generator says today: docs_test.py [--write]."""
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "<!-- settings and errors: made by tests/style/docs_test.py --write -->\n"


def generated():
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([sys.executable, str(ROOT / "tools/schemagen/schemagen.py"), "--schemas", str(ROOT / "schemas"), "--out", out, "--docs"],
                              check=True, stdout=subprocess.PIPE, text=True)
    lines = [("#" + line if line.startswith("#") else line) for line in done.stdout.splitlines()]
    return "\n".join(lines).rstrip() + "\n"


def main():
    path = ROOT / "docs/operating.md"
    head, mark, rest = path.read_text().partition(MARK)
    want = generated()
    if "--write" in sys.argv:
        path.write_text(head + MARK + want)
        return 0
    if not mark or rest != want:
        print("docs/operating.md: the tables are stale; run tests/style/docs_test.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
