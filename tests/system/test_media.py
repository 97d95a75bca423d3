"""Media over HTTP: upload, look up, download by the signed link, delete; what is wrong with a file or a form is told and leaves nothing on disk; a large document
streams through an edge that does not grow."""
import hashlib
import re
import socket
import struct
import threading
import unittest
import zlib
from http.client import HTTPConnection

from harness import House, http, memory, wait_for

BOUNDARY = "----aviary-test"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
MEDIA = "/v1/media"


def png(width=2, height=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x7f" * 3 * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def part(name, data, filename=None, kind=None):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return head.encode() + b"\r\n\r\n" + (data if isinstance(data, bytes) else data.encode()) + b"\r\n"


def form(*parts, end=True):
    return b"".join(parts) + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


class Media(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House("--rate-limits", "off", "--test-clock")

    @classmethod
    def tearDownClass(cls):
        cls.house.__exit__(None, None, None)

    def setUp(self):
        self.before = self.files()

    def files(self):
        folder = self.house.data / "media"
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    def post(self, body, key=None, **headers):
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.house.http("POST", MEDIA, body, key=key or self.house.test_key, headers=headers)

    def upload(self, data=PDF, name="a.pdf", kind="application/pdf", /, **fields):
        more = [part(field, value) for field, value in fields.items()]
        return self.post(form(part("file", data, name, kind), *more))

    def get(self, media, key=None):
        return self.house.http("GET", f"{MEDIA}/{media}", key=key or self.house.test_key)

    def link(self, media):
        url = self.get(media).json["url"]
        base = f"http://127.0.0.1:{self.house.port}"
        self.assertTrue(url.startswith(base + "/media/"), url)
        return url[len(base):]

    def download(self, path, method="GET", **headers):
        return http(method, self.house.port, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def refused(self, answer, status=400, code=None, param=None, text=None):
        self.assertEqual(answer.status, status, answer)
        error = answer.json["error"]
        self.assertEqual(error["type"], "invalid_request_error" if status != 403 else "authentication_error")
        self.assertEqual(error.get("code"), code, error)
        if param:
            self.assertEqual(error.get("param"), param, error)
        if text:
            self.assertIn(text, error["message"])
        wait_for(lambda: self.files() == self.before, what="nothing left on disk")

    # ---- the way of a file ----
    def test_upload_get_download_delete(self):
        made = self.upload()
        self.assertEqual(made.status, 201, made)
        self.assertEqual(set(made.json), {"mediaId", "id", "type", "mimeType", "fileSize", "filename", "createdAt"})
        self.assertEqual(made.json["mediaId"], made.json["id"])
        self.assertRegex(made.json["id"], r"^med_test_[a-zA-Z0-9]{27}$")
        self.assertEqual((made.json["type"], made.json["mimeType"], made.json["fileSize"], made.json["filename"]),
                         ("document", "application/pdf", len(PDF), "a.pdf"))
        media = made.json["id"]
        got = self.get(media).json
        self.assertEqual(got["sha256"], hashlib.sha256(PDF).hexdigest())
        self.assertEqual(got["createdAt"], made.json["createdAt"])
        self.assertTrue(got["expiresAt"] > got["createdAt"])
        self.assertEqual(self.get(media.replace("med_", "media_")).json["id"], media)
        link = self.link(media)
        file = self.download(link)
        self.assertEqual((file.status, file.body), (200, PDF))
        self.assertEqual(file.headers["content-type"], "application/pdf")
        self.assertEqual(file.headers["x-content-type-options"], "nosniff")
        self.assertEqual(file.headers["content-disposition"], "inline; filename*=UTF-8''a.pdf")
        self.assertEqual(self.house.http("DELETE", f"{MEDIA}/{media}", key=self.house.test_key).status, 200)
        self.refused(self.get(media), 404)
        self.refused(self.download(link), 404)
        self.refused(self.house.http("DELETE", f"{MEDIA}/{media}", key=self.house.test_key), 404)

    def test_ranges_and_heads(self):
        data = PDF + bytes(range(256)) * 1000
        link = self.link(self.upload(data).json["id"])
        whole = self.download(link, "HEAD")
        self.assertEqual((whole.status, whole.headers["content-length"], whole.body), (200, str(len(data)), b""))
        for asked, status, first, last in (("bytes=0-0", 206, 0, 0), ("bytes=10-99", 206, 10, 99), ("bytes=200000-", 206, 200000, len(data) - 1),
                                           ("bytes=-5", 206, len(data) - 5, len(data) - 1), ("bytes=100-9999999", 206, 100, len(data) - 1),
                                           ("bytes=5-1", 200, 0, len(data) - 1), ("lines=1-2", 200, 0, len(data) - 1),
                                           ("bytes=0-1,3-4", 200, 0, len(data) - 1)):
            got = self.download(link, Range=asked)
            self.assertEqual((got.status, got.body), (status, data[first:last + 1]), asked)
            if status == 206:
                self.assertEqual(got.headers["content-range"], f"bytes {first}-{last}/{len(data)}")
        for asked in ("bytes=999999999-", "bytes=-0", f"bytes={10**30}-"):
            self.assertEqual(self.download(link, Range=asked).status, 416, asked)

    def test_types_told_by_the_bytes(self):
        for data, filename, kind, fields, want in (
                (png(), "p.png", "image/png", {}, ("image", "image/png")),
                (png(), "p.png", None, {"type": "image"}, ("image", "image/png")),
                (png(), "p.png", "application/octet-stream", {}, ("image", "image/png")),
                (b"just text\n", "t.txt", "text/plain", {"type": "document"}, ("document", "text/plain")),
                (PDF, None, None, {"filename": "bericht für Ümit.pdf"}, ("document", "application/pdf"))):
            made = self.upload(data, filename, kind, **fields)
            self.assertEqual(made.status, 201, made)
            self.assertEqual((made.json["type"], made.json["mimeType"]), want)
            self.assertEqual(made.json["filename"], fields.get("filename", filename))
        name = self.download(self.link(made.json["id"])).headers["content-disposition"]
        self.assertEqual(name, "inline; filename*=UTF-8''bericht%20f%C3%BCr%20%C3%9Cmit.pdf")

    def test_fields_before_and_after_the_file(self):
        made = self.post(form(part("type", "image"), part("other", "x"), part("file", png(), "a.png"), part("filename", "b.png")))
        self.assertEqual((made.status, made.json["filename"]), (201, "b.png"), made)

    def test_idempotency_keeps_one_file(self):
        body = form(part("file", PDF, "a.pdf"))
        first = self.post(body, Idempotency_Key="media-1")
        self.assertEqual(first.status, 201, first)
        files = self.files()
        again = self.post(body, Idempotency_Key="media-1")
        self.assertEqual((again.status, again.json), (201, first.json))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        other = self.post(form(part("file", PDF + b"more", "a.pdf")), Idempotency_Key="media-1")
        self.assertEqual(other.status, 409, other)
        wait_for(lambda: self.files() == files, what="one file")

    # ---- who ----
    def test_other_apps_and_keys(self):
        media = self.upload().json["id"]
        other = self.house.live_key
        self.assertEqual(self.get(media, other).status, 404)
        self.assertEqual(self.get(media.replace("_test_", "_"), other).status, 404)
        self.assertEqual(self.house.http("DELETE", f"{MEDIA}/{media}", key=other).status, 404)
        self.assertEqual(self.get(media).status, 200)
        self.assertEqual(self.house.http("POST", MEDIA, form(part("file", PDF)), headers={
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}).status, 401)
        for bad in ("med_x", "x", "media_abc123", "med_test_" + "z" * 27):
            self.assertEqual(self.get(bad).status, 404, bad)

    def test_links_end_and_cannot_be_made_up(self):
        media = self.upload().json["id"]
        link = self.link(media)
        path, query = link.split("?")
        other = self.link(self.upload(PDF + b"2").json["id"])
        self.before = self.files()
        for bad in (path, path + "?" + other.split("?")[1], other.split("?")[0] + "?" + query, link + "&a=b", link[:-1], link.replace("/media/", "/media//"),
                    re.sub(r"expires=\d+", "expires=99999999999", link), "/media/", "/media/x", "/media/../credentials.json?" + query):
            self.refused(self.download(bad), 403)
        self.assertEqual(self.download(link, "POST").status, 405)
        self.assertEqual(self.download(link).status, 200)
        self.house.cli("clock", "+59m")
        self.assertEqual(self.download(link).status, 200)
        self.house.cli("clock", "+2m")
        self.refused(self.download(link), 403, text="expired")
        self.assertEqual(self.download(self.link(media)).status, 200)

    # ---- what is wrong ----
    def test_lying_and_refused_types(self):
        svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
        html = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
        for data, filename, kind, fields, text in (
                (PDF, "a.png", "image/png", {}, "declared as image/png"),
                (png(), "a.pdf", "application/pdf", {"type": "document"}, "declared as application/pdf"),
                (png(), "a.png", "image/png", {"type": "video"}, "video must be"),
                (PDF, "a.pdf", "application/pdf", {"type": "sticker"}, "sticker must be"),
                (svg, "a.svg", "image/svg+xml", {}, "not taken"), (svg, "a.png", "image/png", {"type": "image"}, "not taken"),
                (html, "a.html", "text/html", {}, "not taken"), (html, "a.txt", "text/plain", {"type": "document"}, "not taken"),
                (b"\x00\x01\x02\x03" * 10, "a.bin", None, {}, "document must be"), (b"", "a.pdf", None, {}, "empty"),
                (png()[:20] + b"\x10" + png()[21:], "a.png", None, {"type": "nonsense"}, "")):
            self.refused(self.upload(data, filename, kind, **fields), param="type" if fields.get("type") == "nonsense" else "file", text=text)

    def test_sizes(self):
        image = png() + bytes(5 << 20)
        self.refused(self.upload(image, "a.png", "image/png"), code="media_too_large", param="file")
        self.refused(self.upload(PDF + bytes(16 << 20), "a.pdf", None, type="video"), code="media_too_large", param="file")

    def test_names(self):
        for name in ("../../etc/passwd", "/etc/passwd", "a/b.pdf", "..", "C:\\a.pdf"):
            self.refused(self.upload(PDF, None, None, filename=name), param="filename")
            self.refused(self.post(form(part("file", PDF, name.replace("\\", "\\\\")))))
        self.refused(self.upload(PDF, None, None, filename="x" * 241), param="filename")
        self.refused(self.upload(PDF, "x" * 241, None), param="filename")
        self.refused(self.upload(PDF, None, None, filename="a\nb"), param="filename")

    def test_broken_forms(self):
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        file = part("file", PDF, "a.pdf")
        for body, headers in ((form(file, end=False), {}), (file[:40], {}), (b"", {}), (form(part("other", "x")), {}), (form(), {}),
                              (form(file, file), {}), (form(file, part("type", "image"), part("type", "image")), {}),
                              (form(file), {"Content-Type": "application/json"}), (form(file), {"Content-Type": "multipart/form-data"}),
                              (form(file), {"Content-Type": kind + "x"}), (form(file, part("type", "x" * 5000)), {}),
                              (form(file, *[part(f"p{i}", "x") for i in range(40)]), {})):
            answer = self.post(body, **{k.replace("-", "_"): v for k, v in headers.items()})
            self.assertIn(answer.status, (400, 413), (body[:80], answer))
            self.refused(answer, answer.status)

    def test_client_that_goes_away(self):
        head = (f"POST {MEDIA} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.house.test_key}\r\nContent-Type: multipart/form-data; "
                f"boundary={BOUNDARY}\r\nContent-Length: 10000000\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", self.house.port)) as link:
            link.sendall(head + part("file", PDF + bytes(3 << 20), "a.pdf"))
            wait_for(lambda: self.files() != self.before, what="a temporary file")
        wait_for(lambda: self.files() == self.before, what="no temporary file")

    def test_announced_size_is_refused_at_once(self):
        with socket.create_connection(("127.0.0.1", self.house.port), timeout=10) as link:
            link.sendall((f"POST {MEDIA} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.house.test_key}\r\nContent-Type: multipart/form-data; "
                          f"boundary={BOUNDARY}\r\nContent-Length: {1 << 40}\r\n\r\n").encode())
            self.assertIn(b"media_too_large", link.makefile("rb").read())

    # ---- large ----
    def send_large(self, size):
        """A document of `size` bytes in pieces; the answer and its hash."""
        head, tail = form(part("type", "document"), end=False), b"\r\n" + form()
        head += part("file", b"", "large.pdf", "application/pdf")[:-2]
        piece, hashed = bytes(range(256)) * 1024, hashlib.sha256(b"%PDF-1.4\n")
        link = HTTPConnection("127.0.0.1", self.house.port, timeout=120)
        link.putrequest("POST", MEDIA)
        for name, value in (("Authorization", f"Bearer {self.house.test_key}"), ("Content-Length", str(len(head) + size + len(tail))),
                            ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")):
            link.putheader(name, value)
        link.endheaders()
        link.send(head + b"%PDF-1.4\n")
        left = size - 9
        while left:
            data = piece[:min(left, len(piece))]
            hashed.update(data)
            link.send(data)
            left -= len(data)
        link.send(tail)
        got = link.getresponse()
        body = got.read()
        link.close()
        return got.status, body, hashed.hexdigest()

    def read_large(self, path):
        link = HTTPConnection("127.0.0.1", self.house.port, timeout=120)
        link.request("GET", path)
        got, hashed, size = link.getresponse(), hashlib.sha256(), 0
        while data := got.read(1 << 16):
            hashed.update(data)
            size += len(data)
        link.close()
        return size, hashed.hexdigest()

    def test_a_hundred_megabytes_stream_through(self):
        size = 100 << 20
        self.upload()  # what a first upload takes for good is not growth
        watched = {name: self.house.pid(name) for name in ("edge", "messaging")}
        before = {name: memory(pid) for name, pid in watched.items()}
        most, going = dict(before), threading.Event()

        def watch():
            while not going.wait(0.02):
                for name, pid in watched.items():
                    most[name] = max(most[name], memory(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            status, body, sha = self.send_large(size)
            self.assertEqual(status, 201, body[:300])
            media = re.search(rb'"mediaId":"([^"]+)"', body)[1].decode()
            got = self.get(media).json
            self.assertEqual((got["fileSize"], got["sha256"]), (size, sha))
            self.assertEqual(self.read_large(self.link(media)), (size, sha))
        finally:
            going.set()
            watcher.join()
        for name in watched:
            self.assertLess(most[name] - before[name], 16 << 20, name)
        print(f"growth: {({name: (most[name] - before[name]) >> 10 for name in watched})} KiB", flush=True)
        self.assertEqual(self.house.http("DELETE", f"{MEDIA}/{media}", key=self.house.test_key).status, 200)
        self.assertEqual(self.get(media).status, 404)
        wait_for(lambda: not any(path.stat().st_size == size for path in (self.house.data / "media").rglob("*") if path.is_file()),
                 what="the large file's end")

    def test_one_byte_too_many(self):
        status, body, _ = self.send_large((100 << 20) + 1)
        self.assertEqual(status, 400)
        self.assertIn(b"media_too_large", body)
        wait_for(lambda: self.files() == self.before, what="nothing left on disk")
