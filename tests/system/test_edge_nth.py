"""The edge with its n-th allocation failing, on the heap or in the request's arena, and its n-th send, over one request of each family of routes of both dialects and of what is served
beside them, against a real house.

Whatever fails: the answer is one of the house's own faults (5xx) in the dialect's envelope, empty where there was no memory for that, or the one without the fault; or the connection
ends. The same request afterwards gets its answer, and nothing crashes or leaks. The edge is tests/aviary-edge-nth (services/edge/nth_edge.c), which is told through a mapped file."""
import itertools
import json
import mmap
import os
import re
import shutil
import struct
import tempfile
import time
import unittest
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from harness import BIN, House, LONG, PATIENCE

EDGE = BIN.parent / "tests" / "aviary-edge-nth"
HEAP, ARENA, SEND = 1, 2, 3
NAMES = {HEAP: "allocation of the heap", ARENA: "allocation of the arena", SEND: "send"}
ALL = 256  # then in steps
METHODS = ("get", "post", "put", "patch", "delete")
BOUNDARY = "----aviary-nth"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
FORM = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="type"\r\n\r\ndocument\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n').encode() + PDF + f"\r\n--{BOUNDARY}--\r\n".encode()
CHIRP, KIRIM = "/openapi.json", "/kirim/v1/openapi.json"
TO = "+15551234567"


def programs(folder):
    """The house's programs with that edge. `aviary` finds the others beside itself, so it is no link."""
    for path in BIN.glob("aviary*"):
        os.symlink(EDGE if path.name == "aviary-edge" else path, folder / path.name)
    (folder / "aviary").unlink()
    shutil.copy2(BIN / "aviary", folder / "aviary")
    return folder


class Sample:
    """A request: `path` may be a function of the bench that makes what it is about."""

    def __init__(self, of, method, path, status, key="test", body=None, keyed=False, headers=None, url=None):
        self.of, self.method, self.path, self.status, self.key, self.body = of, method, path, status, key, body
        self.keyed, self.headers, self.url = keyed, headers or {}, url or path

    def __repr__(self):
        return f"{self.method} {self.path}"


