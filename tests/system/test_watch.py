"""The supervisor with the real broker and small peers in place of the services: who is ready, who is frozen, what `aviary status` says."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BIN, free_ports, wait_for

SERVICES = ("accounts", "messaging", "templates", "inbox", "webhooks", "edge")


class Peers:
    def __init__(self, *flags):
        self.folder = Path(tempfile.mkdtemp(prefix="aviary-"))
        self.data = self.folder / "var"
        shutil.copy(BIN / "aviary", self.folder / "aviary")
        shutil.copy(BIN / "aviary-broker", self.folder / "aviary-broker")
        for service in SERVICES:
            shutil.copy(BIN / "test-peer", self.folder / f"aviary-{service}")
        command = [self.folder / "aviary", "up", "--no-demo", "--data", self.data, "--listen", f"127.0.0.1:{free_ports(4)}", *flags]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def cli(self, *args):
        return subprocess.run([self.folder / "aviary", *args, "--data", self.data], stdout=subprocess.PIPE, text=True, timeout=20,
                              check=False)

    def status(self):
        return {(row["service"], row["replica"]): row for row in json.loads(self.cli("status", "--json").stdout)}

    def log(self):
        return (self.folder / "log").read_text()

    def all_ready(self):
        rows = self.status()
        return rows and all(row["ready"] for row in rows.values()) and rows

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(14)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if kind or code:
            print(self.log())
        shutil.rmtree(self.folder, ignore_errors=True)
        assert kind or code == 0, code


def test_status_tells_who_is_ready_and_who_owns():
    with Peers("--replicas", "messaging=2") as house:
        rows = wait_for(house.all_ready, 20)
        assert list(rows) == [("broker", 0), ("accounts", 0), ("messaging", 0), ("messaging", 1), ("templates", 0), ("inbox", 0), ("webhooks", 0), ("edge", 0)]
        assert all(set(row) - {"store", "reason"} == {"service", "replica", "pid", "ready", "owner"} for row in rows.values())
        assert rows["messaging", 0]["owner"] and not rows["messaging", 1]["owner"] and rows["broker", 0]["owner"]
        wait_for(lambda: "ready at http://127.0.0.1:" in house.log(), what="the ready line")
        assert house.cli("status").returncode == 0
        os.kill(rows["accounts", 0]["pid"], signal.SIGKILL)
        again = wait_for(lambda: (now := house.all_ready()) and now["accounts", 0]["pid"] != rows["accounts", 0]["pid"] and now, 10)
        assert again["messaging", 0]["pid"] == rows["messaging", 0]["pid"]


def test_frozen_processes_are_killed_and_come_back():
    with Peers("--frozen-after", "3000") as house:
        rows = wait_for(house.all_ready, 20)
        old = rows["webhooks", 0]["pid"]
        os.kill(old, signal.SIGSTOP)
        wait_for(lambda: f"webhooks.0 (pid {old}) is frozen; killing it" in house.log(), 20, what="the kill")
        rows = wait_for(lambda: (now := house.all_ready()) and now["webhooks", 0]["pid"] != old and now, 20)
        old = rows["broker", 0]["pid"]
        os.kill(old, signal.SIGSTOP)
        wait_for(lambda: f"broker.0 (pid {old}) is frozen; killing it" in house.log(), 20, what="the kill of the broker")
        now = wait_for(house.all_ready, 20)
        assert now["broker", 0]["pid"] != old
        assert all(now[key]["pid"] == rows[key]["pid"] for key in rows if key[0] != "broker")  # the others only registered again
        assert house.log().count("is frozen") == 2


def test_status_while_all_is_down():
    with Peers() as house:
        rows = wait_for(house.all_ready, 20)
        house.process.kill()
        house.process.wait()
        wait_for(lambda: not house.status(), 10, what="an empty status")
        done = house.cli("status")
        assert done.returncode == 69 and "nothing runs here" in done.stdout
        assert rows
        house.process.returncode = 0
