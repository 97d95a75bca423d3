"""Stores as text: how they are dumped and brought back.

A dump is a folder: STORE.txt for each store, a line `= TABLE` for each table and under it a line for each row, key and value with a tab between, bytes that are not printable as \\xx (mdb_dump's own
printable form does not tell a backslash from an escape); house.json with the few files beside the stores (the keyring, credentials, the simulator's secrets, media); facts.json
with what the house told before it stopped (day.py). It takes `mdb_dump` and `mdb_load` of lmdb-utils. The clock goes on where it stood, a few seconds later: DIR/run/clock is made with the difference, so what a
dump says stays as fresh as it was, however old the dump is.
"""
import base64
import json
import os
import re
import struct
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = ["keys/keyring", "credentials.json", "simulator.json"]
LATER_MS = 3000
MAP_SIZE = 1 << 30


def clock_offset(data):
    path = Path(data) / "run" / "clock"
    return struct.unpack("<q", path.read_bytes()[:8])[0] if path.exists() else 0


def dumps():
    """The committed ones, oldest first."""
    return sorted(path.parent for path in HERE.glob("*/facts.json"))


def shown(data):
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\{byte:02x}" for byte in data)


def read(text):
    return re.sub(r"\\([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text).encode("latin-1")


def store_write(store, path):
    """The text of a store."""
    said = subprocess.run(["mdb_dump", "-a", str(store)], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    rows = iter(said)
    with open(path, "w", encoding="ascii") as out:
        for line in rows:
            if line.startswith("database="):
                out.write(f"= {line[9:]}\n")
            elif line.startswith(" "):
                out.write(f"{shown(bytes.fromhex(line))}\t{shown(bytes.fromhex(next(rows)))}\n")


def store_load(path, store):
    """The store of a text, in a folder that is not there yet."""
    store.mkdir(parents=True, mode=0o700)
    lines = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("= "):
            lines += ["DATA=END"] * bool(lines) + ["VERSION=3", "format=bytevalue", f"database={line[2:]}", "type=btree", f"mapsize={MAP_SIZE}", "HEADER=END"]
        else:
            lines += [" " + read(part).hex() for part in line.split("\t")]
    subprocess.run(["mdb_load", str(store)], input="\n".join(lines + ["DATA=END", ""]), text=True, check=True)


def rows(path, table):
    """How many rows a table of a store's text has; None if there is no such table."""
    parts = {part.splitlines()[0]: len(part.splitlines()) - 1 for part in ("\n" + path.read_text(encoding="ascii")).split("\n= ")[1:]}
    return parts.get(table)


def write(data, facts, folder):
    """Dump the house in `data`, which stands still, to `folder`."""
    data, folder = Path(data), Path(folder)
    folder.mkdir(parents=True)
    for store in sorted(path.parent for path in (data / "store").glob("*/data.mdb")):
        store_write(store, folder / f"{store.name}.txt")
    kept = [path for path in (data / "media").rglob("*") if path.is_file()] if (data / "media").is_dir() else []
    names = [name for name in FILES if (data / name).exists()] + sorted(str(path.relative_to(data)) for path in kept)
    files = {name: base64.b64encode((data / name).read_bytes()).decode() for name in names}
    (folder / "house.json").write_text(json.dumps(files, indent=1) + "\n")
    (folder / "facts.json").write_text(json.dumps(facts, indent=None, separators=(",", ":"), ensure_ascii=False, sort_keys=True).replace('},"', '},\n"') + "\n")


def load(folder, data, simulator_port):
    """Bring a dump back as the data folder of a house that has not started; its facts."""
    folder, data = Path(folder), Path(data)
    facts = json.loads((folder / "facts.json").read_text())
    for name, content in json.loads((folder / "house.json").read_text()).items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(base64.b64decode(content))
        os.chmod(path, 0o600)
    simulator = data / "simulator.json"
    if simulator.exists():
        simulator.write_text(json.dumps(json.loads(simulator.read_text()) | {"port": simulator_port}))
    for dump in sorted(folder.glob("*.txt")):
        store_load(dump, data / "store" / dump.stem)
    (data / "run").mkdir(mode=0o700, exist_ok=True)
    (data / "run" / "clock").write_bytes(struct.pack("<q", facts["stopped_at"] + LATER_MS - time.time_ns() // 1000000))
    return facts
