"""What the documents show is what happens: the README's quickstart runs, and the table of numbers is the one that the program prints."""
import os
import re
import subprocess
import tempfile
from pathlib import Path

from harness import BIN, ROOT, flags, wait_for


def snippet(path, mark):
    found = re.search(rf"<!-- {re.escape(mark)}.*?-->\n```sh\n(.*?)```", (ROOT / path).read_text(), re.S)
    assert found, f"{path} has no snippet marked {mark!r}"
    return found[1]


@flags("--loopback-delay", "20")
def test_quickstart(house):
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(house.data, Path(folder) / "var")
        (Path(folder) / "build" / "release").mkdir(parents=True)
        os.symlink(BIN, Path(folder) / "build" / "release" / "bin")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", snippet("README.md", "quickstart")], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    for word in ("msg_sms_test_", "accepted"):
        assert word in done.stdout, done.stdout
    message = re.search(r'"id":"(msg_sms_test_\w+)"', done.stdout)[1]
    wait_for(lambda: all(f"  {word}" in house.cli("explain", message) for word in ("accepted", "sent", "delivered")), what="the whole story")


def magic_table(text):
    found = re.search(r"<!-- magic numbers.*?-->\n(.*?)<!-- end of magic numbers -->", text, re.S)
    assert found
    return found[1].strip()


def test_magic_numbers_are_the_programs():
    printed = subprocess.run([str(BIN / "aviary"), "errors", "--markdown"], stdout=subprocess.PIPE, text=True, check=True).stdout
    shown = magic_table((ROOT / "docs" / "testing.md").read_text())
    assert shown == printed.strip(), "docs/testing.md: put the output of `aviary errors --markdown` between its marks"
