"""A day with a house, for its stores to be dumped at the end: what an installation does that matters to the versions after it.

    facts = Day(live).run()

`live` is a house with simulated carriers (tests/system/carriers.py). The day is 28 hours long, so that tables that turn once a day have turned. At the end some things are under way on
purpose: sends that the carrier cannot take, alone and several to one person, sends whose outcome is unknown or that are at the carrier, an ask that waits, deliveries to a receiver that is
not there. The facts say what the house told then, and which ids are not at their end. desk.py has the parts that came after the first dump.
"""
import base64
import json

from carriers import WABA
from desk import KIRIM_READS, Desk
from harness import wait_for
from test_media import BOUNDARY, PDF, form, part, png

OGG = base64.b64decode("T2dnUwACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAETT3B1c0hlYWQBAQAAgLsAAAAAAA==")
ORG = "/v1/organization"
EVENTS_TEST = ["messages.sms.delivered", "messages.sms.failed", "messages.whatsapp.received", "messages.whatsapp.delivered"]
# What operators and apps read. The version after must tell at least as much: (name, key, path).
READS = [
    ("sms log", "admin", f"{ORG}/sms/messages?limit=100"), ("whatsapp log", "admin", f"{ORG}/whatsapp/messages?limit=100"), ("numbers", "admin", f"{ORG}/phone-numbers"),
    ("apps", "admin", f"{ORG}/apps"), ("admin keys", "admin", f"{ORG}/admin-keys"), ("app keys", "admin", f"{ORG}/app-keys"), ("settings", "admin", f"{ORG}/settings"),
    ("system numbers", "test", "/v1/playground/phone-numbers/system"), ("WhatsApp numbers", "test", "/v1/playground/whatsapp/phone-numbers/system"),
    ("live numbers", "live", "/v1/phone-numbers"), ("test numbers", "test", "/v1/phone-numbers"),
    ("live webhooks", "live", "/v1/webhooks"), ("test webhooks", "test", "/v1/webhooks"), ("people", "test", "/v1/playground/phone-numbers/user"),
] + KIRIM_READS
CLI_READS = [("team", "list"), ("user", "list"), ("optout", "list")]


def said(value):
    """Without members that are null: a later version tells at least this."""
    if isinstance(value, dict):
        return {name: said(member) for name, member in value.items() if member is not None}
    return [said(member) for member in value] if isinstance(value, list) else value


