#!/usr/bin/env python3
"""Count what ran: JUnit files of ctest and of node --test in, `N passed, N failed` out; exit 1 on a failure or if nothing ran.

A ctest entry that is a cmocka or unittest program counts as many tests as the program says it ran. If the program itself
failed (crash, leak, time limit) without naming a failed test, that is one failure more.
"""
import re
import sys
import xml.etree.ElementTree as ET


def count_output(text):
    """(passed, failed) that the program printed, or None if it is not a program with functions inside."""
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test\(s\)", text, re.M))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] .*?(\d+) test\(s\)", text, re.M))
    skipped = 0
    for ran, rest in re.findall(r"^Ran (\d+) tests? in [\d.]+s\n+(\S.*)$", text, re.M):
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", rest))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", rest))
        passed += int(ran) - bad - skipped
        failed += bad
    return (passed, failed) if passed or failed or skipped else None


def count_case(case):
    skipped = case.find("skipped")
    if skipped is not None and "SKIP_RETURN_CODE" in (skipped.get("message") or ""):
        return 0, 0  # the program itself said so; one that is missing is skipped with another message, and counts as failed
    broken = case.find("failure") is not None or case.find("error") is not None or case.get("status") in ("fail", "notrun")
    if skipped is not None and not broken:
        return 0, 0
    text = "".join(out.text or "" for out in case.findall("system-out"))
    inner = count_output(text)
    if inner is None:
        return (0, 1) if broken else (1, 0)
    passed, failed = inner
    if broken and not failed:
        failed = 1
    return passed, failed


def main(paths):
    passed = failed = 0
    names = []
    for path in paths:
        for case in ET.parse(path).iter("testcase"):
            good, bad = count_case(case)
            passed += good
            failed += bad
            if bad:
                names.append(case.get("name"))
    for name in names:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
