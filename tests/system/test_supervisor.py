"""The supervisor with small fake services: what starts, what comes back, what stops, what is refused."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import BIN, free_ports, process_state, wait_for

# Writes its start to DIR/starts, its TERM to DIR/terms; DIR/exit-NAME holds a code to end with at once, DIR/deaf-NAME makes it ignore TERM.
FAKE = """#!/bin/bash
name=${0##*/aviary-}
line="$*"
while [ $# -gt 0 ]; do
    [ "$1" = --data ] && data=$2
    [ "$1" = --replica ] && replica=$2
    shift
done
trap 'echo "$name.$replica" >> "$data/terms"; [ -f "$data/deaf-$name" ] || exit 0' TERM
echo "$name.$replica $$ $line" >> "$data/starts"
echo "hello from $name"
[ -f "$data/exit-$name" ] && exit "$(cat "$data/exit-$name")"
while :; do sleep 0.05; done
"""
SERVICES = ("broker", "accounts", "messaging", "templates", "inbox", "webhooks", "edge")


class Fake:
    def __init__(self, *flags, start=True):
        self.folder = Path(tempfile.mkdtemp(prefix="aviary-"))
        self.data = self.folder / "var"
        self.data.mkdir(mode=0o700)
        (self.data / "credentials.json").write_text("{}")  # not a first start: edges would wait for accounts' answer
        shutil.copy(BIN / "aviary", self.folder / "aviary")
        for service in SERVICES:
            program = self.folder / f"aviary-{service}"
            program.write_text(FAKE)
            program.chmod(0o755)
        self.port = free_ports(4)
        self.flags = flags
        self.process = None
        if start:
            self.start()

    def command(self):
        return [self.folder / "aviary", "up", "--no-demo", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.flags]

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def lines(self, name):
        path = self.data / name
        return path.read_text().splitlines() if path.exists() else []

    def starts(self, prefix):
        return [line for line in self.lines("starts") if line.startswith(prefix + " ")]

    def pids(self):
        return [int(line.split()[1]) for line in self.lines("starts")]

    def listed(self):
        """run/supervisor.json, once it names the last start of every process: a program says that it runs before the supervisor writes down that it started it."""

        def told():
            try:
                found = json.loads((self.data / "run" / "supervisor.json").read_text())
            except FileNotFoundError:
                return None
            last = {line.split()[0]: int(line.split()[1]) for line in self.lines("starts")}
            return {c["pid"] for c in found["children"]} == set(last.values()) and found

        return wait_for(told, what="the list of what was started")

    def log(self):
        return (self.folder / "log").read_text()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind:
            print(self.log())
        shutil.rmtree(self.folder, ignore_errors=True)


def alive(pid):
    return process_state(pid) not in (None, "Z")


def all_started(house, count=len(SERVICES)):
    wait_for(lambda: len(house.lines("starts")) >= count, 20, what=f"{count} starts")


def test_starts_all_with_their_settings():
    with Fake("--replicas", "edge=2", "--replicas=messaging=2", "--loopback-delay", "7", "--rate-limits", "off") as house:
        all_started(house, len(SERVICES) + 2)
        edge = house.starts("edge.1")[0]
        assert f"--listen 127.0.0.1:{house.port} " in edge + " " and "--rate-limits off" in edge, edge
        assert f"--public-url http://127.0.0.1:{house.port}" in edge, edge
        assert "--loopback-delay 7ms" in house.starts("messaging.1")[0]
        assert "--allow-http on" in house.starts("webhooks.0")[0]
        listed = house.listed()
        assert listed["pid"] == house.process.pid
        assert {(c["service"], c["replica"]) for c in listed["children"]} == {
            ("broker", 0), ("accounts", 0), ("messaging", 0), ("messaging", 1), ("templates", 0), ("inbox", 0), ("webhooks", 0), ("edge", 0), ("edge", 1)}
        assert sorted(c["pid"] for c in listed["children"]) == sorted(house.pids())
        wait_for(lambda: "messaging.1 | hello from messaging" in house.log(), what="the prefix")
        assert "loopback webhook targets are allowed" in house.log()


def test_public_means_no_loopback_targets():
    with Fake("--public-url", "https://sms.example.org", "--allow-private-targets", "10.0.0.0/8") as house:
        all_started(house)
        webhooks = house.starts("webhooks.0")[0]
        assert "--allow-private 10.0.0.0/8" in webhooks and "127.0.0.0/8" not in webhooks, webhooks
        assert "--public-url https://sms.example.org" in house.starts("edge.0")[0]
        assert "loopback webhook targets" not in house.log()


def test_a_killed_process_is_back_at_once_then_backs_off():
    with Fake() as house:
        all_started(house)
        for round_ in range(3):
            pid = int(house.starts("messaging.0")[-1].split()[1])
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: len(house.starts("messaging.0")) == round_ + 2, 20, what="a restart")
        log = house.log()
        assert "ended with signal 9 (KILL); restarting" in log, log
        assert "again in 250 ms" in log and "again in 500 ms" in log, log
        assert len(house.lines("starts")) == len(SERVICES) + 3  # nobody else was touched
        listed = house.listed()
        now = [c["pid"] for c in listed["children"] if c["service"] == "messaging"]
        assert now == [int(house.starts("messaging.0")[-1].split()[1])]


def test_a_list_that_could_not_be_written_is_written_later():
    with Fake() as house:
        all_started(house)
        house.listed()
        path = house.data / "run" / "supervisor.json"
        path.unlink()
        path.mkdir()
        os.kill(int(house.starts("messaging.0")[-1].split()[1]), signal.SIGKILL)
        wait_for(lambda: len(house.starts("messaging.0")) == 2 and "cannot write run/supervisor.json" in house.log(), 20, what="a restart that cannot be written down")
        path.rmdir()
        assert house.listed()["pid"] == house.process.pid  # nobody ends or starts meanwhile
        assert len(house.starts("messaging.0")) == 2


def test_term_drains_edge_then_services_then_broker():
    with Fake("--replicas", "edge=2") as house:
        all_started(house, len(SERVICES) + 1)
        house.process.send_signal(signal.SIGTERM)
        assert house.process.wait(12) == 0
        terms = [line.split(".")[0] for line in house.lines("terms")]
        assert terms[:2] == ["edge", "edge"] and terms[-1] == "broker" and len(terms) == len(SERVICES) + 1, terms
        assert not any(alive(pid) for pid in house.pids())
        assert not (house.data / "run" / "supervisor.json").exists()


def test_who_does_not_hear_term_is_killed_within_ten_seconds():
    with Fake(start=False) as house:
        (house.data / "deaf-webhooks").touch()
        house.start()
        all_started(house)
        os.kill(int(house.starts("messaging.0")[0].split()[1]), signal.SIGSTOP)  # hears CONT and TERM
        house.process.send_signal(signal.SIGTERM)
        assert house.process.wait(14) == 0
        assert "killing what is left" in house.log()
        assert "messaging.0" in house.lines("terms")
        assert not any(alive(pid) for pid in house.pids())


def test_a_second_term_ends_at_once():
    with Fake(start=False) as house:
        (house.data / "deaf-edge").touch()
        house.start()
        all_started(house)
        house.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping: TERM" in house.log(), what="the drain")
        time.sleep(0.2)  # one within 100 ms counts as the same
        assert house.process.poll() is None
        house.process.send_signal(signal.SIGTERM)
        assert house.process.wait(8) == 75
        wait_for(lambda: not any(alive(pid) for pid in house.pids()), what="all gone")


def test_children_die_with_a_killed_supervisor():
    with Fake() as house:
        all_started(house)
        house.process.kill()
        house.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in house.pids()), what="all gone")
        house.start()  # its lock went with it
        all_started(house, 2 * len(SERVICES))


def test_a_busy_port_is_69_and_names_the_holder():
    with Fake("--replicas", "edge=2", start=False) as house, socket.socket() as taken:
        taken.bind(("127.0.0.1", house.port + 1))
        taken.listen()
        done = subprocess.run(house.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        assert done.returncode == 69, done
        assert f"127.0.0.1:{house.port + 1} is in use by" in done.stderr and f"(pid {os.getpid()})" in done.stderr, done.stderr
        assert not house.lines("starts")


def test_a_second_supervisor_of_a_folder_is_refused():
    with Fake() as house:
        all_started(house)
        house.port = free_ports(1)
        done = subprocess.run(house.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        assert done.returncode == 69 and "supervisor" in done.stderr, done
        assert len(house.lines("starts")) == len(SERVICES)


def test_refused_settings_stop_everything_with_that_code():
    with Fake(start=False) as house:
        (house.data / "exit-accounts").write_text("78")
        house.start()
        assert house.process.wait(12) == 78
        assert len(house.starts("accounts.0")) == 1
        assert not any(alive(pid) for pid in house.pids())


def test_wrong_flags_are_64():
    with Fake(start=False) as house:
        for flags in (["--listen", "nowhere"], ["--replicas", "edge=0"], ["--replicas", "broker=2"], ["--replicas", "owl=2"],
                      ["--rate-limits", "some"], ["--public-url", "ftp://x"], ["--loopback-delay", "-1"], ["--data", "/tmp/" + "x" * 90],
                      ["--what"], ["operand"]):
            done = subprocess.run([*house.command(), *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
            assert done.returncode == 64, (flags, done)
            assert done.stderr.startswith("aviary: up: "), (flags, done.stderr)
