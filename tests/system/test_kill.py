"""kill -9 of every process under load, many rounds on a printed seed: nothing accepted is lost, nothing acts twice, every recipient ends, webhooks keep their ids."""
import threading
import time
import unittest

from harness import House, LONG, Receiver, seeded, until_told, wait_for
from test_main_job import draw, subscribe

SERVICES = ["messaging", "webhooks", "accounts", "edge", "broker"]


class Client(threading.Thread):
    """Sends one message after the other, each under its own idempotency key, and repeats it until it is told what became of it."""

    def __init__(self, house, number, name):
        super().__init__(daemon=True)
        self.house, self.number, self.name_ = house, number, name
        self.accepted, self.odd, self.stop = {}, [], False

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            self.send(f"{self.name_}-{count}")

    def send(self, key):
        body = {"from": self.number, "to": [f"+1555{abs(hash(key)) % 10**7:07d}"], "text": key}
        answer = until_told(lambda: self.house.http("POST", "/v1/sms", body, key=self.house.test_key, headers={"Idempotency-Key": key}, timeout=15))
        if answer is not None and answer.status == 201:
            self.accepted[key] = answer.json["id"]
        else:
            self.odd.append((key, answer))


class Kill(unittest.TestCase):
    def test_random_kills_lose_nothing(self):
        random = seeded()
        rounds = 60 if LONG else 12
        with House("--loopback-delay", "20", "--rate-limits", "off") as house, Receiver() as receiver:
            subscribe(house, receiver, ["messages.sms.sent", "messages.sms.delivered", "messages.sms.failed"])
            clients = [Client(house, draw(house)["number"], f"c{i}") for i in range(4)]
            for client in clients:
                client.start()
            for _ in range(rounds):
                time.sleep(random.uniform(0.2, 0.8))
                service = random.choice(SERVICES)
                old = house.kill(service)
                if old:
                    house.wait_restarted(service, old)
            for client in clients:
                client.stop = True
            for client in clients:
                client.join(90)
            self.assertEqual([o for c in clients for o in c.odd], [])
            accepted = {message: key for client in clients for key, message in client.accepted.items()}
            self.assertGreater(len(accepted), 20)
            self.assertEqual(len(accepted), sum(len(c.accepted) for c in clients))
            self.check(receiver, accepted)

    def check(self, receiver, accepted):
        stories, read = {}, 0

        def missing():
            nonlocal read
            requests = receiver.got()
            for request in requests[read:]:
                body = request.json
                stories.setdefault(body["data"]["message"]["id"], {}).setdefault(body["event"], set()).add(request.headers["webhook-id"])
            read = len(requests)
            return [m for m in accepted if {"messages.sms.sent", "messages.sms.delivered"} - set(stories.get(m, ()))]

        try:
            wait_for(lambda: not missing(), 90, 0.5)
        except TimeoutError:
            lost = missing()
            self.fail(f"{len(lost)} of {len(accepted)} have not both events: {[(m, list(stories.get(m, ()))) for m in lost[:5]]}")
        self.assertEqual(set(stories) - set(accepted), set(), "messages that nobody was told of")
        for message in accepted:
            self.assertNotIn("messages.sms.failed", stories[message])
            for event, ids in stories[message].items():
                self.assertEqual(len(ids), 1, f"{event} of {message} has several ids")


class Absent(unittest.TestCase):
    def test_a_stopped_service_answers_503_and_catches_up(self):
        with House("--loopback-delay", "10", "--rate-limits", "off", "--replicas", "messaging=2") as house, Receiver() as receiver:
            subscribe(house, receiver, ["messages.sms.delivered"])
            number = draw(house)["number"]
            owner = house.owner("messaging")
            body = {"from": number, "to": ["+15551234567"], "text": "x"}
            old = house.kill("messaging", owner)
            answer = wait_for(lambda: (a := house.http("POST", "/v1/sms", body, key=house.test_key)).status == 201 and a, 20, what="a new owner")
            self.assertTrue(answer.json["id"])
            house.wait_back("messaging", old, owner)
            with house.stopped("messaging", house.owner("messaging")):
                self.assertEqual(house.http("POST", "/v1/sms", body, key=house.test_key).status, 503)
                self.assertEqual(house.http("GET", "/v1/phone-numbers", key=house.test_key).status, 200)
            wait_for(lambda: house.http("POST", "/v1/sms", body, key=house.test_key).status == 201, 15, what="a 201 again")