class Bench:
    """A house, and one connection to its edge."""

    def __init__(self, house, control):
        self.house, self.control, self.link = house, control, None
        said = house.credentials
        self.keys = {"test": house.test_key, "admin": house.admin_key, "kirim": said["kirim"]["key"], None: None}
        self.numbers = itertools.count(1)
        self.names = {"number": said["kirim"]["phone_number_id"], "app": said["app"]["id"], "test_app": said["app"]["test_app_id"]}
        self.requests = 0

    def ask(self, method, path, key=None, body=None, headers=None):
        """(status, headers, body); None: the connection ended."""
        send = dict(headers or {})
        if self.keys.get(key, key):
            send["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        if isinstance(body, (dict, list)):
            send.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        self.requests += 1
        try:
            if self.link is None:
                self.link = HTTPConnection("127.0.0.1", self.house.port, timeout=30 * PATIENCE)
            self.link.request(method, path, body=body, headers=send)
            answer = self.link.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (HTTPException, OSError):
            self.link.close()
            self.link = None
            return None

    def made(self, method, path, key, body):
        status, _, said = self.ask(method, path, key, body, {"Idempotency-Key": f"made-{next(self.numbers)}"})
        assert status in (200, 201), (method, path, status, said)
        return json.loads(said)

    def prepare(self, sample):
        """What a sample sends now."""
        n = next(self.numbers)
        headers = dict({name: text.format(**self.names) for name, text in sample.headers.items()}, **({"Idempotency-Key": f"nth-{n}"} if sample.keyed else {}))
        url = sample.url(self) if callable(sample.url) else sample.url
        body = sample.body(n, self.names) if callable(sample.body) else sample.body
        return sample.method, url.format(**self.names), sample.key, body, headers

    # ---- one fault ----
    def failing(self, kind, n, request):
        """The answer, and whether it failed."""
        before = struct.unpack_from("I", self.control, 12)[0]
        struct.pack_into("II", self.control, 0, kind, n)
        answer = self.ask(*request)
        until = time.monotonic() + 10 * PATIENCE
        while struct.unpack_from("I", self.control, 12)[0] == before:
            assert time.monotonic() < until, (request, "the request does not end")
            time.sleep(0.0002)
        return answer, struct.unpack_from("I", self.control, 8)[0] == 0


def is_envelope(body, headers):
    if not headers.get("content-type", "").startswith("application/json"):
        return False
    said = json.loads(body)
    return isinstance(said.get("error"), dict) and said["error"].get("type") == "api_error"


def fault_is_told(kind, sample, clean, answer):
    """Is this an answer of one that lacks memory, or a way out?"""
    if answer is None:
        return True
    status, headers, body = answer
    if status == sample.status:
        return bool(body) == bool(clean[2])
    if kind == ARENA and status == 413:  # as far as the request can tell it was too large for its memory
        return True
    return status in (500, 503) and (not body or sample.of is None or is_envelope(body, headers))


def every_fault(bench, sample):
    clean = bench.ask(*bench.prepare(sample))
    assert clean and clean[0] == sample.status, (sample, clean)
    for kind in (HEAP, ARENA, SEND):
        n, fired = 1, True
        while fired:
            request = bench.prepare(sample)
            answer, fired = bench.failing(kind, n, request)
            assert fault_is_told(kind, sample, clean, answer), (sample, NAMES[kind], n, answer)
            assert fired or (answer and answer[0] == sample.status), (sample, NAMES[kind], n, answer)
            if kind == SEND and fired and answer[0] != sample.status:
                assert answer[0] == 503, (sample, n, answer)
            again = bench.ask(*request) if n % 4 == 1 else None
            gone = sample.method == "DELETE" and again and again[0] == 404
            assert again is None or again[0] == sample.status or gone, (sample, NAMES[kind], n, "again", again)
            n += 1 + (0 if LONG or n < ALL else n // 5)


# ---- the samples ----
def of_chirp():
    hook = {"url": "https://hook.example/x", "events": ["messages.sms.sent"]}
    new_hook = lambda bench: "/v1/webhooks/" + bench.made("POST", "/v1/webhooks", "test", hook)["id"]  # noqa: E731
    of_app = {"X-App-Id": "{test_app}"}
    return [
        Sample(CHIRP, "DELETE", "/v1/organization/app-keys/{keyId}", 404, "admin", url="/v1/organization/app-keys/key_3MRlPY1I2yvDd8qwD5wje56sthU"),
        Sample(CHIRP, "DELETE", "/v1/webhooks/{webhookId}", 200, url=new_hook),
        Sample(CHIRP, "GET", "/v1/organization/settings", 200, "admin"),
        Sample(CHIRP, "GET", "/v1/organization/playground/phone-numbers/system", 200, "admin", headers=of_app),
        Sample(CHIRP, "GET", "/v1/organization/stats", 200, "admin", url="/v1/organization/stats?appId={app}"),
        Sample(CHIRP, "GET", "/v1/organization/apps/{appId}/calling", 200, "admin", url="/v1/organization/apps/{app}/calling"),
        Sample(CHIRP, "GET", "/v1/organization/apps/{appId}/keys", 200, "admin", url="/v1/organization/apps/{app}/keys?limit=5"),
        Sample(CHIRP, "GET", "/v1/organization/apps", 200, "admin", url="/v1/organization/apps?limit=1"),
        Sample(CHIRP, "GET", "/v1/playground/phone-numbers/user", 200),
        Sample(CHIRP, "GET", "/v1/webhooks/{webhookId}", 200, url="{hook}"),
        Sample(CHIRP, "GET", "/v1/phone-numbers", 200, url="/v1/phone-numbers?limit=10"),
        Sample(CHIRP, "PATCH", "/v1/organization/settings", 200, "admin", {"media_retention_days": 30}),
        Sample(CHIRP, "POST", "/v1/organization/playground/phone-numbers/user", 201, "admin", keyed=True, headers=of_app),
        Sample(CHIRP, "POST", "/v1/organization/admin-keys", 201, "admin", {"name": "k"}, True),
        Sample(CHIRP, "POST", "/v1/organization/apps/{appId}/webhooks", 201, "admin", hook, True, url="/v1/organization/apps/{app}/webhooks"),
        Sample(CHIRP, "POST", "/v1/playground/phone-numbers/user", 201, keyed=True),
        Sample(CHIRP, "POST", "/v1/sms", 201, body=lambda _, names: {"from": names["sms"], "to": [TO], "text": "Hello"}, keyed=True),
        Sample(CHIRP, "POST", "/v1/playground/sms/inbound", 202, body={"from": TO, "to": "+15550009876", "text": "Hi"}, keyed=True),
        Sample(CHIRP, "POST", "/v1/media", 201, body=FORM, keyed=True, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}),
        Sample(CHIRP, "PUT", "/v1/organization/apps/{appId}", 200, "admin", {"name": "Desk"}, url="/v1/organization/apps/{app}"),
        Sample(CHIRP, "PUT", "/v1/webhooks/{webhookId}", 200, body=hook, url="{hook}"),
    ]


def of_kirim():
    base = "/kirim/v1"
    label = lambda n, _: {"name": f"label {n}", "color": "amber"}  # noqa: E731
    new_label = lambda bench: f"{base}/labels/" + bench.made("POST", f"{base}/labels", "kirim", label(next(bench.numbers), None))["data"]["id"]  # noqa: E731
    text = {"messaging_product": "whatsapp", "to": TO, "type": "text", "text": {"body": "Halo"}}

    def sample(method, path, status, body=None, url=None, keyed=False):
        url = url or path
        return Sample(KIRIM, method, path, status, "kirim", body, keyed, url=url if callable(url) else base + url)

    return [
        sample("DELETE", "/labels/{id}", 200, url=new_label),
        Sample(KIRIM, "GET", "/health", 200, None, url=base + "/health"),
        sample("GET", "/me", 200),
        sample("GET", "/labels/{id}", 200, url="/labels/{label}"),
        sample("GET", "/{phone_number_id}/contacts", 200, url="/{number}/contacts?search=a&limit=1"),
        sample("GET", "/labels", 200, url="/labels?limit=1"),
        sample("PATCH", "/labels/{id}", 200, {"color": "sky"}, "/labels/{label}"),
        sample("POST", "/labels", 200, label, keyed=True),
        sample("POST", "/webhook_deliveries/{id}/replay", 404, url="/webhook_deliveries/wbd_01HXYZABCDEFGHJKMNPQRSTVWX/replay", keyed=True),
        sample("POST", "/{phone_number_id}/messages", 200, text, "/{number}/messages", True),
    ]


def beside():
    """What no document has: probes, pages, callbacks, signed links, and what is refused."""
    return [
        Sample(None, "GET", "/healthz", 200, None),
        Sample(None, "GET", "/readyz", 200, None),
        Sample(None, "GET", "/version", 200, None),
        Sample(None, "GET", "/metrics", 200, None),
        Sample(None, "GET", "/openapi.json", 200, None),
        Sample(None, "GET", "/kirim/v1/openapi.json", 200, None),
        Sample(None, "GET", "/docs", 200, None),
        Sample(None, "GET", "/media/x", 403, None),
        Sample(None, "GET", "a file", 200, None, url="{file}"),
        Sample(None, "POST", "/callbacks/meta/x", 404, None, b'{"a":1}'),
        Sample(None, "POST", "/callbacks/meta/01a2017e-0be2-705f-9323-fecb4bc4afdd", 404, None, b'{"a":1}', url="/callbacks/meta/01a2017e-0be2-705f-9323-fecb4bc4afdd?a=1"),
        Sample(CHIRP, "GET", "/v1/nothing", 404),
        Sample(CHIRP, "GET", "/v1/sms", 405),
        Sample(CHIRP, "GET", "/v1/phone-numbers", 401, None),
        Sample(CHIRP, "GET", "a key that nobody has", 401, "sk_test_app_nobody_has_this_key_at_all_0000000", url="/v1/phone-numbers"),
        Sample(CHIRP, "POST", "no JSON", 400, body=b"{", url="/v1/sms", headers={"Content-Type": "application/json"}),
        Sample(CHIRP, "POST", "a field that does not fit", 400, body={"from": 1}, url="/v1/sms"),
        Sample(KIRIM, "GET", "/kirim/v1/nothing", 404, "kirim"),
    ]


def family(document, path, method):
    """What the edge does alike."""
    item = document["paths"][path]
    op = item[method]
    known = [document["components"]["parameters"][one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one
             for one in op.get("parameters", []) + item.get("parameters", [])]
    places = sorted({one["in"] for one in known})
    body = next(iter(op.get("requestBody", {}).get("content", {})), "")
    keys = sorted(name for one in op.get("security", document.get("security", [])) for name in one)
    return document["info"]["title"], method, *keys, *places, body, "201" if "201" in op["responses"] else ""


def all_families(bench):
    found = {}
    for of in (CHIRP, KIRIM):
        document = json.loads(bench.ask("GET", of)[2])
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    found.setdefault(family(document, path, method), []).append((of, method.upper(), path))
    return found


def furnish(bench):
    hook = {"url": "https://hook.example/x", "events": ["messages.sms.sent"]}
    bench.names["sms"] = bench.made("POST", "/v1/playground/phone-numbers/system", "test", None)["number"]
    bench.names["hook"] = "/v1/webhooks/" + bench.made("POST", "/v1/webhooks", "test", hook)["id"]
    bench.names["label"] = bench.made("POST", "/kirim/v1/labels", "kirim", {"name": "VIP"})["data"]["id"]
    status, _, said = bench.ask("POST", "/v1/media", "test", FORM,
                                {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Idempotency-Key": "file"})
    assert status == 201, said
    link = json.loads(bench.ask("GET", "/v1/media/" + json.loads(said)["id"], "test")[2])
    bench.names["file"] = re.sub(r"^https?://[^/]+", "", link["url"])


def test_every_fault_of_every_family():
    if not EDGE.exists():
        raise unittest.SkipTest(f"there is no {EDGE}")
    with tempfile.TemporaryDirectory(prefix="aviary-nth-") as folder:
        path = Path(folder) / "control"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            control = mmap.mmap(file.fileno(), 16)
        bins = Path(folder) / "bin"
        bins.mkdir()
        with House("--rate-limits", "off", "--loopback-delay", "10", binaries=programs(bins), env={"NTH_CONTROL": str(path)}) as house:
            bench = Bench(house, control)
            furnish(bench)
            samples = of_chirp() + of_kirim()
            seen = {(one.of, one.method, one.path) for one in samples}
            unseen = {name: ops for name, ops in all_families(bench).items() if not seen & set(ops)}
            assert not unseen, ("no sample of", unseen)
            pid = house.pid("edge")
            for sample in samples + beside():
                before = bench.requests
                every_fault(bench, sample)
                print(f"{sample}: {bench.requests - before} requests", flush=True)
            assert house.pid("edge") == pid
            print(f"{bench.requests} requests", flush=True)
