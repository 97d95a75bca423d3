"""The inbox comes to an installation that has talked for long: messaging's journal is trimmed, the inbox has no store, and yet shows every conversation, as messaging's messages tell it; then it follows.
2,000 messages, with AVIARY_LONG=1 100,000."""
import json
import shutil
import threading
import unittest
from http.client import HTTPConnection

from harness import LONG, House, seeded, wait_for

MESSAGES = 100000 if LONG else 2000
EACH = 5  # messages of a conversation
TALKERS = 4
SETTINGS = {"AVIARY_MESSAGING_JOURNAL_RETENTION": "60s", "AVIARY_INBOX_JOURNAL_RETENTION": "60s"}


class Link:
    """One kept connection, asked with one key."""

    def __init__(self, port, key):
        self.http, self.key = HTTPConnection("127.0.0.1", port, timeout=60), key

    def ask(self, method, path, body=None, status=200):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.http.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.http.getresponse()
        raw = answer.read()
        if answer.status != status:
            raise AssertionError(f"{method} {path}: {answer.status} {raw[:400]!r}")
        return json.loads(raw)

    def pages(self, path):
        """All of a list."""
        cursor = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}{'&' if '?' in path else '?'}limit=100{cursor and '&cursor=' + cursor}")
            yield from page["data"]
            cursor = page["next_cursor"]


class InboxAdded(unittest.TestCase):
    def setUp(self):
        self.house = House("--loopback-delay", "10", "--test-clock", "--rate-limits", "off", env=SETTINGS)
        self.addCleanup(lambda: self.house.__exit__(None, None, None))
        kirim = self.house.credentials["kirim"]
        self.key, self.base = kirim["key"], f"/kirim/v1/{kirim['phone_number_id']}"
        accounts = self.kirim().ask("GET", "/kirim/v1/accounts")["data"]
        self.number = next(a["phone_number"] for a in accounts if a["phone_number_id"] == kirim["phone_number_id"])

    def kirim(self):
        return Link(self.house.port, self.key)

    def wrote(self, link, person, text):
        link.ask("POST", "/v1/playground/whatsapp/inbound", {"from": person, "to": self.number, "text": text}, 202)

    def sent(self, link, person, text):
        body = {"messaging_product": "whatsapp", "to": person, "type": "text", "text": {"body": text}}
        return link.ask("POST", f"{self.base}/messages", body)["data"]["conversation_id"]

    def talk(self, people, heard, errors):
        """What `heard` gets: how many came in, by phone."""
        try:
            chirp, kirim = Link(self.house.port, self.house.test_key), self.kirim()
            for person, inbound in people:
                for i in range(EACH):
                    if i < inbound:
                        self.wrote(chirp, person, f"in {i}")
                    else:
                        self.sent(kirim, person, f"out {i}")
                heard[person] = inbound
        except (AssertionError, OSError) as error:
            errors.append(error)

    def fill(self, random):
        people = [(f"+1555{1000000 + i}", random.randint(0, EACH)) for i in range(MESSAGES // EACH)]
        heard, errors = {}, []
        threads = [threading.Thread(target=self.talk, args=(people[n::TALKERS], heard, errors)) for n in range(TALKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        return heard

    def messages(self, count):
        """All messages by conversation, newest first."""
        link, out = self.kirim(), {}
        for message in link.pages(f"{self.base}/messages"):
            out.setdefault(message["conversation_id"], []).append(message)
        return out if sum(map(len, out.values())) == count else None

    def unread(self):
        return sum(c["unread_count"] for c in self.conversations())

    @staticmethod
    def told(listed):
        """What must be told of each again."""
        return [(c["id"], c["contact"]["id"], c["contact"]["phone_number"], c["last_message_at"], c["unread_count"]) for c in listed]

    def read_some(self, random, heard, messages):
        """Mark a message of some conversations; what is left unread, by phone."""
        link, unread = self.kirim(), dict(heard)
        phones = {c["id"]: c["contact"]["phone_number"] for c in self.conversations()}
        for conversation in random.sample(sorted(messages), 20):
            came = [m for m in messages[conversation] if m["direction"] == "inbound"]
            if not came:
                continue
            left = random.randrange(len(came))
            wamid = link.ask("GET", f"{self.base}/messages/{came[left]['id']}")["data"]["message_id"]
            link.ask("POST", f"{self.base}/messages", {"messaging_product": "whatsapp", "status": "read", "message_id": wamid})
            unread[phones[conversation]] = left
        return unread

    def conversations(self):
        return list(self.kirim().pages(f"{self.base}/conversations"))

    def swept(self):
        return self.house.metric("aviary_messaging_swept_rows_total", kind="journal")

    def check(self, listed, messages, unread):
        """Each conversation once, in order, and all that is told of it."""
        self.assertEqual(len(listed), len(messages))
        self.assertEqual({c["id"] for c in listed}, set(messages))
        times = [c["last_message_at"] for c in listed]
        self.assertEqual(times, sorted(times, reverse=True))
        for c in listed:
            own = messages[c["id"]]
            inbound = [m["created_at"] for m in own if m["direction"] == "inbound"]
            want = (own[0]["created_at"], inbound[0] if inbound else None, unread[c["contact"]["phone_number"]], "open")
            self.assertEqual((c["last_message_at"], c["last_inbound_at"], c["unread_count"], c["status"]), want, c)
        contacts = {c["phone_number"] for c in self.kirim().pages(f"{self.base}/contacts")}
        self.assertEqual(contacts, set(unread))

    def test_every_conversation_is_shown(self):
        random = seeded()
        heard = self.fill(random)
        messages = wait_for(lambda: self.messages(MESSAGES), 600 if LONG else 30, 0.5, "all messages")
        wait_for(lambda: len(self.conversations()) == len(messages) and self.unread() == sum(heard.values()), 600 if LONG else 30, 0.2, "all conversations")
        unread = self.read_some(random, heard, messages)
        wait_for(lambda: self.unread() == sum(unread.values()), 30, 0.2, "the receipts")
        before = self.conversations()
        self.check(before, messages, unread)

        self.house.cli("clock", "+2h")
        swept = [0]
        wait_for(lambda: swept.append(self.swept()) or swept[-1] == swept[-2] > MESSAGES, 600 if LONG else 60, 0.5, "the journal's end")
        self.assertEqual(self.house.stop(60), 0)
        shutil.rmtree(next(self.house.data.glob("**/inbox/data.mdb")).parent)
        self.house.start(60)

        try:
            wait_for(lambda: self.told(self.conversations()) == self.told(before), 600 if LONG else 30, 0.2, "all conversations again")
        except TimeoutError:
            self.assertEqual(self.told(self.conversations()), self.told(before))
        after = self.conversations()
        self.check(after, messages, unread)

        # and follows
        oldest = after[-1]
        person = oldest["contact"]["phone_number"]
        self.wrote(Link(self.house.port, self.house.test_key), person, "still here")
        path = f"{self.base}/conversations/{oldest['id']}"
        wait_for(lambda: self.kirim().ask("GET", path)["data"]["unread_count"] == oldest["unread_count"] + 1, 10, what="the new message")
        self.assertEqual(self.conversations()[0]["id"], oldest["id"])
        self.assertEqual(self.sent(self.kirim(), person, "good"), oldest["id"])


if __name__ == "__main__":
    unittest.main()
