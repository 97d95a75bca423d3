"""`aviary compact`: with replicas while the house runs, and in place while it is stopped; what was kept is there afterwards."""
import json
import os
import subprocess

from harness import BIN, flags, http, wait_for
from test_main_job import draw, send

FLAGS = ("--replicas", "messaging=2", "--rate-limits", "off", "--loopback-delay", "10")
STORES = {"accounts", "inbox", "messaging", "templates", "webhooks"}


def told(text):
    rows = json.loads(text)
    assert all(row["error"] is None and 0 < row["bytes_after"] <= row["bytes_before"] for row in rows), rows
    return {row["service"] for row in rows}


def pids(house):
    return {(row["service"], row["replica"]): row["pid"] for row in house.status() if row["pid"]}


@flags(*FLAGS)
def test_with_replicas(house):
    number = draw(house)["number"]
    message = send(house, number, "+15551234567").json["id"]
    house.wait_replicas()
    before = pids(house)
    assert told(house.cli("compact", "messaging", "--json", timeout=60)) == {"messaging"}
    wait_for(lambda: http("GET", house.port, "/readyz").status == 200, 20, what="/readyz")
    anew = {("messaging", 0), ("messaging", 1)}
    after = wait_for(lambda: (now := pids(house)).keys() == before.keys() and all(now[key] != before[key] for key in anew) and now, 20, what="both of messaging started anew")
    changed = {key for key in before if before[key] != after[key]}
    assert not [key for key in changed if key[0] in STORES - {"messaging"}], (before, after)
    assert send(house, number, "+15551234567").status == 201
    assert len(json.loads(house.cli("explain", message, "--json"))["lines"]) > 1
    house.cli("compact", "nothing", check=False)
    assert http("GET", house.port, "/readyz").status == 200


@flags(*FLAGS)
def test_while_stopped(house):
    number = draw(house)["number"]
    house.stop()
    try:
        answer = subprocess.run([str(BIN / "aviary"), "compact", "--json", "--data", str(house.data)], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        assert told(answer.stdout) == STORES
        for name in STORES:
            assert not [f for f in os.listdir(house.data / "store" / name) if f.endswith((".new", ".old", ".wanted"))]
    finally:
        house.start()
    assert send(house, number, "+15551234567").status == 201
