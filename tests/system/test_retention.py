"""What is not kept for ever: old messages, callbacks and deliveries go, young ones stay, and logs, metrics, explain and status follow. The clock is moved."""
import json
import unittest

from harness import House, Receiver, wait_for

PERSON = "+15551234567"
KEPT = {"AVIARY_MESSAGING_MESSAGE_RETENTION": "48h", "AVIARY_MESSAGING_CALLBACK_RETENTION": "48h", "AVIARY_MESSAGING_RECEIPT_PARKING": "1h",
        "AVIARY_WEBHOOKS_DELIVERY_RETENTION": "48h"}


class Retention(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House("--loopback-delay", "10", "--test-clock", "--rate-limits", "off", env=KEPT)
        cls.receiver = Receiver()
        answer = cls.house.http("POST", "/v1/webhooks", {"url": cls.receiver.url(), "events": ["messages.sms.delivered"]}, key=cls.house.test_key)
        assert answer.status == 201, answer
        cls.number = cls.house.http("POST", "/v1/playground/phone-numbers/system", key=cls.house.test_key).json["number"]

    @classmethod
    def tearDownClass(cls):
        cls.receiver.close()
        cls.house.__exit__(None, None, None)

    def send(self, count):
        ids = []
        for i in range(count):
            answer = self.house.http("POST", "/v1/sms", {"from": self.number, "to": [PERSON], "text": f"Hello {i}"}, key=self.house.test_key)
            self.assertEqual(answer.status, 201, answer)
            ids.append(answer.json["id"])
        for message in ids:
            wait_for(lambda m=message: self.receiver.got(lambda r: r.json["data"]["message"]["id"] == m), 20, what=f"the delivery of {message}")
        wait_for(lambda: not [d for d in self.deliveries() if d["status"] == "pending"], 10, what="the end of all deliveries")
        return ids

    def logs(self):
        answer = self.house.http("GET", "/v1/organization/sms/messages", key=self.house.admin_key)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def deliveries(self):
        return json.loads(self.house.cli("deliveries", "list", "--json"))

    def store(self, service):
        return next(row["store"] for row in self.house.status() if row["service"] == service and "store" in row)

    def rows(self, service, table):
        return next(t["rows"] for t in self.store(service)["tables"] if t["name"] == f"{service}.{table}")

    def explained(self, message):
        """Lines of the story; none if nobody knows the id (any more)."""
        told = self.house.cli("explain", message, "--json", check=False)
        return json.loads(told)["lines"] if told else []

    def test_old_rows_go_and_young_stay(self):
        old = self.send(5)
        self.house.cli("clock", "+30h")
        young = self.send(3)
        self.assertGreater(len(self.explained(old[0])), 3)
        oldest = lambda: self.house.metric("aviary_messaging_oldest_row_seconds", kind="messages")  # noqa: E731
        wait_for(lambda: oldest() >= 30 * 3600, 20, what="the age of the old ones")
        self.house.cli("clock", "+20h")
        for service, kind in (("messaging", "messages"), ("messaging", "callbacks"), ("webhooks", "deliveries")):
            wait_for(lambda s=service, k=kind: self.house.metric(f"aviary_{s}_swept_rows_total", kind=k) == 5, 20, what=f"five {kind} to go")
        wait_for(lambda: 0 < oldest() < 21 * 3600, 20, what="the age of the young ones")
        self.assertEqual(self.house.metric("aviary_messaging_held_rows", kind="messages"), 0)
        logs = self.logs()
        self.assertEqual({row["id"] for row in logs["messages"]}, set(young))
        self.assertEqual(logs["totalCount"], 3)
        for table in ("messaging.message", "messaging.recipient", "messaging.callback", "webhooks.delivery", "webhooks.payload"):
            wait_for(lambda t=table: self.rows(*t.split(".")) == 3, 20, what=f"three rows of {table}")
        self.assertEqual(len(self.deliveries()), 3)
        self.assertEqual(self.explained(old[0]), [])
        self.assertGreater(len(self.explained(young[0])), 3)

    def test_status_tells_what_the_stores_take(self):
        before = self.store("messaging")
        self.assertGreater(before["file_bytes"], 0)
        self.assertGreater(before["disk_free_bytes"], 0)
        self.assertEqual({row["service"] for row in self.house.status() if "store" in row}, {"accounts", "inbox", "messaging", "templates", "webhooks"})
        self.house.cli("clock", "+2h")
        wait_for(lambda: self.store("messaging")["measured_ms"] >= 7200000, 10, what="a sample two hours old")
        after = self.store("messaging")
        self.assertIsInstance(after["bytes_a_day"], int)
        text = self.house.cli("status")
        self.assertRegex(text, r"\ndisk: [\d.]+ [KMGT]iB free, (full on \d{4}-\d\d-\d\d at this rate: [\d.]+ \w+ a day|not growing|lasts for over a century)")
        self.assertRegex(text, r"\nmessaging: [\d.]+ [KM]iB, (grows [\d.]+ \w+ a day|not growing)\n")
        self.assertRegex(text, r"\n    route +[\d.]+ KiB  \d+ rows, [\d.]+ KiB of it indexes\n")


if __name__ == "__main__":
    unittest.main()
