#!/usr/bin/env python3
"""Faults by seed, promises checked from outside: faults.py [--long] [--done FILE] [--jobs N] [SEED | FIRST-LAST]...

Each seed starts a house, loads it (Chirp sends under idempotency keys, inbound messages, webhooks to a flaky receiver and to one that never
answers; by kirim_load.py the same of Kirim, with reads of its inbox; by carrier_load.py a live app that sends and hears through simulated carriers), injects its share of the kinds of fault below, waits until all is quiet, and checks what the house promised. Four seeds in a row, the first a
multiple of four, hold every kind once. --long: seeds 4 to 203 (or AVIARY_SEEDS=FIRST-LAST), four at a time, for they wait more than they work; exit 77 without AVIARY_LONG=1. --done FILE keeps the
seeds that passed and leaves them out the next time. --jobs N: so many at a time. AVIARY_FAULTS=KIND,KIND injects those instead.
"""
import mmap
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPException
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
sys.dont_write_bytecode = True

import carrier_load  # noqa: E402
from carrier_load import CarrierLoad  # noqa: E402
from harness import BIN, House, LONG, Receiver, until_told, wait_for  # noqa: E402
from kirim_load import KirimLoad  # noqa: E402
from test_main_job import draw, subscribe  # noqa: E402

STORES = ["messaging", "webhooks", "accounts", "inbox"]  # in the order of io_fail.c
PROCESSES = STORES + ["templates", "edge", "broker"]
STATUS = ["messages.sms.sent", "messages.sms.delivered", "messages.sms.failed"]
EVENTS = STATUS + ["messages.sms.received"]
DISK, DISK_LOW, DISK_LEFT = 160 << 20, 24 << 20, 12 << 20
# A send cut off by a crash waits for its receipt longer than the clock ever steps; deliveries are tried often enough to outlast every fault.
SETTINGS = {"AVIARY_MESSAGING_UNKNOWN_AFTER": "24h", "AVIARY_WEBHOOKS_TIMEOUT": "1s", "AVIARY_WEBHOOKS_BREAKER_OPEN": "300ms",
            "AVIARY_WEBHOOKS_SCHEDULE": "100ms,200ms,500ms,1s,1s,2s,2s,4s,4s,8s,8s,8s"}
SETTINGS |= carrier_load.SETTINGS | {f"AVIARY_{name.upper()}_DISK_LOW": str(DISK_LOW) for name in STORES + ["templates", "edge"]}
WHAT, WHOSE, PASS, COUNT, FAILED = range(5)
WRITES, FLUSHES = 1, 2


