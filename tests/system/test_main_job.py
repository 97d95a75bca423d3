"""The main job: an app sends, the carrier reports, a person replies, and the app hears of each step."""
import concurrent.futures
import json
import unittest
from contextlib import nullcontext

from harness import House, LONG, Receiver, wait_for

EVENTS = [f"messages.{channel}.{word}" for channel in ("sms", "whatsapp") for word in ("received", "sent", "delivered", "failed")]
EVENTS.append("messages.whatsapp.read")


def draw(house, kind="sms", edge=0):
    path = "/v1/playground/phone-numbers/system" if kind == "sms" else "/v1/playground/whatsapp/phone-numbers/system"
    answer = house.http("POST", path, key=house.test_key, edge=edge)
    assert answer.status == 201, answer
    return answer.json


def subscribe(house, receiver, events=None):
    answer = house.http("POST", "/v1/webhooks", {"url": receiver.url(), "events": events or EVENTS}, key=house.test_key)
    assert answer.status == 201, answer
    return answer.json


def send(house, number, to, text="Hello", edge=0, **more):
    return house.http("POST", "/v1/sms", {"from": number, "to": to if isinstance(to, list) else [to], "text": text}, key=house.test_key,
                      edge=edge, **more)


def events_of(receiver, message, name=None):
    return receiver.got(lambda r: r.json["data"]["message"]["id"] == message and name in (None, r.json["event"]))


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House("--loopback-delay", "10", "--test-clock", "--rate-limits", "off")
        cls.receiver = Receiver()
        cls.hook = subscribe(cls.house, cls.receiver)
        cls.number = draw(cls.house)["number"]
        cls.whatsapp = draw(cls.house, "whatsapp")["number"]

    @classmethod
    def tearDownClass(cls):
        cls.receiver.close()
        cls.house.__exit__(None, None, None)

    def wait(self, message, *names):
        for name in names:
            wait_for(lambda: events_of(self.receiver, message, name), 15, what=f"{name} of {message}")

    def test_magic_numbers_fail_as_documented(self):
        table = json.loads(self.house.cli("errors", "--json"))
        codes = {row["error"]: row["code"] for row in table["errors"]}
        magic = [row for row in table["numbers"] if row["number"].startswith(("+9991", "+9992"))]
        self.assertGreater(len(magic), 60)
        sent = {}
        for row in magic:
            if row["number"].startswith("+9991"):
                answer = send(self.house, self.number, row["number"])
            else:
                body = {"from": self.whatsapp, "to": row["number"], "type": "text", "text": {"body": "x"}}
                answer = self.house.http("POST", "/v1/whatsapp/messages", body, key=self.house.test_key)
            if row["error"] == "conversation_window_expired":
                self.assertEqual((answer.status, answer.json["error"]["code"]), (402, row["error"]))
                continue
            self.assertEqual(answer.status, 201, answer)
            sent[answer.json["id"]] = row
        for message, row in sent.items():
            kind = "sms" if message.startswith("msg_sms") else "whatsapp"
            self.wait(message, f"messages.{kind}.failed")
            error = events_of(self.receiver, message, f"messages.{kind}.failed")[0].json["data"]["error"]
            self.assertEqual(str(error["provider"]["code"]), row["provider_code"])
            self.assertEqual(error.get("code"), codes[row["error"]])

    def test_lost_answer_is_settled_by_the_receipt(self):
        message = send(self.house, self.number, "+99930002").json["id"]
        self.wait(message, "messages.sms.delivered")
        self.assertEqual(len(events_of(self.receiver, message, "messages.sms.failed")), 0)

    def test_early_receipt_waits_for_the_answer(self):
        message = send(self.house, self.number, "+99930004").json["id"]
        self.wait(message, "messages.sms.sent", "messages.sms.delivered")

    def test_silence_fails_after_the_settable_time(self):
        message = send(self.house, self.number, "+99930003").json["id"]
        wait_for(lambda: "unknown" in self.house.cli("explain", message), 10, what="unknown")
        self.house.cli("clock", "+11m")
        self.wait(message, "messages.sms.failed")
        error = events_of(self.receiver, message, "messages.sms.failed")[0].json["data"]["error"]
        self.assertEqual(error["code"], "telnyx_api_unavailable")

    def test_a_person_replies(self):
        body = {"from": "+15551230001", "to": self.whatsapp, "text": "Hi"}
        answer = self.house.http("POST", "/v1/playground/whatsapp/inbound", body, key=self.house.test_key)
        self.assertEqual((answer.status, answer.json["status"]), (202, "QUEUED"))
        got = self.receiver.wait(1, lambda r: r.json["event"] == "messages.whatsapp.received")[0].json
        self.assertEqual(got["data"]["message"]["conversationWindow"]["originType"], "user_initiated")
        listed = self.house.http("GET", "/v1/playground/whatsapp/phone-numbers/user", key=self.house.test_key).json
        self.assertIn("+15551230001", [row["number"] for row in listed["phoneNumbers"]])

    def test_simulating_to_an_unknown_number_makes_it(self):
        body = {"from": "+15551230002", "to": "+15550199999", "text": "Hi"}
        answer = self.house.http("POST", "/v1/playground/sms/inbound", body, key=self.house.test_key)
        self.assertEqual(answer.status, 202, answer)
        self.receiver.wait(1, lambda r: r.json["data"]["message"]["to"] == "+15550199999")
        self.assertEqual(send(self.house, "+15550199999", "+15551230002").status, 201)

    def test_two_texts_to_one_person_arrive_in_order(self):
        ids = [send(self.house, self.number, "+15557770001", f"text {i}").json["id"] for i in range(20)]
        for message in ids:
            self.wait(message, "messages.sms.sent")
        order = sorted(ids, key=lambda m: events_of(self.receiver, m, "messages.sms.sent")[0].json["data"]["message"]["sentAt"])
        self.assertEqual(order, ids)

    def test_idempotent_repeat_gives_the_same_id(self):
        headers = {"Idempotency-Key": "one-and-only"}
        first = send(self.house, self.number, "+15551234001", headers=headers)
        second = send(self.house, self.number, "+15551234001", headers=headers)
        other = send(self.house, self.number, "+15551234001", "another text", headers=headers)
        self.assertEqual(first.json, second.json)
        self.assertEqual(second.headers.get("idempotent-replayed"), "true")
        self.assertNotIn("idempotent-replayed", first.headers)
        self.assertEqual(other.status, 409)

    def test_explain_tells_the_story_in_any_spelling(self):
        message = send(self.house, self.number, "+15551234002").json["id"]
        self.wait(message, "messages.sms.sent", "messages.sms.delivered")
        wait_for(lambda: self.house.cli("explain", message).count("webhook attempt") >= 2, 10, what="both attempts")
        story = self.house.cli("explain", message)
        for word in ("accepted", "sent", "delivered", "messages.sms.sent", "messages.sms.delivered"):
            self.assertIn(word, story)
        self.assertNotIn("+15551234002", story)
        self.assertIn("+15551234002", self.house.cli("explain", message, "--reveal"))

    def test_secrets_are_nowhere_in_the_clear(self):
        headers = {"Idempotency-Key": "a-webhook"}
        body = {"url": self.receiver.url("/other"), "events": ["calls.initiated"], "headers": {"X-Token": "very-secret-header-value"}}
        hook = self.house.http("POST", "/v1/webhooks", body, key=self.house.test_key, headers=headers).json
        again = self.house.http("POST", "/v1/webhooks", body, key=self.house.test_key, headers=headers).json
        self.assertEqual(hook, again)
        key = json.loads(self.house.cli("key", "create", "--name", "searched", "--json"))["key"]
        needles = [hook["secret"], hook["secret"][6:], "very-secret-header-value", key, self.house.test_key, self.house.admin_key]
        for path in sorted(self.house.data.rglob("*")):
            if path.is_file() and path.name != "credentials.json" and path.stat().st_size < 1 << 30:
                content = path.read_bytes()
                for needle in needles:
                    self.assertNotIn(needle.encode(), content, f"{needle[:8]}... is in {path.name}")
        for needle in needles:
            self.assertNotIn(needle, self.house.log())


