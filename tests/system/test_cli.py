"""The command line without a house: help, exit codes, doctor, the test clock."""
import json
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import BIN


def aviary(*args):
    return subprocess.run([BIN / "aviary", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=30, check=False)


def test_every_command_has_help_and_refuses_unknown_flags():
    listed = aviary("--help")
    assert listed.returncode == 0
    names = re.findall(r"^  (\w+) ", listed.stdout, re.M)
    assert {"up", "status", "doctor"} <= set(names), names
    for name in names:
        told = aviary(name, "--help")
        assert told.returncode == 0 and told.stdout.startswith(f"usage: aviary {name}"), (name, told)
        wrong = aviary(name, "--no-such-flag")
        assert wrong.returncode == 64 and wrong.stderr.startswith("aviary: ") and not wrong.stdout, (name, wrong)


def test_top_level():
    assert aviary().returncode == 64
    assert aviary("owl").returncode == 64
    assert re.fullmatch(r"aviary \d+\.\d+\.\d+\n", aviary("--version").stdout)


def test_doctor_says_the_mend():
    with tempfile.TemporaryDirectory(prefix="aviary-") as folder, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        data = Path(folder) / "var"
        data.mkdir(mode=0o700)
        (data / "credentials.json").write_text("{}")
        (data / "credentials.json").chmod(0o644)
        done = aviary("doctor", "--data", str(data), "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
        found = {row["check"]: row for row in json.loads(done.stdout)}
        assert done.returncode == 78
        assert found["libraries"]["verdict"] == "ok", found
        assert found["port"]["verdict"] == "fault" and "pid" in found["port"]["what"] and found["port"]["mend"], found
        assert found["permissions"]["mend"] == f"chmod 600 {data}/credentials.json", found
        (data / "credentials.json").chmod(0o600)
        found = {row["check"]: row for row in json.loads(aviary("doctor", "--data", str(data), "--json").stdout)}
        assert found["permissions"]["verdict"] == "ok", found


def test_the_clock_moves_only_where_it_was_started_for_it():
    with tempfile.TemporaryDirectory(prefix="aviary-") as folder:
        assert aviary("clock", "+10m", "--data", folder).returncode == 69
        run = Path(folder) / "run"
        run.mkdir()
        (run / "clock").write_bytes(bytes(8))
        assert aviary("clock", "+10m", "--data", folder).returncode == 0
        assert aviary("clock", "+1h", "--data", folder).returncode == 0
        assert int.from_bytes((run / "clock").read_bytes(), "little", signed=True) == 70 * 60 * 1000
        for bad in ("soon", "+", "-5m", "+0s"):
            assert aviary("clock", "--data", folder, "--", bad).returncode == 64, bad
