"""What the documents show is what happens: the README's quickstart runs, and the table of numbers is the one that the program prints."""
import re
import subprocess
import tempfile

from harness import BIN, ROOT, flags, wait_for
from walk import lay, run


def snippet(path, mark):
    found = re.search(rf"<!-- {re.escape(mark)}.*?-->\n```sh\n(.*?)```", (ROOT / path).read_text(), re.S)
    assert found, f"{path} has no snippet marked {mark!r}"
    return found[1]


@flags("--loopback-delay", "20")
def test_quickstart(house):
    with tempfile.TemporaryDirectory() as folder:
        lay(house, folder)
        code, said = run(snippet("README.md", "quickstart"), folder)
    assert code == 0, said
    for word in ("msg_sms_test_", "accepted"):
        assert word in said, said
    message = re.search(r'"id":"(msg_sms_test_\w+)"', said)[1]
    wait_for(lambda: all(f"  {word}" in house.cli("explain", message) for word in ("accepted", "sent", "delivered")), what="the whole story")


def magic_table(text):
    found = re.search(r"<!-- magic numbers.*?-->\n(.*?)<!-- end of magic numbers -->", text, re.S)
    assert found
    return found[1].strip()


def test_magic_numbers_are_the_programs():
    printed = subprocess.run([str(BIN / "aviary"), "errors", "--markdown"], stdout=subprocess.PIPE, text=True, check=True).stdout
    shown = magic_table((ROOT / "docs" / "testing.md").read_text())
    assert shown == printed.strip(), "docs/testing.md: put the output of `aviary errors --markdown` between its marks"