class ReadYourWrites(unittest.TestCase):
    def test_assignment_is_seen_by_the_next_request(self):
        rounds = 1000 if LONG else 60
        with House("--replicas", "edge=2", "--rate-limits", "off", "--loopback-delay", "0") as house:
            for i in range(rounds):
                number = draw(house, edge=i % 2)
                self.assertEqual(send(house, number["number"], "+15551234567", edge=(i + 1) % 2).status, 201)
                if i % 4 == 0:
                    gone = house.http("DELETE", f"/v1/phone-numbers/{number['id']}", key=house.test_key, edge=i % 2)
                    self.assertEqual(gone.status, 200, gone)
                    refused = send(house, number["number"], "+15551234567", edge=(i + 1) % 2)
                    self.assertEqual((refused.status, refused.json["error"]["code"]), (400, "phone_number_not_assigned"))

    def test_a_deleted_key_is_refused_from_the_answer_on(self):
        with House("--replicas", "edge=2", "--rate-limits", "off") as house:
            for i in range(20 if LONG else 6):
                made = json.loads(house.cli("key", "create", "--name", f"k{i}", "--app", house.credentials["app"]["test_app_id"], "--json"))
                for edge in (0, 1):
                    self.assertEqual(house.http("GET", "/v1/phone-numbers", key=made["key"], edge=edge).status, 200)
                with house.stopped("edge", 1) if i % 2 else nullcontext():
                    house.cli("key", "delete", made["id"])
                for edge in (0, 1):
                    self.assertEqual(house.http("GET", "/v1/phone-numbers", key=made["key"], edge=edge).status, 401)

    def test_twins_over_both_edges_act_once(self):
        with House("--replicas", "edge=2", "--rate-limits", "off") as house, Receiver() as receiver:
            subscribe(house, receiver)
            number = draw(house)["number"]
            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                answers = list(pool.map(lambda i: send(house, number, "+15551234567", edge=i % 2,
                                                       headers={"Idempotency-Key": "twins"}), range(50)))
            self.assertEqual({a.status for a in answers}, {201})
            self.assertEqual(len({a.json["id"] for a in answers}), 1)
            receiver.wait(2)

    def test_both_edges_admit_no_more_than_the_limit(self):
        with House("--replicas", "edge=2", "--rate-limits", "40") as house:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda i: house.http("GET", "/v1/phone-numbers", key=house.test_key, edge=i % 2), range(120)))
            windows = {}
            for a in answers:
                reset = a.headers["x-ratelimit-reset"]
                windows.setdefault(reset, []).append(a.status)
                self.assertEqual(a.headers["x-ratelimit-limit"], "40")
            for statuses in windows.values():
                self.assertLessEqual(statuses.count(200), 40)
                self.assertEqual(set(statuses) - {200, 429}, set())
            self.assertEqual(max(s.count(200) for s in windows.values()), 40)
