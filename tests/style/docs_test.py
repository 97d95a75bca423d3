#!/usr/bin/env python3
"""Generated parts of the docs are what the generator says today, and the table of fuzzers names all there are: docs_test.py [--write]."""
import re
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


def fuzzers_told():
    """Every x_fuzz.c has its row in docs/testing.md and its result in docs/reliability.md, and no row is of another."""
    there = {path.name.removesuffix("_fuzz.c") for folder in ("libs", "services", "tests", "tools") for path in (ROOT / folder).rglob("*_fuzz.c")
             if "node_modules" not in path.parts}
    good = True
    for page in ("docs/testing.md", "docs/reliability.md"):
        text = (ROOT / page).read_text().partition("\n## Fuzzing\n")[2].partition("\n## ")[0]
        told = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
        for name in sorted(there ^ told):
            print(f"{page}: under Fuzzing, {name} has " + ("no row" if name in there else "a row and no source"))
            good = False
    return good


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
    return 0 if fuzzers_told() else 1


if __name__ == "__main__":
    sys.exit(main())
