"""Bad input of every kind gets its documented error, in the dialect's envelope, with `param` where a field is to blame; and nothing stays behind."""
import json
import socket
import threading
import time
import unittest

from harness import House, LONG, http, memory, wait_for

IRE, AUTH = "invalid_request_error", "authentication_error"
ANY = object()  # not looked at
SMS, WHATSAPP, HOOKS = "/v1/sms", "/v1/whatsapp/messages", "/v1/webhooks"


class Errors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House("--rate-limits", "off", "--loopback-delay", "10")
        cls.number = cls.house.http("POST", "/v1/playground/phone-numbers/system", key=cls.house.test_key).json["number"]
        path = "/v1/playground/whatsapp/phone-numbers/system"
        cls.whatsapp = cls.house.http("POST", path, key=cls.house.test_key).json["number"]

    @classmethod
    def tearDownClass(cls):
        cls.house.__exit__(None, None, None)

    def ask(self, method, path, body=None, key="test", **more):
        keys = {"test": self.house.test_key, "live": self.house.live_key, "admin": self.house.admin_key}
        return self.house.http(method, path, body, key=keys.get(key, key), **more)

    def check(self, answer, status, kind=IRE, code=None, param=None):
        """The envelope as documented: nothing absent is null, nothing else is in it."""
        self.assertEqual(answer.status, status, answer)
        self.assertTrue(answer.headers["content-type"].startswith("application/json"), answer.headers)
        self.assertTrue(answer.headers["x-request-id"])
        for name in ("limit", "remaining", "reset"):
            self.assertRegex(answer.headers[f"x-ratelimit-{name}"], r"^\d+$")
        self.assertEqual(list(answer.json), ["error"])
        error = answer.json["error"]
        self.assertLessEqual(set(error), {"type", "code", "message", "doc_url", "param", "provider"})
        self.assertNotIn(None, error.values())
        self.assertEqual(error["type"], kind, answer)
        if code is not ANY:
            self.assertEqual(error.get("code"), code, answer)
        if param is not ANY:
            self.assertEqual(error.get("param"), param, answer)
        self.assertTrue(error["message"])
        if "code" in error:
            self.assertTrue(error["doc_url"].endswith("#" + error["code"]))
        return error

    def sms(self, **change):
        body = {"from": self.number, "to": ["+13125550178"], "text": "Hello"} | change
        return {name: value for name, value in body.items() if value is not None}

    # ---- who ----
    def test_keys(self):
        for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
                        {"Authorization": "Bearer a b"}, {"Authorization": "Bearer sk_test_app_unknown"},
                        {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer " + "k" * 5000},
                        {"Authorization": f"Bearer {self.house.test_key}x"}, {"Authorization": f"Bearer {self.house.test_key[:-1]}"}):
            answer = self.ask("GET", "/v1/phone-numbers", key=None, headers=headers)
            self.check(answer, 401, AUTH)
            self.assertEqual(answer.headers["www-authenticate"], "Bearer")
        self.check(self.ask("GET", "/v1/phone-numbers", key="admin"), 401, AUTH)

    def test_live_key_in_the_playground(self):
        for path in ("/v1/playground/phone-numbers/system", "/v1/playground/sms/inbound", "/v1/playground/whatsapp/inbound"):
            self.check(self.ask("POST", path, {}, key="live"), 403, AUTH, "test_app_required")

    # ---- where ----
    def test_paths_and_methods(self):
        for path in ("/", "/v1", "/v1/nothing", "/v1/sms/", "/v1/sms/x", "//v1/sms", "/v1/webhooks/%00", "/v1/webhooks/%ff",
                     "/v1/webhooks/%2", "/v1/" + "x/" * 200):
            self.check(self.ask("GET", path), 404)
        for method, path, allow in (("GET", SMS, "POST"), ("PUT", HOOKS, "GET, HEAD, POST"), ("OPTIONS", SMS, "POST"),
                                    ("PATCH", "/v1/webhooks/x", "GET, HEAD, PUT, DELETE"), ("BREW", SMS, None)):
            answer = self.ask(method, path)
            self.check(answer, 405 if allow else answer.status)
            self.assertIn(answer.status, (405, 400, 501))
            if allow:
                self.assertEqual(sorted(answer.headers["allow"].split(", ")), sorted(allow.split(", ")))

    def test_ids(self):
        hook = self.ask("POST", HOOKS, {"url": "http://127.0.0.1:9/x", "events": ["messages.sms.sent"]}).json["id"]
        ksuid = hook[len("whk_test_"):]
        early, late = "0" + ksuid[1:], ksuid[:-1] + ("a" if ksuid[-1] != "a" else "b")
        for alias in (f"whk_{ksuid}", f"app_test_{ksuid}", f"msg_wa_test_{ksuid}", f"whk_test_{ksuid.swapcase()}", f"whk_test_{early}",
                      f"whk_test_{late}", "whk_test_" + "z" * 27, "whk_test_" + "0" * 27, f"whk_test_{ksuid}0", ksuid, "whk_", "x"):
            for method in ("GET", "DELETE", "PUT"):
                self.check(self.ask(method, f"{HOOKS}/{alias}", {} if method == "PUT" else None), 404, param="webhookId")
        self.assertEqual(self.ask("GET", f"{HOOKS}/{hook}").status, 200)
        self.check(self.ask("GET", f"{HOOKS}/{hook}", key="live"), 404, param="webhookId")

    # ---- what ----
    def test_sms_fields(self):
        pair = ["+13125550178"] * 2
        for change, code, param in (
                ({"from": None}, None, "from"), ({"to": None}, None, "to"), ({"text": None}, None, "text"),
                ({"from": ""}, "invalid_phone_number", "from"), ({"from": 5}, None, "from"), ({"from": None, "x": 1}, None, "from"),
                ({"from": "13125550178"}, "invalid_phone_number", "from"), ({"from": "+0312555"}, "invalid_phone_number", "from"),
                ({"from": "+13125550199"}, "phone_number_not_assigned", "from"),
                ({"to": "+13125550178"}, None, "to"), ({"to": []}, None, "to"), ({"to": [None]}, None, "to[0]"),
                ({"to": ["+13125550178", "x"]}, "invalid_phone_number", "to[1]"), ({"to": pair}, None, "to[1]"),
                ({"to": [f"+1312555{n:04}" for n in range(101)]}, None, "to"),
                ({"text": 5}, None, "text"), ({"text": "x" * 16385}, None, "text"), ({"text": "a\0b"}, None, None),
                ({"text": "x" * 2000}, None, "text"), ({"transport": "pigeon"}, None, "transport"),
                ({"mediaUrls": ["not a url"]}, None, "mediaUrls[0]"), ({"subject": "s" * 256}, None, "subject")):
            with self.subTest(change=str(change)[:80]):
                answer = self.ask("POST", SMS, self.sms(**change))
                self.assertIn("error", answer.json, answer)
                self.check(answer, 400, IRE, code, param)

    def test_whatsapp_fields(self):
        good = {"from": self.whatsapp, "to": "+13125550178", "type": "text", "text": {"body": "hi"}}
        for change, code, param in (
                ({"type": "carrier-pigeon"}, None, "type"), ({"type": "image"}, None, "media"),
                ({"text": {}}, None, "text.body"), ({"text": {"body": ""}}, None, "text.body"), ({"text": {"body": "x" * 4097}}, None, "text.body"),
                ({"text": "hi"}, None, "text"), ({"replyTo": "wamid.HBgLMTY"}, None, "replyTo"), ({"to": "x"}, "invalid_phone_number", "to"),
                ({"from": "+13125550199"}, "phone_number_not_assigned", "from")):
            with self.subTest(change=str(change)[:80]):
                self.check(self.ask("POST", WHATSAPP, good | change), 400, IRE, code, param)
        without = {name: value for name, value in good.items() if name != "text"}
        self.check(self.ask("POST", WHATSAPP, without), 400, IRE, None, "text")

    def test_json(self):
        deep = '{"from":' * 40 + "1" + "}" * 40
        for text in ("", "{", "nul", "[]", "5", '"x"', '{"from":1,}', "{'from':1}", '{"from":"a" "to":1}', '{"from":01}', '{"a":NaN}',
                     '{"from":"+1312","from":"+1313"}', '{"x":1,"x":1}', deep, "[" * 100000, '{"text":"\\ud800"}', '{"text":"\\u0000"}',
                     '{"text":"\t"}', "{}x", "\ufeff{}", '{"text":"\\x"}'):
            with self.subTest(text=text[:40]):
                answer = self.ask("POST", SMS, text)
                self.check(answer, 400, code=ANY, param=ANY)
        for raw in (b'{"text":"\xff"}', b'{"text":"\xed\xa0\x80"}', b'{"te\x00xt":1}', b"\x80" * 1000000, bytes(1000000)):
            answer = self.ask("POST", SMS, raw)
            self.check(answer, 400, code=ANY, param=ANY)
        self.check(self.ask("POST", SMS, b"[" * (1 << 20) + b"["), 413)
        self.check(self.ask("POST", SMS, '{"to":[' + '"",' * 300000 + '""]}'), 400, code=ANY, param="to[0]")

    def test_content_type(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""):
            answer = self.ask("POST", SMS, json.dumps(self.sms()), headers={"Content-Type": kind})
            self.check(answer, 400, param="Content-Type")
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
            answer = self.ask("POST", SMS, json.dumps(self.sms()), headers={"Content-Type": kind})
            self.assertEqual(answer.status, 201, answer)

    def test_idempotency_key(self):
        for key in ("x" * 256, "a b", "\u00e9", "", "x" * 5000):
            headers = {"Idempotency-Key": key.encode("latin-1")}
            answer = self.ask("POST", SMS, self.sms(), headers=headers)
            self.check(answer, 400, param="Idempotency-Key")
        first = self.ask("POST", SMS, self.sms(), headers={"Idempotency-Key": "x" * 255})
        self.assertEqual(first.status, 201)
        again = self.ask("POST", SMS, self.sms(), headers={"Idempotency-Key": "x" * 255})
        self.assertEqual((again.status, again.body), (201, first.body))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.check(self.ask("POST", SMS, self.sms(text="Another"), headers={"Idempotency-Key": "x" * 255}), 409)

    def test_queries(self):
        for query, param in (("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("limit=1&limit=2", "limit"),
                             ("limit=", "limit"), ("limit=%zz", None)):
            answer = self.ask("GET", f"/v1/phone-numbers?{query}")
            self.check(answer, 400, param=param)
        self.assertEqual(self.ask("GET", "/v1/phone-numbers?limit=1&unknown=1&").status, 200)

    def test_webhooks(self):
        good = {"url": "http://127.0.0.1:9/hook", "events": ["messages.sms.sent"]}
        for change, param in (({"url": "ftp://e.example/"}, "url"), ({"url": "http://user:pw@127.0.0.1/"}, "url"), ({"url": "nonsense"}, "url"),
                              ({"url": "http://"}, "url"), ({"url": "http://a b/"}, "url"), ({"url": "http://e.example/" + "x" * 2048}, "url"),
                              ({"events": []}, "events"), ({"events": ["messages.sms.sent", "no.such"]}, "events[1]"), ({"events": "x"}, "events"),
                              ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers"), ({"headers": {"Host": "x"}}, "headers"),
                              ({"headers": {"Content-Length": "1"}}, "headers"), ({"headers": {"a b": "x"}}, "headers"), ({"headers": {"": "x"}}, "headers"),
                              ({"headers": {"X-A": 5}}, "headers"), ({"headers": {f"X-{n}": "x" for n in range(60)}}, "headers")):
            with self.subTest(change=str(change)[:80]):
                answer = self.ask("POST", HOOKS, good | change)
                self.assertIn("error", answer.json, answer)
                told = answer.json["error"].get("param") or ""
                self.assertTrue(told == param or (param == "headers" and told.startswith("headers")), answer)
                self.check(answer, 400, param=told)

    def test_another_tenants_number(self):
        number = self.house.http("POST", "/v1/playground/phone-numbers/system", key=self.house.test_key).json
        path = f"/v1/phone-numbers/{number['phoneNumberId']}"
        self.check(self.ask("DELETE", path, key="live"), 404, param="phoneNumberId")
        self.check(self.ask("POST", SMS, self.sms(**{"from": number["number"]}), key="live"), 400, IRE, "phone_number_not_assigned", "from")
        self.assertEqual(self.ask("DELETE", path).status, 200)
        self.check(self.ask("DELETE", path), 404, param="phoneNumberId")
        self.check(self.ask("POST", SMS, self.sms(**{"from": number["number"]})), 400, IRE, "phone_number_not_assigned", "from")

    # ---- how ----
    def raw(self, data, wait=5):
        link = socket.create_connection(("127.0.0.1", self.house.port), timeout=wait)
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            out = b""
            while True:
                piece = link.recv(65536)
                if not piece:
                    return out
                out += piece
        except OSError:
            return b""
        finally:
            link.close()

    def test_malformed_http(self):
        for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" + bytes(200), b"GET /v1/sms HTTP/1.1\r\nBad Header\r\n\r\n",
                     b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n", b"POST /v1/sms HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                     b"POST /v1/sms HTTP/1.1\r\nHost: x\r\nContent-Length: zzz\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
                     b"POST /v1/sms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.house.test_key.encode() +
                     b"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"):
            self.raw(data)
        self.assertEqual(self.ask("GET", "/v1/phone-numbers").status, 200)

    def test_request_ids(self):
        given = self.ask("GET", "/v1/phone-numbers", headers={"X-Request-Id": "My-id_1.2"})
        self.assertEqual(given.headers["x-request-id"], "My-id_1.2")
        for odd in ("", "a b", "x" * 129, "<script>"):
            answer = self.ask("GET", "/v1/phone-numbers", headers={"X-Request-Id": odd})
            self.assertRegex(answer.headers["x-request-id"], r"^req_[0-9A-Za-z]{27}$")

    def test_silent_connections(self):
        """200 connections that say nothing, or a byte a second, keep nobody else waiting for long and leave nothing."""
        pid = self.house.pid("edge")
        before, links, stop = memory(pid), [], threading.Event()

        def drip():
            data = b"POST /v1/sms HTTP/1.1\r\nHost: x\r\n"
            for n in range(len(data)):
                for link in links[100:]:
                    try:
                        link.send(data[n:n + 1])
                    except OSError:
                        pass
                if stop.wait(1):
                    return

        for _ in range(200):
            links.append(socket.create_connection(("127.0.0.1", self.house.port), timeout=5))
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        for _ in range(20):
            started = time.monotonic()
            self.assertEqual(self.ask("POST", SMS, self.sms(), timeout=20).status, 201)
            self.assertLess(time.monotonic() - started, 15)
        self.wait_closed(links, 40)
        stop.set()
        thread.join()
        for link in links:
            link.close()
        wait_for(lambda: memory(pid) - before < 48 << 20, 10, what="the memory of silent connections to come back")

    def wait_closed(self, links, seconds):
        def is_closed(link):
            try:
                link.setblocking(False)
                return link.recv(1000) in (b"", None) or is_closed(link)
            except BlockingIOError:
                return False
            except OSError:
                return True

        wait_for(lambda: all(is_closed(link) for link in links), seconds, every=0.5, what="silent connections to be closed")

    def test_nothing_stays(self):
        """The same bad requests over and over do not make the edge grow."""
        pid = self.house.pid("edge")
        bodies = ["{", "[" * 50000, '{"text":"\\ud800"}', json.dumps(self.sms(to=["x"] * 50)), '{"to":[' + '"",' * 50000 + '""]}']

        def run(rounds):
            for _ in range(rounds):
                for body in bodies:
                    self.ask("POST", SMS, body)
            return memory(pid)

        first = run(40)
        last = run(400 if LONG else 120)
        self.assertLess(last - first, 24 << 20)


