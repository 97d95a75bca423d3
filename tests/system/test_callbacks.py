"""Carriers call back: the handshake, signatures good and bad, doubles, an unknown account, messaging away; and `aviary up --simulate`, which wires all of it."""
import base64
import hashlib
import hmac
import json
import subprocess
import time
import unittest

from harness import House, Receiver, wait_for

PERSON = "+15551234567"


def secrets(house):
    return json.loads((house.data / "simulator.json").read_text())


def accounts(house):
    """Carrier accounts by carrier."""
    return {row["carrier"]: row for row in json.loads(house.cli("carrier", "list", "--json"))}


def path_of(account):
    return "/" + account["callback_url"].split("/", 3)[3]


def meta_text(phone_id, wamid, text="Hi"):
    value = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": "14155550100", "phone_number_id": phone_id},
             "contacts": [{"profile": {"name": "Ann"}, "wa_id": PERSON[1:]}],
             "messages": [{"from": PERSON[1:], "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()


def signed(secret, body):
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


class Callbacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House("--simulate", "--rate-limits", "off")
        cls.receiver = Receiver()
        cls.meta, cls.telnyx = (accounts(cls.house)[name] for name in ("meta", "telnyx"))
        cls.secret = secrets(cls.house)["app_secret"]
        cls.phone_id = cls.house.credentials["app"]["meta_phone_number_id"]
        body = {"url": cls.receiver.url(), "events": ["messages.whatsapp.received", "messages.sms.received", "messages.sms.delivered", "messages.whatsapp.delivered"]}
        made = cls.house.http("POST", "/v1/webhooks", body, key=cls.house.live_key)
        assert made.status == 201, made

    @classmethod
    def tearDownClass(cls):
        cls.receiver.close()
        cls.house.__exit__(None, None, None)

    def post(self, body, headers, path=None):
        return self.house.http("POST", path or path_of(self.meta), body, headers={"Content-Type": "application/json", **headers})

    def heard(self, text):
        return self.receiver.got(lambda r: r.json["data"]["message"].get("text") == text)

    def test_handshake(self):
        token = secrets(self.house)["verify_token"]
        query = f"?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"
        good = self.house.http("GET", path_of(self.meta) + query)
        self.assertEqual((good.status, good.body), (200, b"1158201444"))
        bad = self.house.http("GET", path_of(self.meta) + query + "x")
        self.assertEqual(bad.status, 403)
        self.assertNotIn(b"1158201444", bad.body)
        # The simulator's own handshake, as Meta does it when a URL is saved.
        self.house.control("PUT", "/settings", {"meta_callback": self.meta["callback_url"]})

    def test_good_and_bad_signatures(self):
        before = self.house.metric("aviary_messaging_callbacks_refused_total")
        body = meta_text(self.phone_id, "wamid.signed", "signed")
        for headers in ({}, {"X-Hub-Signature-256": "sha256=00"}, signed("guess", body), signed(self.secret, body + b" ")):
            self.assertEqual(self.post(body, headers).status, 401, headers)
        self.assertEqual(self.house.metric("aviary_messaging_callbacks_refused_total") - before, 4)
        self.assertEqual(self.post(body, signed(self.secret, body)).status, 200)
        wait_for(lambda: self.heard("signed"), 10, what="the webhook")
        story = self.house.cli("explain", self.meta["id"])
        self.assertIn("ignored", story)
        self.assertIn("X-Hub-Signature-256", story)

    def test_doubles_are_told_once(self):
        body = meta_text(self.phone_id, "wamid.double", "double")
        for _ in range(3):
            self.assertEqual(self.post(body, signed(self.secret, body)).status, 200)
        later = meta_text(self.phone_id, "wamid.later", "later")
        self.assertEqual(self.post(later, signed(self.secret, later)).status, 200)
        wait_for(lambda: self.heard("later") and self.heard("double"), 10, what="the webhooks of both")
        self.assertEqual(len({r.headers["webhook-id"] for r in self.heard("double")}), 1)

    def test_telnyx_is_checked_too(self):
        path = path_of(self.telnyx)
        now = str(int(time.time()))
        forged = {"telnyx-timestamp": now, "telnyx-signature-ed25519": base64.b64encode(b"x" * 64).decode()}
        self.assertIn(self.post(b"{}", forged, path).status, (401, 403))
        self.assertIn(self.post(b"{}", {}, path).status, (401, 403))
        got = self.house.http("GET", path)
        self.assertEqual((got.status, got.headers["allow"]), (405, "POST"))

    def test_nobody_there(self):
        body = meta_text(self.phone_id, "wamid.nobody")
        headers = signed(self.secret, body)
        unknown = "01980000-0000-7000-8000-000000000000"
        for path in (f"/callbacks/meta/{unknown}", f"/callbacks/telnyx/{self.meta['id']}", f"/callbacks/meta/{self.telnyx['id']}", "/callbacks/meta/x",
                     "/callbacks/", f"/callbacks/other/{self.meta['id']}", path_of(self.meta) + "/", path_of(self.meta)[:-1]):
            self.assertEqual(self.post(body, headers, path).status, 404, path)
        self.assertEqual(self.house.http("DELETE", path_of(self.meta)).status, 405)

    def test_great_bodies(self):
        great = meta_text(self.phone_id, "wamid.great", "great")
        great = great[:-1] + b',"padding":"' + b"x" * (2900 * 1000) + b'"}'
        self.assertEqual(self.post(great, signed(self.secret, great)).status, 200)
        wait_for(lambda: self.heard("great"), 10, what="the webhook")
        inner = meta_text(self.phone_id, "wamid.inner", "inner").replace(b'"type": "text"', b'"type": "text", "padding": "' + b"x" * (2900 * 1000) + b'"')
        self.assertEqual(self.post(inner, signed(self.secret, inner)).status, 200)
        wait_for(lambda: self.heard("inner"), 10, what="the webhook of a great item")
        self.assertEqual(self.post(b"x" * (3 * 1024 * 1024 + 1), {}).status, 413)

    def test_messaging_away(self):
        body = meta_text(self.phone_id, "wamid.away", "away")
        with self.house.stopped("messaging"):
            answer = wait_for(lambda: (a := self.post(body, signed(self.secret, body))).status == 503 and a, 15, what="503")
            self.assertIn("retry-after", answer.headers)
        wait_for(lambda: self.post(body, signed(self.secret, body)).status == 200, 20, 0.2, what="200 again")
        wait_for(lambda: self.heard("away"), 10, what="the webhook")
        time.sleep(0.3)
        self.assertEqual(len({r.headers["webhook-id"] for r in self.heard("away")}), 1)

    def test_the_simulator_there_and_back(self):
        app = self.house.credentials["app"]
        sent = self.house.control("POST", "/inbound", {"provider": "meta", "from": PERSON, "to": app["whatsapp_number"], "type": "text", "text": {"body": "from the simulator"}})
        self.assertTrue(sent)
        wait_for(lambda: self.heard("from the simulator"), 10, what="the webhook")
        for path, body, event in (
                ("/v1/sms", {"from": app["sms_number"], "to": [PERSON], "text": "Hello"}, "messages.sms.delivered"),
                ("/v1/whatsapp/messages", {"from": app["whatsapp_number"], "to": PERSON, "type": "text", "text": {"body": "Hello"}}, "messages.whatsapp.delivered")):
            answer = self.house.http("POST", path, body, key=self.house.live_key)
            self.assertEqual(answer.status, 201, answer)
            self.receiver.wait(1, lambda r, e=event, m=answer.json["id"]: r.json["event"] == e and r.json["data"]["message"]["id"] == m)

    def test_secrets_are_nowhere_in_the_clear(self):
        needles = [value for name, value in secrets(self.house).items() if name in ("app_secret", "verify_token", "token", "key", "seed")]
        for path in sorted(self.house.data.rglob("*")):
            if path.is_file() and path.name != "simulator.json" and path.stat().st_size < 1 << 30:
                content = path.read_bytes()
                for needle in needles:
                    self.assertNotIn(needle.encode(), content, f"{needle[:6]}... is in {path.name}")
        self.assertFalse([needle for needle in needles if needle in self.house.log()])
        self.assertFalse([needle for needle in needles if needle in self.house.cli("carrier", "list", "--json")])


class Simulate(unittest.TestCase):
    def test_later_starts_are_the_same_simulator(self):
        with House("--simulate", "--rate-limits", "off") as house:
            first, kept = house.credentials, accounts(house)
            self.assertEqual(set(first["simulator"]), {"meta_base_url", "telnyx_base_url", "control_url"})
            self.assertIn("sim", [row["service"] for row in house.status()])
            self.check_inbound(house)
            old = house.kill("sim")
            house.wait_restarted("sim", old)
            wait_for(lambda: self.numbers(house), 15, what="the simulator's numbers after its restart")
            self.check_inbound(house)
            self.assertEqual(house.stop(), 0)
            house.start()
            self.assertEqual(house.credentials, first)
            self.assertEqual({name: row["id"] for name, row in accounts(house).items()}, {name: row["id"] for name, row in kept.items()})
            self.check_inbound(house)

    def numbers(self, house):
        try:
            return house.control("GET", "/numbers") and house.control("GET", "/settings")["meta_callback"]
        except (OSError, AssertionError):
            return None

    def check_inbound(self, house):
        app = house.credentials["app"]
        before = house.metric("aviary_messaging_inbound_total")
        for body in ({"provider": "meta", "from": PERSON, "to": app["whatsapp_number"], "type": "text", "text": {"body": "Hi"}},
                     {"provider": "telnyx", "from": PERSON, "to": app["sms_number"], "type": "SMS", "text": "Hi"}):
            house.control("POST", "/inbound", body)
        wait_for(lambda: house.metric("aviary_messaging_inbound_total") >= before + 2, 10, what="both messages")

    def test_carrier_commands(self):
        with House() as house:
            made = json.loads(house.cli("carrier", "add", "meta", "--name", "Desk", "--token", "EAAsecret-token", "--app-secret", "app-secret-1",
                                        "--waba", "100", "--json"))
            self.assertTrue(made["verify_token"])
            self.assertEqual(made["callback_url"], f"http://127.0.0.1:{house.port}/callbacks/meta/{made['id']}")
            added = json.loads(house.cli("number", "add", "--app", "live", "--number", "+14155550111", "--channel", "whatsapp",
                                         "--carrier-account", made["id"], "--ref", "42", "--json"))
            self.assertTrue(added["phone_number_id"].startswith("wapn_"))
            for wrong in (["carrier", "add", "telnyx", "--key", "K", "--public-key", "short"], ["carrier", "add", "smoke"], ["carrier", "remove", made["id"]],
                          ["number", "add", "--app", "live", "--number", "+14155550112", "--channel", "whatsapp"]):
                done = subprocess.run([str(house.binaries / "aviary"), *wrong, "--data", str(house.data)], capture_output=True, text=True, check=False)
                self.assertNotEqual(done.returncode, 0, wrong)
                self.assertTrue(done.stderr.startswith("aviary: "), done.stderr)
            listed = house.cli("carrier", "list")
            self.assertIn(made["id"], listed)
            self.assertNotIn("secret", listed)
            changed = json.loads(house.cli("carrier", "set", made["id"], "--token", "EAAother", "--json"))
            self.assertEqual(changed["waba"], "100")