class Day(Desk):
    def __init__(self, live):
        self.live, self.house = live, live.house
        self.keys = {"live": self.house.live_key, "test": self.house.test_key, "admin": self.house.admin_key}
        self.number, self.ref = live.app["whatsapp_number"], live.app["meta_phone_number_id"]
        self.facts = {"messages": {}, "unfinished": {}, "keys": {}, "replays": [], "windows": [], "numbers": {}}

    # ---- asking ----
    def ask(self, key, method, path, body=None, want=201, headers=None):
        answer = self.house.http(method, path, body, key=self.keys.get(key, key), headers=headers)
        assert answer.status == want, f"{method} {path}: {answer}"
        return answer.json

    def sms(self, key, sender, to, text="Hello", headers=None, **more):
        return self.ask(key, "POST", "/v1/sms", {"from": sender, "to": to if isinstance(to, list) else [to], "text": text} | more, headers=headers)["id"]

    def whatsapp(self, key, sender, to, want=201, **content):
        return self.ask(key, "POST", "/v1/whatsapp/messages", {"from": sender, "to": to} | (content or {"type": "text", "text": {"body": "Hello"}}), want)["id"]

    def upload(self, key, kind, data, name, mime):
        body = form(part("type", kind), part("file", data, name, mime))
        return self.ask(key, "POST", "/v1/media", body, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})["id"]

    def told(self, message, word):
        """Until `explain` tells it."""
        wait_for(lambda: word in self.house.cli("explain", message), 20, what=f"{word} of {message}")

    def note(self, message, **what):
        self.facts["messages"][message] = what
        return message

    # ---- the parts of the day ----
    def organization(self):
        admin = self.ask("admin", "POST", f"{ORG}/admin-keys", {"name": "second"})
        app = self.ask("admin", "POST", f"{ORG}/apps", {"name": "Second", "slug": "second"})
        made = self.ask("admin", "POST", f"{ORG}/app-keys", {"name": "of the second", "appId": app["id"]})
        gone = self.ask("admin", "POST", f"{ORG}/app-keys", {"name": "gone", "appId": app["id"]})
        self.ask("admin", "DELETE", f"{ORG}/app-keys/{gone['id']}", want=200)
        lost = self.ask("admin", "POST", f"{ORG}/apps", {"name": "Gone", "slug": "gone"})
        self.ask("admin", "DELETE", f"{ORG}/apps/{lost['id']}", want=200)
        self.ask("admin", "PUT", f"{ORG}/apps/{app['id']}/calling", {"recordingEnabled": True}, want=200)
        self.keys["second"] = made["key"]
        found = self.ask("admin", "GET", f"{ORG}/phone-numbers/available?countryCode=US&numberType=local&limit=1", want=200)["phoneNumbers"][0]
        self.ask("admin", "POST", f"{ORG}/phone-numbers/{app['id']}/purchase", {"phoneNumber": found["phoneNumber"], "numberType": found["numberType"]})
        self.facts["keys"] = {"admin": admin["key"], "second": made["key"], "deleted": gone["key"]}
        self.facts["apps"] = {"second": app["id"], "deleted": lost["id"]}
        self.facts["bought"] = found["phoneNumber"]

    def hooks(self, receiver):
        """One that takes everything, one that refuses everything; the live app's hears of little, so that the dump is small."""
        [live] = self.ask("live", "GET", "/v1/webhooks", want=200)["webhooks"]
        self.ask("live", "PUT", f"/v1/webhooks/{live['id']}", {"events": ["messages.whatsapp.received", "messages.sms.failed"]}, want=200)
        taken = self.ask("test", "POST", "/v1/webhooks", {"url": receiver.url(), "events": EVENTS_TEST, "headers": {"X-Desk": "one"}})
        dead = self.ask("test", "POST", "/v1/webhooks", {"url": receiver.url("/refuses"), "events": ["messages.sms.failed"]})
        self.facts["hooks"] = {"taken": {"id": taken["id"], "secret": taken["secret"]}, "dead": {"id": dead["id"], "secret": dead["secret"]}}

    def playground(self):
        sms = self.ask("test", "POST", "/v1/playground/phone-numbers/system")["number"]
        whatsapp = self.ask("test", "POST", "/v1/playground/whatsapp/phone-numbers/system")["number"]
        self.ask("test", "POST", "/v1/playground/phone-numbers/user")
        self.facts["numbers"] |= {"test_sms": sms, "test_whatsapp": whatsapp}
        sent = self.note(self.sms("test", sms, "+15551230001"), key="test", channel="sms", end="delivered")
        failed = self.note(self.sms("test", sms, "+999140001"), key="test", channel="sms", end="failed")
        group = self.note(self.sms("test", sms, ["+15551230001", "+15551230002"], "All"), key="test", channel="sms", end="delivered")
        self.ask("test", "POST", "/v1/playground/whatsapp/inbound", {"from": "+15551230001", "to": whatsapp, "text": "Hi"}, 202)
        self.ask("test", "POST", "/v1/playground/sms/inbound", {"from": "+15551230001", "to": sms, "text": "Hi"}, 202)
        replied = self.note(self.whatsapp("test", whatsapp, "+15551230001"), key="test", channel="whatsapp", end="read")
        for message, word in ((sent, "delivered"), (failed, "failed"), (group, "delivered"), (replied, "delivered")):
            self.told(message, word)
        self.keyed("test", "/v1/sms", {"from": sms, "to": ["+15551230009"], "text": "Once only"}, "day-1")

    def template(self):
        self.live.control("PUT", "/templates", {"name": "parcel", "language": "en_US", "waba_id": WABA, "category": "UTILITY", "status": "APPROVED",
                                                "components": [{"type": "BODY", "text": "Your parcel {{1}} is there", "example": {"body_text": [["7"]]}}]})
        content = {"type": "template", "template": {"name": "parcel", "language": "en_US", "variables": {"1": "77"}}}
        self.facts["template"] = content
        self.house.cli("templates", "sync")
        wait_for(lambda: "parcel" in self.house.cli("templates", "list"), 15, what="the template")
        return self.whatsapp("live", self.number, "+14157770009", **content)

    def people_write(self):
        """What persons send by WhatsApp; the message ids at Meta."""
        writes = [("+14157770001", {"type": "text", "text": {"body": "Is it in stock?"}, "profile_name": "Ada"}),
                  ("+14157770001", {"type": "audio", "media": base64.b64encode(OGG).decode()}),
                  ("+14157770002", {"type": "image", "image": {"caption": "this one"}, "media": base64.b64encode(png()).decode()}),
                  ("+14157770002", {"type": "location", "location": {"latitude": 51.5, "longitude": -0.1, "name": "Here"}}),
                  ("+14157770002", {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}}),
                  ("+14157770003", {"type": "text", "text": {"body": "Hello?"}, "profile_name": "Bea"})]
        for person, content in writes:
            self.live.control("POST", "/inbound", {"provider": "meta", "from": person, "to": self.number} | content)
        log = wait_for(lambda: (found := self.inbound()) and len(found) == len(writes) and found, 15, what="what people wrote")
        self.facts["people"] = sorted({person for person, _ in writes})
        return log

    def inbound(self):
        log = self.ask("admin", "GET", f"{ORG}/whatsapp/messages?limit=100", want=200)["messages"]
        return [row for row in log if row["direction"].lower() == "inbound" and row["toPhoneNumber"] == self.number]

    def carriers(self):
        sender = self.live.app["sms_number"]
        self.facts["numbers"] |= {"live_sms": sender, "live_whatsapp": self.number}
        photo = self.upload("live", "image", png(), "photo.png", "image/png")
        paper = self.upload("live", "document", PDF, "paper.pdf", "application/pdf")
        gone = self.upload("live", "document", PDF + b"%2", "gone.pdf", "application/pdf")
        self.ask("live", "DELETE", f"/v1/media/{gone}", want=200)
        self.facts["media"] = {"image": photo, "document": paper, "deleted": gone}
        inbound = self.people_write()
        first = next(row for row in inbound if row["fromPhoneNumber"] == "+14157770001" and row["textBody"] == "Is it in stock?")["id"]
        self.facts["read_answer"] = self.ask("live", "POST", "/v1/whatsapp/messages/read", {"messageId": first}, want=200)
        self.facts["read"] = first
        contents = [{"type": "text", "text": {"body": "It is"}, "replyTo": first}, {"type": "image", "media": {"mediaId": photo, "caption": "this one?"}},
                    {"type": "document", "media": {"mediaId": paper}}, {"type": "reaction", "reaction": {"messageId": first, "emoji": "👍"}},
                    {"type": "contacts", "contacts": {"contacts": [{"name": {"formattedName": "Ada Byron", "firstName": "Ada"}, "phones": [{"phone": "+442071234567", "type": "WORK"}]}]}},
                    {"type": "interactive", "interactive": {"type": "buttons", "body": "Reserve it?", "buttons": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]}}]
        body = {"from": self.number, "to": "+14157770001"} | contents.pop(0)
        sent = [self.keyed("live", "/v1/whatsapp/messages", body, "noon-whatsapp", change={"to": "+14157770097"})["id"]]
        sent += [self.whatsapp("live", self.number, "+14157770001", **content) for content in contents]
        for message in sent:
            self.told(self.note(message, key="live", channel="whatsapp", end="read"), "read")
        self.told(self.note(self.template(), key="live", channel="whatsapp", end="read"), "read")
        self.live.rule({"fail_with_code": 131026}, provider="meta", to="+14157770002")
        self.told(self.note(self.whatsapp("live", self.number, "+14157770002"), key="live", channel="whatsapp", end="failed"), "failed")
        self.telnyx(sender, photo)

    def telnyx(self, sender, photo):
        person, stopped = "+14157770004", "+14157770005"
        for content in ({"text": "photo", "media": [{"base64": base64.b64encode(png()).decode()}]}, {"text": "And this?"}):
            self.live.control("POST", "/inbound", {"provider": "telnyx", "from": person, "to": sender} | content)
        self.live.control("POST", "/inbound", {"provider": "telnyx", "from": stopped, "to": sender, "text": "STOP"})
        wait_for(lambda: stopped[-4:] in self.house.cli("optout", "list"), 15, what="the opt-out")
        link = self.ask("live", "GET", f"/v1/media/{photo}", want=200)["url"]
        first = self.keyed("live", "/v1/sms", {"from": sender, "to": [person], "text": "Hello"}, "noon-sms")["id"]
        for message, end in ((first, "delivered"), (self.sms("live", sender, person, "Look", mediaUrls=[link]), "delivered"),
                             (self.sms("live", sender, stopped), "failed")):
            self.told(self.note(message, key="live", channel="sms", end=end), end)
        self.facts["stopped"] = stopped
        with_code = self.live.control("POST", "/callbacks", {"provider": "meta", "signature": "wrong", "body": {"object": "whatsapp_business_account", "entry": []}})
        assert with_code, "a callback that does not verify"

    def nights(self, receiver):
        """Hours go by until the webhook that refuses has its dead letter."""
        while not self.deliveries("dead", "dead"):
            before = len(receiver.got(lambda r: r.path == "/refuses"))
            self.house.cli("clock", "+15m")
            wait_for(lambda: len(receiver.got(lambda r: r.path == "/refuses")) > before or self.deliveries("dead", "dead"), 20, what="the next try")

    def deliveries(self, hook, status):
        return json.loads(self.house.cli("deliveries", "list", "--webhook", self.facts["hooks"][hook]["id"], "--status", status, "--json"))

    def under_way(self, receiver):
        """What is not at its end when the house stops."""
        sender = self.live.app["sms_number"]
        self.live.rule({"status": 503}, provider="telnyx", to="+14157770006")
        self.facts["unfinished"][self.sms("live", sender, "+14157770006", "Later")] = {"key": "live", "end": "delivered", "why": "the carrier answers 503"}
        self.facts["unfinished"][self.sms("test", self.facts["numbers"]["test_sms"], "+99930003", "Nobody answers")] = {"key": "test", "end": "failed", "why": "its outcome is unknown"}
        self.live.rule({"drop_answer": True, "no_callbacks": True}, provider="meta", to="+14157770001")
        self.facts["unfinished"][self.whatsapp("live", self.number, "+14157770001")] = {"key": "live", "end": "failed", "why": "its outcome is unknown"}
        lost = self.ask("test", "POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/nobody", "events": ["messages.sms.delivered"]})
        self.facts["hooks"]["lost"] = {"id": lost["id"], "secret": lost["secret"]}
        message = self.note(self.sms("test", self.facts["numbers"]["test_sms"], "+15551230007", "To be told"), key="test", channel="sms", end="delivered")
        self.told(message, "delivered")
        wait_for(lambda: self.deliveries("lost", "pending"), 10, what="a delivery that waits")
        for unfinished, row in self.facts["unfinished"].items():
            if "unknown" in row["why"]:
                self.told(unfinished, "unknown")
        receiver.wait(1, lambda r: "To be told" in json.dumps(r.json))
        self.facts["pending"] = message

    def look(self):
        """What the house tells, as it stands now."""
        self.live.wait_idle()
        reads = [(name, key, path.format(number=self.ref)) for name, key, path in READS]
        self.facts["reads"] = {name: {"key": key, "path": path, "answer": said(self.ask(key, "GET", path, want=200))} for name, key, path in reads}
        self.facts["cli"] = [{"ask": list(words), "answer": json.loads(self.house.cli(*words, "--json"))} for words in CLI_READS]
        explained = {}
        for message in self.facts["messages"]:
            lines = json.loads(self.house.cli("explain", message, "--json", "--reveal"))["lines"]
            explained[message] = sorted({f"{line['service']} {line['what']}" for line in lines})
        self.facts["explained"] = explained
        for name in ("sms log", "whatsapp log"):
            log = self.facts["reads"][name]["answer"]
            log["messages"] = [row for row in log["messages"] if row["id"] not in self.facts["unfinished"]]
        self.facts["templates"] = json.loads(self.house.cli("templates", "list", "--json"))["templates"]
        self.facts["deliveries"] = {hook: {row["id"]: row["status"] for row in json.loads(self.house.cli("deliveries", "list", "--webhook", told["id"], "--limit", "100", "--json"))}
                                    for hook, told in self.facts["hooks"].items()}

    def run(self, receiver):
        self.organization()
        self.hooks(receiver)
        self.teams()
        self.hours(13)
        self.playground()
        self.evening(receiver)
        self.hours(12)
        self.tables_turned()
        self.carriers()
        self.noon()
        self.desk()
        self.nights(receiver)
        self.hours(2)
        self.under_way(receiver)
        self.lanes()
        self.waiting_hook(receiver)
        self.at_the_carrier()
        self.look()
        self.waiting()
        return self.facts
