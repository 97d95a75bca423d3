"""A document that is a walk: its marked blocks run one after the other as they stand, and each answer that it shows is held against what came.

    said, folder = walk(house, "administration.md", "life")

A block is a comment `<!-- MARK -->`, a fence of sh and, right after it, perhaps one of json.
"""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

from harness import BIN, ROOT

LINE = "@@ block"


def blocks_of(text, mark):
    """(script, shown answer or "") of each block."""
    return re.findall(rf"<!-- {mark} -->\n```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?", text, re.S)


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


def lay(house, folder):
    """What the documents take for granted where they are followed: the house's data in var, its programs in build/release/bin."""
    os.symlink(house.data, Path(folder) / "var")
    (Path(folder) / "build" / "release").mkdir(parents=True)
    os.symlink(BIN, Path(folder) / "build" / "release" / "bin")


def walk(house, document, mark, folder, least):
    """Runs the blocks of docs/`document` in `folder` against `house`; what each printed. There must be `least` blocks."""
    blocks = blocks_of((ROOT / "docs" / document).read_text(), mark)
    assert len(blocks) >= least, len(blocks)
    lay(house, folder)
    code, said = run("".join(f"echo '{LINE}'\n{script}" for script, _ in blocks), folder)
    assert code == 0, said
    parts = said.split(f"{LINE}\n")[1:]
    for (script, shown), part in zip(blocks, parts, strict=True):
        if shown:
            assert any(fits(json.loads(shown), got) for got in documents(part)), f"the document shows\n{shown}\nfor\n{script}\nwhich said\n{part}"
    return parts
