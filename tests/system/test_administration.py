"""docs/administration.md is what happens: its blocks run one after the other as they stand, and each answer that it shows is the one that came."""
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import BIN, ROOT, House, flags

BLOCK = re.compile(r"<!-- life -->\n```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?", re.S)
MARK = "@@ block"


def fits(shown, got):
    """Is `got` what is shown? Members that are not shown may be there; `…` stands for any text, as a list's last element for any rest."""
    if shown == "…":
        return True
    if isinstance(shown, str):
        return isinstance(got, str) and re.fullmatch(".+".join(map(re.escape, shown.split("…"))), got, re.S) is not None
    if isinstance(shown, dict):
        return isinstance(got, dict) and all(name in got and fits(value, got[name]) for name, value in shown.items())
    if isinstance(shown, list):
        if shown and shown[-1] == "…":
            shown = shown[:-1]
            got = got[:len(shown)] if isinstance(got, list) else got
        return isinstance(got, list) and len(shown) == len(got) and all(map(fits, shown, got))
    return type(shown) is type(got) and shown == got


def documents(text):
    """The JSON objects in a text, whatever stands between them."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while (at := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
            found.append(value)
        except ValueError:
            at += 1
    return found


def run(script, folder):
    """As a user would, who stops at the first thing that fails; the exit code and what was printed."""
    said = Path(folder) / "said"
    with open(said, "wb") as out:
        process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=folder, stdout=out, stderr=out, start_new_session=True)
        try:
            code = process.wait(100)
        except subprocess.TimeoutExpired:
            code = "no end in 100 s"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # the receiver, if it did not get to its end
            except ProcessLookupError:
                pass
            process.wait()
    return code, said.read_text()


@flags("--simulate")  # with the rate limits that everybody has
def test_the_walk_of_the_document(house: House):
    blocks = BLOCK.findall((ROOT / "docs" / "administration.md").read_text())
    assert len(blocks) > 25, len(blocks)
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(house.data, Path(folder) / "var")
        (Path(folder) / "build" / "release").mkdir(parents=True)
        os.symlink(BIN, Path(folder) / "build" / "release" / "bin")
        code, said = run("".join(f"echo '{MARK}'\n{script}" for script, _ in blocks), folder)
        events = (Path(folder) / "events.jsonl").read_text()
    assert code == 0, said
    parts = said.split(f"{MARK}\n")[1:]
    for (script, shown), part in zip(blocks, parts, strict=True):
        if shown:
            assert any(fits(json.loads(shown), got) for got in documents(part)), f"the document shows\n{shown}\nfor\n{script}\nwhich said\n{part}"
    for word in ("The API key is not known", "is paused", "is suspended", "phone_number_not_assigned", "accepted", "curl ended with 22"):
        assert word in said, f"{word!r} is not in\n{said}"
    texts = [json.loads(line)["data"]["message"]["text"] for line in events.splitlines()]
    assert "Open again" in texts and "While it is paused" not in texts and "From an app that is gone" not in texts, texts


class Fits(unittest.TestCase):
    def test_what_is_shown_must_be_there(self):
        for shown, got, want in (({"a": 1}, {"a": 1, "b": 2}, True), ({"a": 1}, {"b": 2}, False), ({"a": 1}, {"a": "1"}, False), ({"a": True}, {"a": 1}, False), ({"a": None}, {"a": 0}, False),
                                 ({"a": "x_…"}, {"a": "x_1"}, True), ({"a": "x_…"}, {"a": "y_1"}, False), ({"a": "…"}, {"a": None}, True), ({"a": "…"}, {}, False),
                                 ([1], [1, 2], False), ([1, "…"], [1, 2], True), ([3, "…"], [1, 2], False), ([{"a": 1}], [{"a": 1, "b": 1}], True)):
            with self.subTest(shown=shown, got=got):
                self.assertEqual(fits(shown, got), want)

    def test_documents_are_found_between_lines(self):
        self.assertEqual(documents('x\n{"a": {"b": 1}}said {no}\n{"c": "}"}\n'), [{"a": {"b": 1}}, {"c": "}"}])
