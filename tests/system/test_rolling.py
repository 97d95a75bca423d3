"""A whole house is replaced under load, process after process, and nobody notices: followers first, then owners of journals, edges, the broker; of each service those that do not own first.

AVIARY_OLD_BIN names the folder of the binaries to begin with (an earlier version, a release build will do); without it the same version is rolled onto itself, and AVIARY_LONG=1 builds
two earlier ones too: the last landing, and the version of the oldest dump in tests/upgrade. The supervisor stays: it starts what is in its folder, and a process that got TERM is started from what
lies there now.

What holds: a client that repeats once, when its connection broke or was refused, at the other edge and with the same Idempotency-Key, sees no failure and no 5xx; nothing is done twice, and every webhook
is told under one id. (From c8127cc a request may be 503 because "The service is stopping" or the server is: nothing was done, a repeat is answered.)
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from harness import BIN, LONG, ROOT, House, Receiver, http, wait_for
from test_main_job import draw, subscribe

OLD = os.environ.get("AVIARY_OLD_BIN")
SERVICES = ["inbox", "webhooks", "templates", "messaging", "accounts"]  # followers first
WAITS = "the owner is of another version"  # what a new replica says that does not read beside an old owner
GOING = (("GET", "The service is stopping"), ("", "The server is stopping."))  # how c8127cc gave up what reached a process as it went; it did nothing
EARLIER = {"1fb8d0c": (), "c8127cc": GOING}  # what may fail while one rolls from there: from the last landing nothing; c8127cc is the oldest of tests/upgrade
PEOPLE = 40
PACE = 0.01  # of each client, between requests


class Client:
    """One connection to an edge at a time; the other edge when it breaks."""

    def __init__(self, port, first):
        self.port, self.edge, self.link = port, first, None
        self.statuses, self.failed, self.moved, self.slowest = Counter(), [], 0, 0.0

    def once(self, method, path, body, headers):
        if self.link is None:
            self.link = HTTPConnection("127.0.0.1", self.port + self.edge, timeout=30)
        try:
            self.link.request(method, path, body, headers)
            got = self.link.getresponse()
            answer = got.status, got.read()
            if got.getheader("Connection", "").lower() == "close":
                self.leave()
            return answer
        except BaseException:
            self.leave()
            raise

    def leave(self):
        self.link.close()
        self.link = None

    def ask(self, method, path, key, body=None, idempotency_key=None):
        headers = {"Authorization": f"Bearer {key}"} | ({"Content-Type": "application/json"} if body else {})
        headers |= {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = json.dumps(body) if body else None
        began = time.monotonic()
        try:
            status, said = self.once(method, path, body, headers)
        except (OSError, HTTPException) as first:
            self.moved += 1
            self.edge = 1 - self.edge
            try:
                status, said = self.once(method, path, body, headers)
            except (OSError, HTTPException) as error:
                self.failed.append(f"{method} {path}: {first!r}, then {error!r}")
                return None
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[status] += 1
        if status >= 400:
            self.failed.append(f"{method} {path}: {status} {said[:300]!r} after {time.monotonic() - began:.2f} s at {time.strftime('%T', time.gmtime())}.{time.time() % 1:.3f}")
            return None
        return json.loads(said)


class Load:
    """Clients that send and read in each dialect until told to stop. `sent`: message ids by idempotency key."""

    def __init__(self, house, number, kirim):
        self.house, self.number, self.kirim = house, number, kirim
        self.over, self.sent, self.lock = threading.Event(), {}, threading.Lock()
        jobs = [self.chirp_sends, self.chirp_reads, self.chirp_sends, self.admin_reads] + ([self.kirim_sends, self.kirim_reads] if kirim else [])
        self.clients = [Client(house.port, n % 2) for n in range(len(jobs))]
        self.threads = [threading.Thread(target=self.run, args=(job, client, n)) for n, (job, client) in enumerate(zip(jobs, self.clients))]
        self.said = []
        for thread in self.threads:
            thread.start()

    def run(self, job, client, n):
        i = 0
        try:
            while not self.over.is_set():
                job(client, n, i)
                i += 1
                time.sleep(PACE)
        except BaseException as error:
            self.said.append(repr(error))
            raise

    def keep(self, key, message):
        with self.lock:
            self.sent[key] = message

    def chirp_sends(self, client, n, i):
        key = f"roll-{n}-{i}"
        body = {"from": self.number, "to": [f"+1555321{n}{i % PEOPLE:03d}"], "text": key}
        made = client.ask("POST", "/v1/sms", self.house.test_key, body, key)
        if made:
            self.keep(key, made["id"])

    def chirp_reads(self, client, _, i):
        client.ask("GET", ("/v1/phone-numbers", "/v1/webhooks")[i % 2], self.house.test_key)

    def admin_reads(self, client, _, i):
        client.ask("GET", ("/v1/organization/sms/messages?limit=5", "/v1/organization/apps", "/v1/organization/whatsapp/messages?limit=5")[i % 3], self.house.admin_key)

    def kirim_sends(self, client, n, i):
        key = f"roll-{n}-{i}"
        body = {"messaging_product": "whatsapp", "to": self.kirim["person"], "type": "text", "text": {"body": key}}
        made = client.ask("POST", f"/kirim/v1/{self.kirim['phone_number_id']}/messages", self.kirim["key"], body, key)
        if made:
            self.keep(key, made["data"]["id"])

    def kirim_reads(self, client, _, i):
        base = f"/kirim/v1/{self.kirim['phone_number_id']}"
        client.ask("GET", (f"{base}/conversations", f"{base}/messages?limit=5", "/kirim/v1/accounts")[i % 3], self.kirim["key"])

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)


def lay(folder, source):
    """The programs of a version, as an installation would: each replaced at once, those that run go on with what they have."""
    for program in source.glob("aviary*"):
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy2(program, folder / f".{program.name}")
            os.replace(folder / f".{program.name}", folder / program.name)


class Rolling(unittest.TestCase):
    def replace(self, house, service, replica):
        before = house.kill(service, replica, signal.SIGTERM)
        now = house.wait_restarted(service, before, replica)
        wait_for(lambda: (row := house.row(service, replica)) and row["pid"] == now and (row["ready"] or WAITS in row.get("reason", "")), 30, what=f"{service}.{replica} ready")
        wait_for(lambda: all(http("GET", house.port + edge, "/readyz", timeout=5).status == 200 for edge in (0, 1)), 30, what="/readyz")

    def roll(self, house, services):
        for service in services:
            if service == "broker":
                self.replace(house, service, 0)
                continue
            owner = house.owner(service) if service != "edge" else None
            for replica in sorted((0, 1), key=lambda number: number == owner):
                with self.subTest(f"{service}.{replica}"):
                    self.replace(house, service, replica)

    def test_a_roll_through_the_house(self):
        self.through(Path(OLD) if OLD else BIN, GOING if OLD else ())

    @unittest.skipUnless(LONG and not OLD, "AVIARY_LONG=1 builds earlier versions")
    def test_a_roll_from_an_earlier_version(self):
        for commit, known in EARLIER.items():
            with self.subTest(commit), tempfile.TemporaryDirectory(prefix="aviary-old-") as folder:
                self.through(self.build(commit, Path(folder) / "tree"), known)

    def build(self, commit, tree):
        """The programs of an earlier version, made from what git knows of it."""
        git = shutil.which("git")
        if not git or subprocess.run([git, "-C", ROOT, "cat-file", "-e", f"{commit}^{{commit}}"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest(f"git does not know {commit} here: a shallow clone, or no clone")
        subprocess.run([git, "-C", ROOT, "worktree", "add", "--detach", tree, commit], check=True)
        self.addCleanup(subprocess.run, [git, "-C", ROOT, "worktree", "prune"], check=True)
        for step in (["--preset", "release"], ["--build", "--preset", "release"]):
            done = subprocess.run(["cmake", *step], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return tree / "build" / "release" / "bin"

    def through(self, old, known):
        with tempfile.TemporaryDirectory(prefix="aviary-bin-") as programs, Receiver() as receiver:
            lay(Path(programs), old)
            services = [name for name in SERVICES if (Path(programs) / f"aviary-{name}").exists()]
            flags = [flag for name in services + ["edge"] for flag in ("--replicas", f"{name}=2")]
            with House(*flags, "--rate-limits", "off", "--loopback-delay", "10", binaries=programs) as house:
                load = self.begin(house, receiver)
                added = []
                try:
                    time.sleep(1)
                    lay(Path(programs), BIN)
                    added = self.add(house, services)
                    for _ in range(3 if LONG else 1):
                        self.roll(house, [*services, "edge", "broker"])
                    time.sleep(1)
                finally:
                    load.stop()
                    for process in added:
                        process.terminate()
                        self.assertEqual(process.wait(20), 0)
                self.judge(house, receiver, load, known)

    def add(self, house, services):
        """What the old version did not have runs before those that will look for it; the old supervisor knows nothing of it."""
        with open(house.log_path, "ab") as log:
            return [subprocess.Popen([house.binaries / f"aviary-{name}", "--data", house.data], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                    for name in SERVICES if name not in services]

    def begin(self, house, receiver):
        number = draw(house)["number"]
        subscribe(house, receiver, ["messages.sms.delivered"])
        kirim = house.credentials.get("kirim")
        if kirim:
            kirim = kirim | {"person": "+15553219999"}
            accounts = house.http("GET", "/kirim/v1/accounts", key=kirim["key"]).json["data"]
            account = next(row["phone_number"] for row in accounts if row["phone_number_id"] == kirim["phone_number_id"])
            told = house.http("POST", "/v1/playground/whatsapp/inbound", {"from": kirim["person"], "to": account, "text": "Hi"}, key=house.test_key)
            self.assertEqual(told.status, 202, told)
            wait_for(lambda: house.http("GET", f"/kirim/v1/{kirim['phone_number_id']}/conversations", key=kirim["key"]).json["data"], what="the conversation")
        return Load(house, number, kirim)

    def judge(self, house, receiver, load, known):
        statuses = sum((client.statuses for client in load.clients), Counter())
        failed = [line for client in load.clients for line in client.failed]
        print(f"answers: {dict(statuses)}; repeated at the other edge: {sum(client.moved for client in load.clients)}; "
              f"slowest {max(client.slowest for client in load.clients):.2f} s", flush=True)
        self.assertEqual(load.said, [])
        given_up = [line for line in failed if any(line.startswith(method) and text in line for method, text in known)]
        if given_up:
            print(f"requests that the earlier version gave up as it went: {len(given_up)}", flush=True)
        self.assertEqual(len(failed) - len(given_up), 0, "\n".join(failed))
        self.assertGreater(statuses[201], 100)
        self.assertEqual(len(set(load.sent.values())), len(load.sent), "one message for each key")
        texts = {message for message in load.sent.values() if message.startswith("msg_sms")}

        def events():
            told = {}
            for request in receiver.got():
                told.setdefault(request.json["data"]["message"]["id"], set()).add(request.headers["webhook-id"])
            return told

        wait_for(lambda: texts <= set(events()), 60, what="webhooks of all messages")
        self.assertEqual({message: ids for message, ids in events().items() if len(ids) != 1}, {})
        self.assertEqual(set(events()) - texts, set(), "messages that nobody was told of")