class Limits(unittest.TestCase):
    """Buckets as documented, over both edges of a host."""

    @classmethod
    def setUpClass(cls):
        cls.house = House("--replicas", "edge=2")

    @classmethod
    def tearDownClass(cls):
        cls.house.__exit__(None, None, None)

    def burst(self, method, path, count, key=None, body=None):
        answers, lock = [], threading.Lock()

        def run(edge):
            for _ in range(count // 4):
                answer = http(method, self.house.port + edge, path, body, key)
                with lock:
                    answers.append(answer)

        threads = [threading.Thread(target=run, args=(n % 2,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    @staticmethod
    def early_in_a_minute():
        if time.time() % 60 > 40:
            time.sleep(60.5 - time.time() % 60)

    def limited(self, limit, method, path, key=None, body=None):
        self.early_in_a_minute()
        minute = time.time() // 60
        answers = self.burst(method, path, limit + 40, key, body)
        if time.time() // 60 != minute:
            return self.limited(limit, method, path, key, body)
        through = [answer for answer in answers if answer.status != 429]
        self.assertEqual(len(through), limit)
        self.assertEqual(sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in through), list(range(limit)))
        for answer in answers:
            self.assertEqual(answer.headers["x-ratelimit-limit"], str(limit))
            self.assertEqual(int(answer.headers["x-ratelimit-reset"]), (minute + 1) * 60)
        refused = next(answer for answer in answers if answer.status == 429)
        self.assertEqual(refused.json["error"]["type"], IRE)
        self.assertEqual(refused.json["error"]["code"], "rate_limit_exceeded")
        self.assertEqual(refused.headers["x-ratelimit-remaining"], "0")
        self.assertTrue(1 <= int(refused.headers["retry-after"]) <= 60)
        self.assertIn(refused.headers["retry-after"], refused.json["error"]["message"])
        return None

    def test_buckets(self):
        self.limited(100, "POST", SMS, self.house.test_key, {})
        self.limited(60, "GET", HOOKS, self.house.test_key)
        self.limited(120, "GET", "/v1/phone-numbers", self.house.test_key)
        self.limited(60, "GET", "/v1/phone-numbers")
