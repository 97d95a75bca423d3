"""The load of the Kirim dialect under faults.py: an organization's WhatsApp messages and contacts under idempotency keys, a person who writes in, reads of the inbox, and a subscription whose receiver fails
one request in ten and checks every signature by the contract's text. `KirimLoad.check` holds what became of it against what was answered."""
import hashlib
import hmac
import threading
import time

from harness import Receiver, until_told, wait_for

EVENTS = ["message.created", "message.status", "message.received", "contact.created"]


class Talker(threading.Thread):
    """Sends messages and makes contacts, each under a key of its own, and repeats each until it is told what became of it."""

    def __init__(self, load, name):
        super().__init__(daemon=True)
        self.load, self.name_ = load, name
        self.sent, self.contacts, self.tried, self.odd, self.stop = {}, {}, set(), [], False

    def run(self):
        count = 0
        while not self.stop and not self.odd:
            count += 1
            key = f"{self.name_}-{count}"
            self.tried.add(key)
            peer = f"+1556{self.load.seed % 10}{int(self.name_[-1])}{count % 7:05d}"
            if count % 5 == 0:
                phone = f"+1557{self.load.seed % 10}{int(self.name_[-1])}{count:05d}"
                self.make(self.contacts, key, "/contacts", {"phone_number": phone, "name": key})
            else:
                body = {"messaging_product": "whatsapp", "to": peer, "type": "text", "text": {"body": key}}
                self.make(self.sent, key, "/messages", body)
            time.sleep(self.load.random.uniform(0.02, 0.08))

    def make(self, told, key, path, body):
        answer = until_told(lambda: self.load.http("POST", self.load.base + path, body, {"Idempotency-Key": key}), 90)
        if answer is not None and answer.status == 200:
            told[key] = answer.json["data"]
        else:
            self.odd.append((key, answer))


class Writer(threading.Thread):
    """Writes to the number, each text once."""

    def __init__(self, load):
        super().__init__(daemon=True)
        self.load, self.taken, self.tried, self.odd, self.stop = load, set(), set(), [], False

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            text = f"written-{count}"
            self.tried.add(text)
            body = {"from": f"+1558000{count % 3:04d}", "to": self.load.number, "text": text}
            answer = self.load.faults.try_http("POST", "/v1/playground/whatsapp/inbound", body)
            if answer is not None and answer.status == 202:
                self.taken.add(text)
            elif answer is not None and answer.status != 503:
                self.odd.append((text, answer))
            time.sleep(0.2)


class Looker(threading.Thread):
    """Reads lists: what is answered is a page or 503."""

    def __init__(self, load):
        super().__init__(daemon=True)
        self.load, self.pages, self.odd, self.stop = load, 0, [], False

    def run(self):
        while not self.stop:
            for path in ("/conversations?limit=20", "/contacts?limit=20", "/messages?limit=20"):
                answer = self.load.http("GET", self.load.base + path)
                if answer is not None and answer.status == 200:
                    self.pages += len(answer.json["data"]) > 0
                elif answer is not None and answer.status != 503:
                    self.odd.append((path, answer))
            time.sleep(0.1)


