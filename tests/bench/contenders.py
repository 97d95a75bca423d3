"""What compare.py measures with: Aviary, the bare pipeline, Kannel, Node with PostgreSQL; each starts in a temporary folder on free ports and always ends.

`with Kannel() as k: k.send(64, 2)` gives wrk's figures: requests, duration_us, p50_us, p99_us, non2xx, socket_errors.
"""
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import bench
import cost
import memory
from harness import House, free_ports, wait_for

HERE = Path(__file__).resolve().parent
BIN = Path(os.environ["AVIARY_BIN"])
FAKESMSC = Path("/usr/lib/kannel/test/fakesmsc")
POSTGRES = Path("/usr/lib/postgresql/15/bin")
NODE = HERE / "node_modules"
OWN_NODE = HERE.parents[1] / "tools" / ".node" / "node_modules" / "node" / "bin" / "node"


def wrk(port, script, connections, seconds, env):
    result = bench.wrk_at(port, script, connections, seconds, env)
    if result["non2xx"] or result["socket_errors"]:
        print(f"  ({script}: {result['non2xx']} not 2xx, {result['socket_errors']} socket errors)", flush=True)
    return result


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read()


def cpu_us(side):
    """CPU time of all of a side's processes so far, user and system; in steps of 10 ms each."""
    return sum(cost.cpu_us(pid) for pid in side.pids())


class Contender:
    """A temporary folder and the processes started in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="av-bench-"))
        self.processes = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT if process.args[0].endswith("postgres") else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [process.pid for process in self.processes]

    def run(self, *command, ready=None, **more):
        """Start a process; with `ready`, wait until it says so."""
        more.setdefault("stdout", subprocess.PIPE if ready else subprocess.DEVNULL)
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, **more)
        self.processes.append(process)
        if ready and ready not in process.stdout.readline():
            raise RuntimeError(f"{command[0]} did not start")
        return process


class Aviary(House):
    """All features on: keys, limits of a million a minute in each bucket, validation, idempotency, journal. `delay`: of the loopback carrier, in ms."""

    def __init__(self, delay):
        super().__init__("--rate-limits", "1000000", "--loopback-delay", str(delay))
        self.number = self.http("POST", "/v1/playground/phone-numbers/system", key=self.test_key).json["number"]

    def pids(self):
        return list(memory.pids_of(self))

    def send(self, connections, seconds):
        return wrk(self.port, "sms.lua", connections, seconds, {"BENCH_KEY": self.test_key, "BENCH_FROM": self.number})

    def subscribe(self, url):
        made = self.http("POST", "/v1/webhooks", {"url": url, "events": ["messages.sms.sent", "messages.sms.delivered"]}, key=self.test_key)
        if made.status != 201:
            raise RuntimeError(repr(made))

    def accepted(self):
        return bench.metric(self, "aviary_messaging_sms_accepted_total")

    def delivered(self):
        return bench.metric(self, "aviary_messaging_recipients_delivered_total")


class Pipeline(Contender):
    def start(self):
        self.port = free_ports()
        self.run(BIN / "bench_pipeline", self.folder, self.port, ready="ready")

    def send(self, connections, seconds):
        return wrk(self.port, "sms.lua", connections, seconds, {})


class Receiver(Contender):
    def start(self):
        self.port = free_ports()
        self.run(BIN / "bench_receiver", self.port, ready="ready")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    def count(self):
        return int(get(self.port, "/count"))

    def last(self):
        return get(self.port, "/last")


KANNEL = """
group = core
admin-port = {admin}
admin-password = bench
status-password = bench
smsbox-port = {box}
log-file = {folder}/bearerbox.log{level}
store-type = file
store-location = {folder}/store
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = fake
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
log-file = {folder}/smsbox.log{level}

group = sendsms-user
username = bench
password = bench
"""


class Kannel(Contender):
    """bearerbox with a file store, smsbox, and a fakesmsc that takes everything. `reports`: the receiver's URL, or None. `packaged`: it logs as Debian's configuration has
    it, which names log files and no level: everything. Else only errors, the fastest."""

    def __init__(self, reports=None, packaged=False):
        super().__init__()
        self.reports, self.level = reports, "" if packaged else "\nlog-level = 3"

    def start(self):
        self.admin = free_ports(4)
        box, smsc, self.http_port = (self.admin + n for n in (1, 2, 3))
        config = self.folder / "kannel.conf"
        config.write_text(KANNEL.format(admin=self.admin, box=box, smsc=smsc, http=self.http_port, folder=self.folder, level=self.level))
        self.run("/usr/sbin/bearerbox", "-v", "4", config)
        wait_for(self.status, 15, what="bearerbox")
        self.run("/usr/sbin/smsbox", "-v", "4", config)
        self.run(FAKESMSC, "-H", "127.0.0.1", "-r", smsc, "-v", "4", "-i", "1000000", "-m", "1", "15550100 15550101 text hello")
        wait_for(lambda: "fake" in self.status() and "(online" in self.status() and "smsbox" in self.status(), 15, what="kannel")
        time.sleep(0.5)

    def status(self):
        try:
            return get(self.admin, "/status.txt?password=bench").decode()
        except OSError:
            return ""

    def sent(self):
        return int(re.search(r"SMS: .*sent (\d+)", self.status())[1])

    def send(self, connections, seconds):
        return wrk(self.http_port, "kannel.lua", connections, seconds, {"BENCH_DLR": (self.reports or "").replace(":", "%3A").replace("/", "%2F")})


class Node(Contender):
    """fastify, pg with a pool of 16, PostgreSQL 15 with its defaults (it flushes at each commit). PostgreSQL does not run as root."""

    def __init__(self, *mode):
        super().__init__()
        self.mode = mode

    def user(self):
        if os.getuid():
            return {}
        for name in ("postgres", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            os.chown(self.folder, found.pw_uid, found.pw_gid)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        raise RuntimeError("no user for PostgreSQL")

    def start(self):
        self.port = free_ports()
        user, data = self.user(), self.folder / "data"
        subprocess.run([POSTGRES / "initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-instructions"], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
        self.run(POSTGRES / "postgres", "-D", data, "-k", self.folder, "-c", "listen_addresses=", cwd=self.folder, **user)
        wait_for(lambda: subprocess.run([POSTGRES / "pg_isready", "-q", "-h", self.folder], check=False).returncode == 0, 20, what="PostgreSQL")
        self.run(OWN_NODE if OWN_NODE.exists() else "node", HERE / "node_send.mjs", self.folder, self.port, *self.mode, ready="ready")

    def send(self, connections, seconds):
        return wrk(self.port, "sms.lua", connections, seconds, {})
