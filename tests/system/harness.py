"""A real house for tests: `aviary up` in a temporary folder on free ports, HTTP, a webhook receiver, kills by pid.

    with House("--replicas", "edge=2") as house:
        answer = house.http("GET", "/v1/phone-numbers", key=house.test_key)
        with Receiver() as receiver: ...
        house.kill("messaging")

Leaving the block always stops everything. A sanitizer's report, a failed assertion or an exit code other than 0 in it is a failed test. Standard
library only. AVIARY_BIN says where the programs are (default build/dev/bin).
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http import server as http_server
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("AVIARY_BIN", ROOT / "build" / "dev" / "bin"))
LONG = bool(os.environ.get("AVIARY_LONG"))
PATIENCE = float(os.environ.get("AVIARY_PATIENCE") or 1)  # times as long to wait: programs under valgrind are slow
REPORTS = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion `|assertion .* failed", re.I)


def seeded():
    """A random source whose seed is printed, AVIARY_SEED to repeat it."""
    seed = int(os.environ.get("AVIARY_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed: AVIARY_SEED={seed}", flush=True)
    return random.Random(seed)


def free_ports(count=1):
    """The first of `count` free ports in a row, below the range that outgoing connections use."""
    for _ in range(200):
        first = random.SystemRandom().randrange(12000, 32000 - count)
        held = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise RuntimeError("no free ports")


def wait_for(check, timeout=10, every=0.05, what=None):
    """The first true result of check(); TimeoutError with `what` if there is none in time."""
    until = time.monotonic() + timeout * PATIENCE
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > until:
            raise TimeoutError(f"waited {timeout * PATIENCE:g} s for {what or check.__name__}; last: {result!r}")
        time.sleep(every)


def process_state(pid):
    """The letter of /proc: R runs, S sleeps, T is stopped, Z is dead and not reaped; None: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Answer:
    """An HTTP answer: status, headers (lower-case names), body (bytes), json."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


def http(method, port, path, body=None, key=None, headers=None, timeout=30):
    """One request on a connection of its own. `body`: bytes and str go as they are, anything else as JSON."""
    send = dict(headers or {})
    if key:
        send.setdefault("Authorization", f"Bearer {key}")
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if body is not None:
        send.setdefault("Content-Type", "application/json")
        body = body.encode() if isinstance(body, str) else body
    link = HTTPConnection("127.0.0.1", port, timeout=timeout * PATIENCE)
    try:
        link.request(method, path, body=body, headers=send)
        got = link.getresponse()
        return Answer(got.status, got.getheaders(), got.read())
    finally:
        link.close()


def control(base, method, path, body=None, allow=(), timeout=60):
    """The control API of a simulator; None for a status in `allow`."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, data, {"Content-Type": "application/json"}, method=method), timeout=timeout * PATIENCE) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        if error.code in allow:
            return None
        raise AssertionError(f"{method} {path}: {error.code} {error.read()[:300]}") from None