class Silent:
    """Takes connections and never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]

    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"


class Client(threading.Thread):
    """Sends one message after the other, each under its own idempotency key, and repeats it until it is told what became of it."""

    def __init__(self, faults, number, name):
        super().__init__(daemon=True)
        self.faults, self.number, self.name_ = faults, number, name
        self.accepted, self.tried, self.ids, self.odd, self.stop = {}, set(), [], [], False
        self.random = random.Random(name)

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            key = f"{self.name_}-{count}"
            self.tried.add(key)
            answer = until_told(lambda k=key: self.faults.post(self.number, k), 90)
            if answer is not None and answer.status == 201:
                self.accepted[key] = answer.json["id"]
                self.ids.append(answer.json["id"])
            else:
                self.odd.append((key, answer))
                return
            time.sleep(self.random.uniform(0.01, 0.06))


class Person(threading.Thread):
    """Writes to a number, each text once: what was taken comes once, what was not taken comes at most once."""

    def __init__(self, faults, number):
        super().__init__(daemon=True)
        self.faults, self.number = faults, number
        self.taken, self.odd, self.stop = set(), [], False

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            text = f"in-{count}"
            answer = self.faults.try_http("POST", "/v1/playground/sms/inbound", {"from": "+15558880001", "to": self.number, "text": text})
            if answer is not None and answer.status == 202:
                self.taken.add(text)
            elif answer is not None and answer.status != 503:
                self.odd.append((text, answer))
            time.sleep(0.15)


class Faults:
    """One seed's run."""

    def __init__(self, seed, kinds):
        self.seed, self.kinds, self.random = seed, kinds, random.Random(f"faults {seed}")
        self.folder = Path(tempfile.mkdtemp(prefix="aviary-"))
        self.data = self.folder / "disk"
        self.data.mkdir()
        self.mounted = mount_disk(self.data)
        self.numbers = self.open_numbers()
        library = BIN.parent / "tests" / "libaviary_io_fail.so"
        assert library.exists(), f"{library} is missing: build the whole tree"
        env = SETTINGS | {"LD_PRELOAD": str(library), "AVIARY_TEST_IO": str(self.folder / "io"),
                          "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0:verify_asan_link_order=0"}
        self.house = House("--loopback-delay", "20", "--rate-limits", "off", "--test-clock", "--frozen-after", "60000",
                           data=self.data / "var", env=env, start=False)
        self.house.log_path = self.folder / "up.log"
        self.flaky = random.Random(seed)
        self.answering = True
        self.receiver = Receiver(self.reply)
        self.kirim = self.carriers = None

    def open_numbers(self):
        with open(self.folder / "io", "w+b") as file:
            file.write(bytes(4 * 5))
            file.flush()
            return mmap.mmap(file.fileno(), 4 * 5)

    def reply(self, request):
        until = time.monotonic() + 10
        while not self.answering and time.monotonic() < until:
            time.sleep(0.05)
        return 500 if self.flaky.random() < 0.1 else 200

    # ---- talking ----
    def try_http(self, method, path, body=None, headers=None, key=None):
        """The answer, or None if there was none, as an edge that is killed gives."""
        try:
            return self.house.http(method, path, body, key=key or self.house.test_key, headers=headers, timeout=25)
        except (OSError, HTTPException):
            return None

    def post(self, number, key):
        body = {"from": number, "to": [f"+1555{sum(map(ord, key)) % 1000:07d}"], "text": key}
        return self.try_http("POST", "/v1/sms", body, headers={"Idempotency-Key": key})

    def probe(self, service="messaging"):
        """One write that `service` must do, under a key that nobody used."""
        headers = {"Idempotency-Key": f"probe-{self.random.getrandbits(64)}"}
        if service == "messaging":
            key = headers["Idempotency-Key"]
            self.probes.tried.add(key)
            answer = self.post(self.probes.number, key)
            if answer is not None and answer.status == 201:
                self.probes.accepted[key] = answer.json["id"]
            return answer
        if service == "webhooks":
            return self.try_http("POST", "/v1/webhooks", {"url": self.receiver.url("/other"), "events": ["calls.initiated"]}, headers)
        if service == "inbox":
            return self.kirim.http("POST", "/kirim/v1/labels", {"name": f"label {self.random.getrandbits(64)}"}, headers)
        return self.try_http("POST", "/v1/playground/phone-numbers/system", headers=headers)

    def wait_writes(self, service="messaging"):
        wait_for(lambda: (a := self.probe(service)) is not None and a.status in (200, 201), 40, 0.1, f"writes of {service} again")

    # ---- the run ----
    def run(self, test):
        try:
            with self.house:
                self.house.start(60)
                self.load()
                for kind in self.kinds:
                    time.sleep(self.random.uniform(0.3, 0.8))
                    started = time.monotonic()
                    getattr(self, f"fault_{kind}")(test)
                    print(f"seed {self.seed}: {kind} {time.monotonic() - started:.1f} s", flush=True)
                time.sleep(0.5)
                wait_for(self.loaded, 40, what="enough load to judge by")
                self.quiet(test)
                self.check(test)
                self.kirim.check(test)
                self.carriers.check(test)
        except BaseException:
            shutil.copy(self.house.log_path, f"{tempfile.gettempdir()}/aviary-faults-{self.seed}.log")
            raise
        finally:
            self.receiver.close()
            self.silent.socket.close()
            if self.kirim:
                self.kirim.receiver.close()
            wrong = self.carriers.close() if self.carriers else None
            if self.mounted:
                subprocess.run(["umount", "-l", str(self.data)], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
        test.assertIsNone(wrong)

    def load(self):
        self.silent = Silent()
        subscribe(self.house, self.receiver, EVENTS)
        subscribe(self.house, self.silent, EVENTS)
        self.clients = [Client(self, draw(self.house)["number"], f"s{self.seed}c{i}") for i in range(3)]
        self.probes = Client(self, self.clients[0].number, "probes")  # never started: it only keeps what probes were told
        self.person = Person(self, draw(self.house)["number"])
        self.kirim = KirimLoad(self)
        self.carriers = CarrierLoad(self)
        self.threads = [*self.clients, self.person, *self.kirim.threads, *self.carriers.threads]
        for thread in self.threads:
            thread.start()

    def loaded(self):
        """Has everybody done something, and what faults hold up too?"""
        told = [*(c.accepted for c in self.clients), *(t.sent for t in self.kirim.talkers), *(s.accepted for s in self.carriers.senders)]
        return min(map(len, told)) > 20 or any(thread.odd for thread in self.threads)

    def quiet(self, test):
        for thread in self.threads:
            thread.stop = True
        for thread in self.threads:
            thread.join(100)
        test.assertEqual([odd for thread in self.threads for odd in thread.odd], [])
        self.house.wait_ready(60)

    # ---- faults ----
    def fault_kill(self, _):
        for _ in range(6 if LONG else 3):
            service = self.random.choice(PROCESSES)
            old = self.house.kill(service)
            if old:
                self.house.wait_restarted(service, old, timeout=40)
            time.sleep(self.random.uniform(0, 0.4))

    def fault_freeze(self, _):
        with self.house.stopped(self.random.choice(PROCESSES)):
            time.sleep(self.random.uniform(1, 6 if LONG else 3))
        self.wait_writes()

    def fault_broker(self, test):
        """Asks fail by their deadline; nobody is told that something was done."""
        with self.house.stopped("broker"):
            started = time.monotonic()
            answer = self.probe()
            test.assertLess(time.monotonic() - started, 15)
            test.assertTrue(answer is not None and answer.status == 503, f"a send without a broker: {answer}")
            time.sleep(max(0, started + (20 if LONG else 6) - time.monotonic()))
        self.wait_writes()

    def fault_bus(self, test):
        """The bus is cut: every connection to it breaks, then its socket is gone for a while. Asks fail by their deadline, and all find each other again without another process's end."""
        before = {name: pid for name, pid in self.pids().items() if name != "broker"}
        self.house.wait_back("broker", self.house.kill("broker"), timeout=40)  # with its socket
        time.sleep(self.random.uniform(0, 1))
        socket_path = self.house.data / "run" / "bus"
        socket_path.unlink()
        socket_path.mkdir()  # so that the next broker cannot make it
        try:
            self.house.kill("broker")
            until = time.monotonic() + (8 if LONG else 3)
            answer = self.probe()
            test.assertTrue(answer is not None and answer.status == 503, f"a send without a bus: {answer}")
            test.assertLess(time.monotonic(), until + 15)
            time.sleep(max(0, until - time.monotonic()))
        finally:
            socket_path.rmdir()
        self.wait_writes()
        test.assertEqual({name: self.house.pid(name) for name in before}, before)

    def fault_provider(self, test):
        """The carriers stand still, then are slow; sends by another are delivered meanwhile."""

        def neighbour():
            answer = wait_for(lambda: (a := self.probe()) is not None and a.status == 201 and a, 15, what="a send by loopback")
            wait_for(lambda: "messages.sms.delivered" in self.stories()[0].get(answer.json["id"], {"events": ()})["events"], 20, what="a send by loopback to be delivered while the carriers stall")

        self.carriers.stall(neighbour)

    def fault_receiver(self, _):
        """Deliveries run into their time limit for a while."""
        self.answering = False
        time.sleep(self.random.uniform(2, 5))
        self.answering = True

    def fail_io(self, what, service, passing, count):
        for at, value in ((WHOSE, STORES.index(service)), (PASS, passing), (COUNT, count), (WHAT, what)):
            struct.pack_into("=I", self.numbers, 4 * at, value)

    def failed_io(self):
        return struct.unpack_from("=I", self.numbers, 4 * FAILED)[0]

    def io(self, test, what):
        """One call fails in the middle of the load; then all do, while nothing that needs the store may be told as done."""
        before = self.failed_io()
        old = self.house.pid("messaging")
        self.fail_io(what, "messaging", self.random.randrange(40), 1)
        wait_for(lambda: self.failed_io() > before, 20, what="a failed call")
        self.house.wait_restarted("messaging", old, timeout=40)
        self.wait_writes()
        service = self.random.choice(STORES)
        before = self.failed_io()
        self.fail_io(what, service, 0, 0)
        try:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                answer = self.probe(service)
                test.assertTrue(answer is None or answer.status == 503, f"{service} cannot write, and says: {answer}")
                time.sleep(0.02)
        finally:
            self.fail_io(0, service, 0, 0)
        test.assertGreater(self.failed_io(), before)
        self.wait_writes(service)
        self.wait_writes()

    def fault_write(self, test):
        self.io(test, WRITES)

    def fault_flush(self, test):
        self.io(test, FLUSHES)

    def fill(self, leave):
        disk = os.statvfs(self.data)
        size = disk.f_bavail * disk.f_frsize - leave
        with open(self.data / "ballast", "wb", buffering=0) as file:  # else closing it writes what did not go
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:  # somebody was quicker: then write what goes
                while os.statvfs(self.data).f_bavail and leave == 0:
                    try:
                        file.write(bytes(4096))
                    except OSError:
                        break

    def pids(self):
        return {name: self.house.pid(name) for name in PROCESSES}

    def fault_disk_low(self, test):
        """Sends answer 503, reads and keys go on, and no process has to be started anew."""
        if not self.mounted:
            return
        before = self.pids()
        self.fill(DISK_LEFT)
        try:
            wait_for(lambda: (a := self.probe()) is not None and a.status == 503, 15, what="a send that is refused")
            for i in range(8):
                answer = self.probe()
                test.assertEqual(answer.status, 503, answer)
                answer = self.try_http("GET", "/v1/phone-numbers")
                test.assertEqual(answer.status, 200, answer)
                if i % 4 == 0:
                    self.house.cli("key", "create", "--name", f"disk {i}")
        finally:
            (self.data / "ballast").unlink()
        self.wait_writes()
        test.assertEqual(self.pids(), before)

    def fault_disk_full(self, test):
        """Not a byte left, and a process dies then: once there is room all goes on by itself."""
        if not self.mounted:
            return
        self.fill(0)
        try:
            service = self.random.choice(STORES)
            killed = self.house.kill(service)
            for _ in range(10):
                time.sleep(0.2)
                answer = self.try_http("GET", "/healthz")
                test.assertTrue(answer is not None and answer.status == 200, f"the edge with a full disk: {answer}")
        finally:
            (self.data / "ballast").unlink()
        self.house.wait_back(service, killed)
        self.wait_writes()

    def step_clock(self, hours):
        with open(self.house.data / "run" / "clock", "r+b") as file, mmap.mmap(file.fileno(), 8) as at:
            struct.pack_into("<q", at, 0, struct.unpack_from("<q", at, 0)[0] + int(hours * 3600000))

    def fault_clock_ahead(self, _):
        self.step_clock(1)
        time.sleep(1)
        self.wait_writes()

    def fault_clock_back(self, _):
        """Back an hour, and right again after a while; meanwhile sends are accepted, in order."""
        self.step_clock(-1)
        self.wait_writes()
        time.sleep(self.random.uniform(1, 2))
        self.wait_writes()
        self.step_clock(1)

    def fault_clock_stays_back(self, _):
        """What was scheduled before the step must not wait until the clock has caught up."""
        self.step_clock(-1)
        self.wait_writes()

    # ---- promises ----
    def check(self, test):
        senders = [*self.clients, self.probes]
        accepted = {message: key for client in senders for key, message in client.accepted.items()}
        test.assertGreater(len(accepted), 20)
        test.assertEqual(len(accepted), sum(len(c.accepted) for c in senders), "an id was given twice")
        for client in self.clients:
            test.assertEqual(client.ids, sorted(client.ids), "ids are not in order")
            key = min(client.accepted)
            again = until_told(lambda c=client, k=key: self.post(c.number, k), 30)
            test.assertEqual((again.status, again.json["id"]), (201, client.accepted[key]), "an old idempotency key")
        try:
            wait_for(lambda: not self.missing(accepted), 90, 0.5)
        except TimeoutError:
            lost = self.missing(accepted)
            test.fail(f"seed {self.seed}: {len(lost)} of {len(accepted) + len(self.person.taken)} have no end: {lost[:5]}")
        time.sleep(1)
        self.check_stories(test, accepted, set().union(*(c.tried for c in senders)))

    def stories(self):
        told, heard = {}, {}
        for request in self.receiver.got():
            body = request.json
            message = body["data"]["message"]
            if body["event"] == "messages.sms.received":
                heard.setdefault(message["text"], set()).add((message["id"], request.headers["webhook-id"]))
            else:
                story = told.setdefault(message["id"], {"text": message.get("text"), "events": {}})
                story["events"].setdefault(body["event"], set()).add(request.headers["webhook-id"])
        return told, heard

    def missing(self, accepted):
        told, heard = self.stories()
        silent = [m for m in accepted if "messages.sms.delivered" not in told.get(m, {"events": ()})["events"]
                  and "messages.sms.failed" not in told.get(m, {"events": ()})["events"]]
        return silent + [text for text in self.person.taken if text not in heard]

    def check_stories(self, test, accepted, tried):
        told, heard = self.stories()
        keys = {}
        for message, story in told.items():
            final = {"messages.sms.delivered", "messages.sms.failed"} & set(story["events"])
            test.assertEqual(final, {"messages.sms.delivered"}, f"how {message} ended")
            for event, ids in story["events"].items():
                test.assertEqual(len(ids), 1, f"{event} of {message} has several ids")
            key = accepted.get(message, story["text"])
            keys.setdefault(key, set()).add(message)
        test.assertLessEqual(set(keys), tried, "messages that nobody sent")
        for key, messages in keys.items():
            test.assertEqual(len(messages), 1, f"{key} was sent several times")
        for text, ids in heard.items():
            test.assertEqual(len(ids), 1, f"{text} came in several times")
        self.check_kept(test, sorted(accepted))
        print(f"seed {self.seed}: {len(accepted)} accepted, {len(self.person.taken)} came in, {len(self.receiver.got())} requests of webhooks, "
              f"{self.failed_io()} calls failed", flush=True)

    def check_kept(self, test, messages):
        """What the services kept of some: accepted once, answered by the carrier at most once, ended once."""
        for message in self.random.sample(messages, 10):
            text = self.house.cli("explain", message)
            steps = re.findall(r"^\s*(?:[+-]\d[\w. ]*? (?:ms|s|min|h|d) +)?(accepted|attempt|delivered|failed)  +(.*)$", text, re.M)
            for step, count in (("accepted", 1), ("delivered", 1), ("failed", 0)):
                test.assertEqual([name for name, _ in steps].count(step), count, f"{step}:\n{text}")
            answered = [step for step in steps if step[0] == "attempt" and ": answered" in step[1]]
            test.assertLessEqual(len(answered), 1, text)


KINDS = sorted({name.removeprefix("fault_") for name in vars(Faults) if name.startswith("fault_")})


def kinds_of(seed):
    if os.environ.get("AVIARY_FAULTS"):
        return os.environ["AVIARY_FAULTS"].split(",")
    deck = list(KINDS)
    random.Random(seed // 4).shuffle(deck)
    return deck[seed % 4::4]


def mount_disk(folder):
    """A small file system of our own; False where that is not allowed: faults of the disk are left out then."""
    if not os.environ.get("AVIARY_FAULTS_MOUNTS"):
        return False
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "aviary", str(folder)], check=False).returncode == 0