class KirimLoad:
    def __init__(self, faults):
        self.faults, self.seed, self.random = faults, faults.seed, faults.random.__class__(f"kirim {faults.seed}")
        kirim = faults.house.credentials["kirim"]
        self.key, self.account, self.base = kirim["key"], kirim["phone_number_id"], f"/kirim/v1/{kirim['phone_number_id']}"
        accounts = self.http("GET", "/kirim/v1/accounts").json["data"]
        self.number = next(a["phone_number"] for a in accounts if a["phone_number_id"] == self.account)
        self.flaky = self.random.__class__(faults.seed)
        self.receiver = Receiver(lambda _: 500 if self.flaky.random() < 0.1 else 200)
        made = self.http("POST", "/kirim/v1/webhook_subscriptions", {"url": self.receiver.url(), "events": EVENTS})
        assert made.status == 200, made
        self.secret = made.json["data"]["initial_secret"].encode()
        self.threads = [Talker(self, f"k{faults.seed}t{i}") for i in range(2)] + [Writer(self), Looker(self)]
        self.talkers, self.writer, self.looker = self.threads[:2], self.threads[2], self.threads[3]

    def http(self, method, path, body=None, headers=None):
        return self.faults.try_http(method, path, body, headers, key=self.key)

    def pages(self, path):
        """All of a list, asked until it is answered."""
        cursor, out = "", []
        while cursor is not None:
            url = f"{self.base}{path}?limit=100{cursor and '&cursor=' + cursor}"
            page = wait_for(lambda u=url: (a := self.http("GET", u)) is not None and a.status == 200 and a, 30, 0.2, url).json
            out += page["data"]
            cursor = page["next_cursor"]
        return out

    # ---- what became of it ----
    def verified(self, test, request):
        """The payload; t is of the house's clock, which the faults move: only the signature is checked."""
        parts = [part.split("=", 1) for part in request.headers["x-kirim-signature"].split(",")]
        stamp = next(value for name, value in parts if name == "t")
        want = hmac.new(self.secret, f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        test.assertIn(["v1", want], parts, request.headers)
        test.assertRegex(request.headers["x-kirim-delivery-id"], r"^wbd_[0-9A-HJKMNP-TV-Z]{26}$")
        return request.json

    def told(self, test):
        """{(event, what it is of): event ids}"""
        out = {}
        for request in self.receiver.got():
            payload, event = self.verified(test, request), request.headers["x-kirim-event"]
            value = payload["entry"][0]["changes"][0]["value"] if "entry" in payload else payload["data"]
            if event == "message.status":
                of = (value["statuses"][0]["id"], value["statuses"][0]["status"])
            elif event == "message.received":
                of = value["messages"][0]["text"]["body"]
            else:
                of = value["message" if event == "message.created" else "contact"]["id"]
            out.setdefault((event, of), set()).add(request.headers["x-kirim-event-id"])
        return out

    def wanted(self):
        """Events that must be told once all is over, and the messages by id."""
        messages = {m["id"]: m for m in self.pages("/messages")}
        want = {("message.created", sent["id"]) for t in self.talkers for sent in t.sent.values()}
        want |= {("message.received", text) for text in self.writer.taken}
        want |= {("contact.created", c["id"]) for t in self.talkers for c in t.contacts.values()}
        return want, messages

    def statuses(self):
        """WhatsApp's ids of what was sent, once all of it is delivered."""
        out = {}
        for talker in self.talkers:
            for key, sent in talker.sent.items():
                answer = self.http("GET", f"{self.base}/messages/{sent['id']}")
                if answer is None or answer.status != 200 or answer.json["data"]["status"] not in ("delivered", "read"):
                    return None
                out[key] = answer.json["data"]["message_id"]
        return out

    def check(self, test):
        for talker in self.talkers:
            test.assertGreater(len(talker.sent), 5)
        test.assertGreater(self.looker.pages, 0)
        delivered = wait_for(self.statuses, 90, 0.5, "Kirim's messages to be delivered")
        want, messages = self.wanted()
        want |= {("message.status", (wamid, "delivered")) for wamid in delivered.values()}
        for _ in range(60):  # what the receiver refused comes by the contract's schedule: the clock is moved past its steps
            if want <= self.told(test).keys():
                break
            self.faults.step_clock(0.05)
            time.sleep(1)
        told = self.told(test)
        test.assertEqual(sorted(map(str, want - told.keys())), [], f"seed {self.seed}: not told")
        for what, ids in told.items():
            test.assertEqual(len(ids), 1, f"{what} has several ids")
        self.check_messages(test, messages)
        self.check_inbox(test, messages)
        print(f"seed {self.seed}: Kirim: {len(delivered)} accepted, {len(self.writer.taken)} came in, {len(self.receiver.got())} requests of webhooks", flush=True)

    def check_messages(self, test, messages):
        """Each key made one message, each text came in once, nothing is there that nobody wrote; an old key gets its first answer."""
        tried = set().union(self.writer.tried, *(t.tried for t in self.talkers))
        texts = [m["content"] for m in messages.values()]
        test.assertEqual(len(texts), len(set(texts)), "a text is there twice")
        test.assertLessEqual(set(texts), tried)
        for talker in self.talkers:
            for key, sent in talker.sent.items():
                test.assertEqual((messages[sent["id"]]["content"], messages[sent["id"]]["conversation_id"]), (key, sent["conversation_id"]))
            key = min(talker.sent)
            body = {"messaging_product": "whatsapp", "to": talker.sent[key]["to"], "type": "text", "text": {"body": key}}
            again = until_told(lambda b=body, k=key: self.http("POST", f"{self.base}/messages", b, {"Idempotency-Key": k}), 30)
            test.assertEqual((again.status, again.json["data"], again.headers["idempotent-replayed"]), (200, talker.sent[key], "true"))

    def check_inbox(self, test, messages):
        """Every conversation is there under the id that the sends told, with the times and counts of its messages; every contact that was answered is."""
        newest, unread = {}, {}
        for m in messages.values():
            newest[m["conversation_id"]] = max(newest.get(m["conversation_id"], ""), m["id"])
            unread[m["conversation_id"]] = unread.get(m["conversation_id"], 0) + (m["direction"] == "inbound")

        def story():
            listed = self.pages("/conversations")
            return {c["id"]: (c["last_message_at"], c["unread_count"]) for c in listed} if len(listed) >= len(newest) else None

        latest = {c: max(m["created_at"] for m in messages.values() if m["conversation_id"] == c) for c in newest}
        want = {c: (latest[c], unread[c]) for c in newest}
        wait_for(lambda: story() == want, 30, 0.5, "the inbox to have read all")
        known = {c["id"]: c for c in self.pages("/contacts")}
        for talker in self.talkers:
            for key, contact in talker.contacts.items():
                test.assertEqual(known[contact["id"]]["name"], key)
