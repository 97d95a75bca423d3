"""The parts of a day that came with Kirim, teams and the inbox, and what the runtime keeps for itself: outcomes of idempotency keys of all kinds, and lanes with jobs in every form. See day.py."""
import json
import threading
from http.client import HTTPException

from carriers import WABA
from harness import http, wait_for
from test_media import PDF

SECOND = ("+14155550177", "106540352242977")  # a WhatsApp number of the second team, and its id at Meta
SARI, RINA, STRANGER = "+14157770021", "+14157770022", "+14157770020"
GONE, LEAVING = "+14157770023", "+14157770024"  # erased today, to be erased by the version after
# What the organization's key reads. {number} is the live WhatsApp number's id at Meta.
KIRIM_READS = [("kirim " + path.split("?")[0], "kirim", "/kirim/v1/" + path) for path in (
    "me", "accounts", "labels?limit=100", "{number}/contacts?limit=100", "{number}/conversations?limit=100", "{number}/templates", "webhook_subscriptions", "webhook_deliveries?status=succeeded")]


class Desk:
    """Of class Day, which brings house, keys, facts and the asking."""

    # ---- idempotency keys ----
    def keyed(self, key, path, body, name, want=201, change=None, mismatch=409):
        """Ask under an idempotency key, and once more: the replay is a fact. `change` makes it another request."""
        answer = self.ask(key, "POST", path, body, want, headers={"Idempotency-Key": name})
        again = self.house.http("POST", path, body, key=self.keys[key], headers={"Idempotency-Key": name})
        assert (again.status, again.json, again.headers.get("idempotent-replayed")) == (want, answer, "true"), (answer, again)
        self.facts["replays"].append({"key": key, "path": path, "body": body, "idempotency_key": name, "status": want, "answer": answer,
                                      "change": change or {"text": "another"}, "mismatch": mismatch})
        return answer

    def keyed_by_kirim(self, path, body, name, want=200, change=None):
        return self.keyed("kirim", f"/kirim/v1/{path}", body, name, want, change, 422)

    def text_by_kirim(self, to, text, name):
        body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}}
        return self.keyed_by_kirim(f"{self.ref}/messages", body, name, change={"to": "+14157770099"})["data"]

    def hours(self, count):
        self.house.cli("clock", f"+{count}h")

    def evening(self, receiver):
        """Kept in the first of the two tables: in each service, answers, a secret, a refusal. Half a day later the tables turn, and these still count."""
        named = {"name": "another"}
        made = self.keyed("admin", "/v1/organization/app-keys", {"name": "keyed", "appId": self.facts["apps"]["second"]}, "evening-key", change=named)
        self.facts["keys"]["keyed"] = made["key"]
        self.keyed("test", "/v1/webhooks", {"url": receiver.url("/keyed"), "events": ["messages.sms.received"]}, "evening-hook", change={"events": ["messages.sms.sent"]})
        label = self.keyed_by_kirim("labels", {"team_id": self.facts["team"]["first"], "name": "VIP", "color": "amber"}, "evening-label", change=named)
        self.facts["label"] = label["data"]["id"]
        hook = self.keyed_by_kirim("webhook_subscriptions", {"url": receiver.url("/kirim"), "events": ["contact.updated"]}, "evening-kirim-hook",
                                   change={"events": ["message.status"]})
        self.facts["kirim_hook"] = hook["data"]["id"]
        stranger = {"from": self.number, "to": STRANGER, "type": "text", "text": {"body": "Who are you?"}}
        self.keyed("live", "/v1/whatsapp/messages", stranger, "evening-stranger", 402, change={"to": "+14157770098"})

    def tables_turned(self):
        """Every service keeps outcomes in the other table by now: the oldest are told to be of a day ago, for they may be."""
        for service in ("accounts", "messaging", "webhooks", "inbox"):
            wait_for(lambda name=service: 0 < self.house.metric(f"aviary_{name}_oldest_row_seconds", kind="idempotency") < 24 * 3600 + 60, 20, what=f"the tables of {service}")

    def noon(self):
        """Kept in the second table. What was refused in the evening, and what is refused here, would be done by now if it were asked for the first time."""
        self.live.writes(STRANGER, "Me")
        wait_for(lambda: any(row["fromPhoneNumber"] == STRANGER for row in self.inbound()), 15, what="what the stranger wrote")
        team, change = self.facts["team"]["first"], {"color": "gray"}
        self.keyed_by_kirim("labels", {"team_id": team, "name": "VIP", "color": "green"}, "noon-label", 400, change)
        self.ask("kirim", "PATCH", f"/kirim/v1/labels/{self.facts['label']}", {"name": "Gold"}, 200)
        self.keyed_by_kirim(f"{self.ref}/contacts", {"phone_number": "+14157770026", "name": "Card only"}, "noon-contact", change={"name": "another"})
        found = self.ask("admin", "GET", "/v1/organization/phone-numbers/available?countryCode=US&numberType=local&limit=1", want=200)["phoneNumbers"][0]
        order = {"phoneNumber": found["phoneNumber"], "numberType": found["numberType"]}
        self.keyed("admin", f"/v1/organization/phone-numbers/{self.facts['apps']['second']}/purchase", order, "noon-number", change={"phoneNumber": "+13125550199"})
        self.facts["bought_too"] = found["phoneNumber"]

    # ---- teams, people, the inbox ----
    def teams(self):
        team = json.loads(self.house.cli("team", "create", "--name", "Night shift", "--json"))
        [first] = [row for row in json.loads(self.house.cli("team", "list", "--json")) if row["id"] != team["id"]]
        gone = json.loads(self.house.cli("team", "create", "--name", "Gone", "--json"))
        self.house.cli("team", "delete", gone["id"])
        user = json.loads(self.house.cli("user", "create", "--name", "Ada", "--email", "ada@shop.example", "--team", first["id"], "--team", team["id"], "--json"))
        self.live.control("PUT", "/numbers", {"provider": "meta", "phone_number_id": SECOND[1], "waba_id": WABA, "display_phone_number": SECOND[0]})
        [account] = [row["id"] for row in json.loads(self.house.cli("carrier", "list", "--json")) if row["carrier"] == "meta"]
        made = json.loads(self.house.cli("number", "add", "--app", "live", "--number", SECOND[0], "--channel", "whatsapp", "--carrier-account", account, "--ref", SECOND[1], "--json"))
        self.house.cli("number", "set", made["phone_number_id"], "--team", team["id"], "--name", "Night")
        gone = json.loads(self.house.cli("key", "create", "--organization", "--name", "gone", "--json"))
        self.house.cli("key", "delete", gone["id"])
        made = json.loads(self.house.cli("key", "create", "--organization", "--name", "desk", "--json"))
        self.keys["kirim"] = made["key"]
        self.facts["keys"] |= {"kirim": made["key"], "kirim_deleted": gone["key"]}
        self.facts["team"] = {"id": team["id"], "first": first["id"]}
        self.facts["user"] = user["id"]
        self.facts["numbers"]["night"] = SECOND[0]

    def conversation(self, person, ref=None):
        ref = ref or self.ref
        return wait_for(lambda: next((row for row in self.ask("kirim", "GET", f"/kirim/v1/{ref}/conversations?limit=100", want=200)["data"]
                                      if row["contact"]["phone_number"] == person), None), 15, what=f"the conversation of {person}")

    def desk(self):
        """One conversation is assigned, labelled and goes on, one is resolved, one contact is edited, one is erased."""
        for person in (SARI, RINA, GONE, LEAVING):
            self.live.writes(person, f"I am {person[-2:]}")
        sari, rina = self.conversation(SARI), self.conversation(RINA)
        for person, text in ((SARI, "Hello Sari"), (LEAVING, "Hello and good-bye")):
            sent = self.text_by_kirim(person, text, f"desk-{person[-2:]}")
            self.told(self.note(sent["id"], key="kirim", channel="whatsapp", end="read"), "read")
        path = f"/kirim/v1/{self.ref}"
        self.ask("kirim", "PATCH", f"{path}/conversations/{sari['id']}", {"assigned_to": self.facts["user"]}, 200)
        self.ask("kirim", "POST", f"{path}/conversations/{sari['id']}/labels", {"label_id": self.facts["label"]}, 200)
        self.ask("kirim", "POST", f"{path}/contacts/{rina['contact']['id']}/labels", {"label_id": self.facts["label"]}, 200)
        self.ask("kirim", "PATCH", f"{path}/contacts/{rina['contact']['id']}", {"name": "Rina W.", "email": "rina@mail.example", "metadata": {"tier": "gold", "since": [2026, 11]}}, 200)
        self.ask("kirim", "PATCH", f"{path}/conversations/{rina['id']}", {"status": "resolved"}, 200)
        self.live.control("POST", "/inbound", {"provider": "meta", "from": "+14157770027", "to": SECOND[0], "type": "text", "text": {"body": "At night"}})
        night = self.conversation("+14157770027", SECOND[1])
        leaving = self.conversation(LEAVING)
        self.facts["desk"] = {"number": self.ref, "night_number": SECOND[1], "assigned": sari["id"], "closed": rina["id"], "closed_person": RINA, "night": night["id"],
                              "leaving": {"contact": leaving["contact"]["id"], "replay": f"desk-{LEAVING[-2:]}"}}
        self.erased()

    def erased(self):
        """A contact goes with all that tells of it; the key under which she was written to answers 404 and makes nothing."""
        gone, name, path = self.conversation(GONE), "gone", f"/kirim/v1/{self.ref}"
        body = {"messaging_product": "whatsapp", "to": GONE, "type": "text", "text": {"body": "A last word"}}
        sent = self.ask("kirim", "POST", f"{path}/messages", body, 200, {"Idempotency-Key": name})["data"]
        self.told(sent["id"], "read")
        self.ask("kirim", "DELETE", f"{path}/contacts/{gone['contact']['id']}", want=200)
        again = lambda: self.house.http("POST", f"{path}/messages", body, key=self.keys["kirim"], headers={"Idempotency-Key": name})  # noqa: E731
        answer = wait_for(lambda: (a := again()).status == 404 and a, 20, what="the key of what is erased")
        self.facts["replays"].append({"key": "kirim", "path": f"{path}/messages", "body": body, "idempotency_key": name, "status": 404, "answer": answer.json, "mismatch": None})
        self.facts["erased"] = [f"{path}/contacts/{gone['contact']['id']}", f"{path}/conversations/{gone['id']}", f"{path}/messages/{sent['id']}"]
        wait_for(lambda: "deleted for good" in self.house.cli("explain", gone["contact"]["id"]), 15, what="the end of the erasing")

    # ---- what is not at its end ----
    def lane(self, name, sender, person, sends, end):
        """Several wait for one person, the first of them put off. `sends`: (text, function that sends it and says its id)."""
        ids = [send() for _, send in sends]
        wait_for(lambda: len(self.live.sends(person)) >= 2, 20, what=f"two tries to {person}")
        self.facts.setdefault("lanes", {})[name] = {"from": sender, "to": person, "texts": [text for text, _ in sends], "ids": ids, "end": end}
        self.facts["unfinished"] |= {message: {"key": "live", "end": end, "why": "its lane waits for the carrier"} for message in ids}

    def lanes(self):
        """The carriers answer 503: the first of each lane is put off for a quarter of an hour (dump.py), the others stand behind it."""
        sender, person, reader = self.live.app["sms_number"], "+14157770031", "+14157770032"
        for provider, to in (("telnyx", person), ("meta", reader)):
            self.live.rule({"status": 503}, provider=provider, to=to)
        texts = ("First", "Second", "Third")
        self.lane("sms", sender, person, [(text, lambda text=text: self.sms("live", sender, person, text)) for text in texts], "delivered")
        self.live.writes(reader, "Are you there?")
        self.conversation(reader)
        paper = self.upload("live", "document", PDF + b"%3", "bill.pdf", "application/pdf")
        self.lane("whatsapp", self.number, reader, [
            ("One", lambda: self.whatsapp("live", self.number, reader, type="text", text={"body": "One"})),
            ("Two", lambda: self.text_by_kirim(reader, "Two", "lane-two")["id"]),
            ("Three", lambda: self.whatsapp("live", self.number, reader, type="document", media={"mediaId": paper, "caption": "Three"})),
        ], "read")

    def waiting_hook(self, receiver):
        """An organization's subscription whose receiver wants to be left alone for an hour: one delivery was tried, the next ones stand in their lanes."""
        hook = self.ask("kirim", "POST", "/kirim/v1/webhook_subscriptions", {"url": receiver.url("/later"), "events": ["contact.updated", "conversation.assigned"]}, 200)["data"]
        desk, path, log = self.facts["desk"], f"/kirim/v1/{self.ref}", f"/kirim/v1/webhook_deliveries?subscription_id={hook['id']}"
        contact = self.conversation(RINA)["contact"]["id"]
        self.ask("kirim", "PATCH", f"{path}/contacts/{contact}", {"name": "Rina X."}, 200)
        wait_for(lambda: [row for row in self.ask("kirim", "GET", log, want=200)["data"] if row["status"] == "failed"], 15, what="the delivery that was refused")
        for name in ("Rina Y.", "Rina Z."):
            self.ask("kirim", "PATCH", f"{path}/contacts/{contact}", {"name": name}, 200)
        self.ask("kirim", "PATCH", f"{path}/conversations/{desk['assigned']}", {"assigned_to": None}, 200)
        found = wait_for(lambda: len(rows := self.ask("kirim", "GET", log, want=200)["data"]) == 4 and rows, 20, what="four deliveries that wait")
        self.facts["waiting_hook"] = {"id": hook["id"], "secret": hook["initial_secret"], "events": sorted(row["event_id"] for row in found)}

    def at_the_carrier(self):
        """The house will be killed: a send is at the carrier then, and another stands behind it."""
        sender, person = self.live.app["sms_number"], "+14157770033"
        self.live.rule({"delay_ms": 60000, "no_callbacks": True}, provider="telnyx", to=person)
        for text, end, why in (("At the carrier", "failed", "the house was killed: its outcome is unknown"), ("Behind it", "delivered", "it stands behind one that was at the carrier")):
            self.facts["unfinished"][self.sms("live", sender, person, text)] = {"key": "live", "end": end, "why": why}
        wait_for(lambda: self.live.sends(person), 10, what="the send at the carrier")

    def waiting(self):
        """The last thing before it is killed: somebody waits for a message to be marked as read. The local carrier takes its time for that (dump.py)."""
        log = self.ask("admin", "GET", "/v1/organization/whatsapp/messages?limit=100", want=200)["messages"]
        whatsapp = self.facts["numbers"]["test_whatsapp"]
        body = {"messageId": next(row["id"] for row in log if row["direction"].lower() == "inbound" and row["toPhoneNumber"] == whatsapp)}
        self.facts["running"] = {"key": "test", "path": "/v1/whatsapp/messages/read", "body": body, "idempotency_key": "running", "answer": self.facts.pop("read_answer")}

        def wait():
            try:
                http("POST", self.house.port, "/v1/whatsapp/messages/read", body, self.keys["test"], {"Idempotency-Key": "running"})
            except (OSError, HTTPException):
                pass  # the house is gone

        threading.Thread(target=wait, daemon=True).start()
        wait_for(lambda: self.house.metric("aviary_messaging_waiting_asks"), 10, 0.01, "the ask that waits")