def enter_namespace():
    """Run again where mounts are our own and vanish with us."""
    if os.environ.get("AVIARY_FAULTS_MOUNTS") is not None:
        return
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    able = subprocess.run(["unshare", *flags, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    os.environ["AVIARY_FAULTS_MOUNTS"] = "1" if able else ""
    if able:
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    print("no mounts here: faults of the disk are left out", flush=True)


def seed_case(seed, done):
    def run():
        case = unittest.TestCase()
        kinds = kinds_of(seed)
        print(f"seed {seed}: {', '.join(kinds)}", flush=True)
        Faults(seed, kinds).run(case)
        if done:
            with open(done, "a", encoding="ascii") as file:
                file.write(f"{seed}\n")

    return unittest.FunctionTestCase(run, description=f"seed {seed}")


def run_apart(seed, done):
    """One seed as a process of its own; (seed, did it pass, seconds, what it said)."""
    began = time.monotonic()
    command = [sys.executable, __file__, *(["--done", done] if done else []), str(seed)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return seed, ran.returncode == 0, time.monotonic() - began, ran.stdout


def run_many(seeds, done, jobs):
    """Several at a time; how many failed."""
    began, failed = time.monotonic(), []
    with ThreadPoolExecutor(jobs) as pool:
        for one in as_completed([pool.submit(run_apart, seed, done) for seed in seeds]):
            seed, passed, seconds, said = one.result()
            failed += [] if passed else [seed]
            print(said if not passed else "\n".join(line for line in said.splitlines() if line.startswith("seed ")))
            print(f"seed {seed}: {'passed' if passed else 'FAILED'} in {seconds:.0f} s", flush=True)
    print(f"{len(seeds) - len(failed)} of {len(seeds)} seeds passed in {time.monotonic() - began:.0f} s; failed: {sorted(failed) or 'none'}", flush=True)
    return len(failed)


def take(args, flag):
    """The value behind a flag, both taken out of the arguments; None if it is not there."""
    if flag not in args:
        return None
    at = args.index(flag)
    value = args[at + 1]
    del args[at:at + 2]
    return value


def main(args):
    done, jobs = take(args, "--done"), int(take(args, "--jobs") or (4 if "--long" in args else 1))
    if "--long" in args:
        args.remove("--long")
        if not LONG:
            return 77
        args = args or [os.environ.get("AVIARY_SEEDS", "4-203")]
    enter_namespace()
    past = set(Path(done).read_text(encoding="ascii").split()) if done and Path(done).exists() else set()
    seeds = [seed for arg in args or ["0-3"] for seed in range(int(arg.split("-")[0]), int(arg.split("-")[-1]) + 1) if str(seed) not in past]
    if jobs > 1:
        return 1 if run_many(seeds, done, jobs) else 0
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(seed_case(seed, done) for seed in seeds))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