def memory(pid):
    """Anonymous memory of a process in bytes; 0 under a sanitizer, which keeps freed memory (and tells leaks at the end)."""
    if re.search(r"lib[at]san", Path(f"/proc/{pid}/maps").read_text()):
        return 0
    return int(re.search(r"^Anonymous:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) * 1024


def until_told(post, patience=60, every=0.05):
    """What a customer does who is not told what became of a request: `post`, always with the same idempotency key, again while there is no answer (None, or the connection broke), 409 or 503. The last
    answer; None if there never was one. It is one of those only when `patience` seconds are over."""
    until = time.monotonic() + patience * PATIENCE
    while True:
        try:
            answer = post()
        except (OSError, HTTPException):
            answer = None
        if (answer is not None and answer.status not in (409, 503)) or time.monotonic() > until:
            return answer
        time.sleep(every)


class House:
    """`aviary up --no-demo FLAGS` in a temporary folder."""

    def __init__(self, *flags, data=None, port=None, binaries=None, env=None, ready=30, start=True):
        self.flags = list(flags)
        self.binaries = Path(binaries or BIN)
        self.kept = data is not None
        self.folder = Path(data or tempfile.mkdtemp(prefix="aviary-"))
        self.data = self.folder if self.kept else self.folder / "var"
        self.edges = max([int(flag.split("=")[1]) for flag in flags if flag.startswith("edge=")] or [1])
        self.port = port or free_ports(self.edges)
        self.env = {**os.environ, **(env or {})}
        self.log_path = self.folder / "up.log"
        self.process = None
        if start:
            self.start(ready)

    # ---- life ----
    def start(self, ready=30):
        """Start (or, after stop, start again on the same folder); waits up to `ready` seconds for /readyz, 0 = does not wait."""
        command = [str(self.binaries / "aviary"), "up", "--no-demo", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + self.flags, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                            start_new_session=True)
        if ready:
            try:
                self.wait_ready(ready)
            except BaseException:
                self.tell_log()
                self.end()
                raise

    def wait_ready(self, timeout=30):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"aviary up ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                return all(http("GET", self.port + n, "/readyz", timeout=2).status == 200 for n in range(self.edges))
            except (OSError, HTTPException):
                return False

        wait_for(ready, timeout, what="/readyz")

    def stop(self, timeout=15):
        """TERM and wait; returns the exit code."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # its children die with it
            process.wait()
            return -9

    def crash(self):
        """Everything is gone at once, as when the machine's power goes."""
        children = [child["pid"] for child in json.loads((self.data / "run" / "supervisor.json").read_text())["children"] if child["pid"]]
        process, self.process = self.process, None
        process.kill()  # its children die with it, each when the kernel comes to it
        process.wait()
        wait_for(lambda: all(process_state(pid) in ("Z", None) for pid in children), 30, what="the end of all processes")

    def end(self):
        """Stop whatever is left, without judging."""
        self.stop()
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tell_log(self, lines=80):
        print("---- end of the log ----\n" + "\n".join(self.log().splitlines()[-lines:]), file=sys.stderr, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        started = self.process is not None
        code = self.stop()
        found = REPORTS.search(self.log())
        try:
            if found:
                print("---- the report ----\n" + self.log()[max(0, found.start() - 2000):found.end() + 8000], file=sys.stderr, flush=True)
            if kind or found or (started and code):
                self.tell_log()
            if not kind and found:
                raise AssertionError(f"the log holds: {found[0]}")
            if not kind and started and code:
                raise AssertionError(f"aviary up ended with {code}")
        finally:
            self.end()
        return False

    # ---- looking in ----
    def cli(self, *args, check=True, timeout=30):
        """Run `aviary ARGS --data DIR`; stdout as text."""
        done = subprocess.run([str(self.binaries / "aviary"), *args, "--data", str(self.data)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout * PATIENCE, env=self.env, check=False)
        if check and done.returncode:
            raise AssertionError(f"aviary {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def status(self):
        return json.loads(self.cli("status", "--json"))

    def metric(self, name, **labels):
        """The sum of a metric over all that have these labels among their own."""
        answer = wait_for(lambda: (a := self.http("GET", "/metrics")).status == 200 and a, what="/metrics")
        lines = answer.body.decode().splitlines()
        found = [re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line) for line in lines]
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        return sum(float(one[3]) for one in found if one and one[1] == name and wanted <= set((one[2] or "").split(",")))

    def control(self, method, path, body=None):
        """The control API of the simulator that --simulate starts."""
        return control(self.credentials["simulator"]["control_url"], method, path, body)

    def row(self, service, replica=0):
        """A process as `aviary status` has it, or None."""
        return next((row for row in self.status() if (row["service"], row["replica"]) == (service, replica)), None)

    def pid(self, service, replica=0):
        """Pid of a process as the supervisor knows it; None while down."""
        try:
            listed = json.loads((self.data / "run" / "supervisor.json").read_text())
        except (OSError, ValueError):
            return None
        for child in listed["children"]:
            if child["service"] == service and child["replica"] == replica:
                return child["pid"]
        raise KeyError(f"{service}.{replica}")

    def owner(self, service):
        """Replica that owns the service's store; waits until one says so: a new owner answers asks before its beat tells the broker."""
        owners = wait_for(lambda: [row["replica"] for row in self.status() if row["service"] == service and row["owner"] and row["ready"]], 20, what=f"an owner of {service}")
        return owners[0]

    def kill(self, service, replica=0, sig=signal.SIGKILL):
        """Send a signal to one process; returns its pid (None if it was down)."""
        pid = self.pid(service, replica)
        if pid:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                return None
        return pid

    def wait_restarted(self, service, old, replica=0, timeout=40):
        return wait_for(lambda: (self.pid(service, replica) not in (None, old)) and self.pid(service, replica), timeout,
                        what=f"a new {service}.{replica}")

    def wait_back(self, service, old, replica=0, timeout=40):
        """Until another process than `old` is there and the broker knows it as ready: what is asked from then on, it answers. (/readyz may still speak of the one that is gone.)"""
        def back():  # the first that is started may end, too: on a full disk, say
            now, row = self.pid(service, replica), self.row(service, replica)
            return row and row["ready"] and row["pid"] == now != old and now
        return wait_for(back, timeout, what=f"{service}.{replica} ready again")

    def wait_replicas(self, timeout=20):
        """Until every process is ready: /readyz is content with one of each service."""
        wait_for(lambda: all(row["ready"] for row in self.status()), timeout, what="all replicas")

    @contextmanager
    def stopped(self, service, replica=0):
        """The process stands still while the block runs, and before it begins."""
        pid = wait_for(lambda: self.kill(service, replica, signal.SIGSTOP), what=f"{service}.{replica} to stop")
        try:
            wait_for(lambda: process_state(pid) in ("T", "Z", None), what=f"{service}.{replica} to stand still")
            yield pid
        finally:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # the supervisor has ended it meanwhile

    # ---- keys and HTTP ----
    @property
    def credentials(self):
        return json.loads((self.data / "credentials.json").read_text())

    @property
    def admin_key(self):
        return self.credentials["admin_key"]

    @property
    def live_key(self):
        return self.credentials["app"]["live_key"]

    @property
    def test_key(self):
        return self.credentials["app"]["test_key"]

    def http(self, method, path, body=None, key=None, headers=None, edge=0, timeout=30):
        return http(method, self.port + edge, path, body, key, headers, timeout)


class Request:
    """What a receiver got: method, path, headers (lower-case names), body, json, at (seconds)."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.body, self.at = method, path, body, time.time()
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def json(self):
        return json.loads(self.body)


class Receiver:
    """A threaded HTTP server that keeps what it gets. `reply` is a status, or a function of a Request that gives (status, headers, body)."""

    def __init__(self, reply=200):
        self.reply = reply
        self.requests = []
        self.lock = threading.Lock()
        outer = self

        class Handler(http_server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def take(self):
                size = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, self.headers, self.rfile.read(size))
                with outer.lock:
                    outer.requests.append(request)
                answer = outer.reply(request) if callable(outer.reply) else outer.reply
                status, headers, body = (answer, {}, b"") if isinstance(answer, int) else answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET = do_PUT = do_DELETE = take

            def log_message(self, *_):
                pass

        class Server(http_server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_):
                pass  # the sender went away: killed in the middle, as tests do

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, check=lambda request: True):
        with self.lock:
            return [request for request in self.requests if check(request)]

    def wait(self, count=1, check=lambda request: True, timeout=15):
        """The requests that pass `check`, once there are `count`."""
        return wait_for(lambda: len(self.got(check)) >= count and self.got(check), timeout, what=f"{count} requests")

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def flags(*given):
    """Decorator: the flags of the house that a test function with a parameter `house` gets."""

    def mark(function):
        function.house_flags = given
        return function

    return mark
