"""Stores that earlier versions wrote, brought back and gone on with: each dump beside this file is loaded into a fresh folder, today's binaries start on it, and what the house told
before must be told again; what was under way comes to its end, in its order; the old keys work, and what came later than the dump works on what is old. What a dump does not have (facts of it
are not there) is skipped."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import dumps  # noqa: E402
from carriers import WABA  # noqa: E402
from harness import BIN, ROOT, House, Receiver, free_ports, http, until_told, wait_for  # noqa: E402

# What of Chirp's contract is asked of a house that is old already; the other tests of that file want one that is new.
CONTRACT = ["sms", "whatsapp", "read receipts and typing", "phone numbers", "webhooks", "playground"]


def offences(old, new, path=""):
    """Where `new` does not tell what `old` did: members may come in addition."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [offence for name in old for offence in offences(old[name], new.get(name), f"{path}.{name}")]
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(old)} are {len(new)}"]
        return [offence for n, pair in enumerate(zip(old, new)) for offence in offences(*pair, f"{path}[{n}]")]
    return [] if old == new else [f"{path}: {old!r} is {new!r}"]


def told_text(request):
    """What a carrier was asked to send."""
    text = request["body"].get("text") or request["body"].get("document", {}).get("caption")
    return text["body"] if isinstance(text, dict) else text


class Upgrade:
    """One dump; the tests run in the order of their names, on one house."""
    dump = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="aviary-upgrade-")
        cls.receiver = Receiver()
        cls.house = None
        try:
            data = Path(cls.folder.name) / "var"
            cls.facts = dumps.load(cls.dump, data, free_ports())
            keep = {"AVIARY_MESSAGING_MESSAGE_RETENTION": "0", "AVIARY_WEBHOOKS_DELIVERY_RETENTION": "0"}
            cls.house = House("--simulate", "--test-clock", "--rate-limits", "off", "--loopback-delay", "10", data=data, env=keep, start=False)
            cls.house.start(60)
            cls.keys = {"live": cls.house.live_key, "test": cls.house.test_key, "admin": cls.house.admin_key} | {name: key for name, key in cls.facts["keys"].items() if name == "kirim"}
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            if cls.house:
                cls.house.__exit__(sys.exc_info()[0], None, None)
        finally:
            cls.receiver.close()
            cls.folder.cleanup()

    # ---- asking ----
    def ask(self, key, method, path, body=None, want=200, headers=None):
        answer = self.house.http(method, path, body, key=self.keys.get(key, key), headers=headers)
        self.assertEqual(answer.status, want, f"{method} {path}: {answer}")
        return answer.json

    def lines(self, message):
        return json.loads(self.house.cli("explain", message, "--json", "--reveal"))["lines"]

    def told(self, message, word, timeout=30):
        wait_for(lambda: word in [line["what"] for line in self.lines(message)], timeout, what=f"{word} of {message}")

    def fact(self, name):
        if name not in self.facts:
            self.skipTest(f"the dump has no {name}")
        return self.facts[name]

    # ---- what was told before ----
    def test_01_what_was_told_is_told_again(self):
        for name, read in self.facts["reads"].items():
            with self.subTest(name):
                old, new = self.plain(read["answer"]), self.plain(self.ask(read["key"], "GET", read["path"]))
                self.assertEqual(offences(old, new), [])
        for read in self.facts.get("cli", []):
            with self.subTest(read["ask"]):
                self.assertEqual(offences(read["answer"], json.loads(self.house.cli(*read["ask"], "--json"))), [])

    def plain(self, answer):
        """Without what may differ: what was under way, links (they are signed for an hour, on a port of today), when a key was used, and when the carriers' numbers were changed (their
        account is at another port)."""
        numbers = self.facts["numbers"]
        moved = {numbers["live_sms"], numbers["live_whatsapp"], numbers.get("night"), self.facts["bought"], self.facts.get("bought_too")}
        answer = json.loads(re.sub(r"http://127\.0\.0\.1:\d+/(media|v1)/[^\"]*", "URL", json.dumps(answer)))
        answer.pop("request_id", None)
        if "messages" in answer:
            moving = {*self.facts["unfinished"], self.facts.get("running", {"body": {}})["body"].get("messageId")}
            answer["messages"] = [row for row in answer["messages"] if row["id"] not in moving]
        for row in (row for rows in answer.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)):
            row.pop("lastUsedAt", None)
            if row.get("number", row.get("phoneNumber")) in moved:
                row.pop("updatedAt", None)
        return answer

    def test_02_explain_knows_each_message(self):
        for message, story in self.facts["explained"].items():
            with self.subTest(message):
                now = {f"{line['service']} {line['what']}" for line in self.lines(message)}
                self.assertEqual(set(story) - now, set())

    def test_03_the_logs_new_filters_find_the_old_messages(self):
        for key in ("live", "test"):
            for channel in ("sms", "whatsapp"):
                want = {message for message, row in self.facts["messages"].items() if (row["key"], row["channel"]) == (key, channel)}
                app = self.house.credentials["app"]["id" if key == "live" else "test_app_id"]
                found = json.loads(self.house.cli("messages", "--app", app, "--channel", channel, "--direction", "outbound", "--limit", "100", "--json"))["messages"]
                self.assertLessEqual(want, {row["id"] for row in found}, f"{key} {channel}")
        failed = {message for message, row in self.facts["messages"].items() if row["end"] == "failed"}
        found = json.loads(self.house.cli("messages", "--status", "failed", "--limit", "100", "--json"))["messages"]
        self.assertLessEqual(failed, {row["id"] for row in found})

    def test_04_old_keys_work_and_deleted_ones_do_not(self):
        self.ask(self.facts["keys"]["admin"], "GET", "/v1/organization/apps")
        self.ask(self.facts["keys"]["second"], "GET", "/v1/phone-numbers")
        self.ask(self.facts["keys"]["deleted"], "GET", "/v1/phone-numbers", want=401)
        self.assertIn(self.facts["bought"], json.dumps(self.ask(self.facts["keys"]["second"], "GET", "/v1/phone-numbers")))

    def replays(self):
        for row in self.facts["replays"]:
            with self.subTest(row["idempotency_key"]):
                self.replay(row)

    def replay(self, row):
        """The first answer, and another request under the same key is refused."""
        status, key = row.get("status", 201), {"Idempotency-Key": row["idempotency_key"]}
        answer = self.house.http("POST", row["path"], row["body"], key=self.keys[row["key"]], headers=key)
        self.assertEqual((answer.status, self.said(answer.json), answer.headers.get("idempotent-replayed")), (status, self.said(row["answer"]), "true"))
        if row.get("mismatch", 409):
            self.ask(row["key"], "POST", row["path"], row["body"] | row.get("change", {"text": "another"}), row.get("mismatch", 409), key)

    def said(self, answer):
        """Without where the house is, and which request it was that found everything erased."""
        if "error" in answer:
            answer = {"error": {name: member for name, member in answer["error"].items() if name not in ("doc_url", "request_id")}}
        return answer

    def test_05_an_idempotency_key_gets_its_first_answer(self):
        self.replays()

    def test_05_a_keyed_request_that_waits_ends(self):
        """The house was killed while somebody waited for the carrier: who asks again with the key is told."""
        row = self.fact("running")
        answer = until_told(lambda: self.house.http("POST", row["path"], row["body"], key=self.keys[row["key"]], headers={"Idempotency-Key": row["idempotency_key"]}), 30)
        self.assertEqual((answer.status, answer.json), (200, row["answer"]))
        another = next(message for message, told in self.facts["messages"].items() if (told["key"], told["channel"]) == (row["key"], "whatsapp"))
        self.ask(row["key"], "POST", row["path"], {"messageId": another}, 409, {"Idempotency-Key": row["idempotency_key"]})

    def test_05_keys_that_came_by_a_replay_work(self):
        self.fact("running")
        self.ask(self.facts["keys"]["keyed"], "GET", "/v1/phone-numbers")
        self.ask(self.facts["keys"]["kirim_deleted"], "GET", "/kirim/v1/me", want=401)
        self.ask("kirim", "GET", "/kirim/v1/me")

    def test_06_media_can_be_fetched(self):
        for kind, media in self.facts["media"].items():
            told = self.ask("live", "GET", f"/v1/media/{media}", want=404 if kind == "deleted" else 200)
            if kind != "deleted":
                file = http("GET", self.house.port, re.sub(r"^http://[^/]+", "", told["url"]))
                self.assertEqual((file.status, len(file.body)), (200, told["fileSize"]))

    def test_07_deliveries_are_listed_and_go_on(self):
        for hook, rows in self.facts["deliveries"].items():
            told = self.facts["hooks"][hook]
            found = json.loads(self.house.cli("deliveries", "list", "--webhook", told["id"], "--limit", "100", "--json"))
            self.assertLessEqual(set(rows), {row["id"] for row in found}, hook)
        now = {row["id"]: row["status"] for row in found}
        self.assertEqual({row: now[row] for row, status in rows.items() if status != "pending"}, {row: status for row, status in rows.items() if status != "pending"})
        lost, dead = self.facts["hooks"]["lost"], self.facts["hooks"]["dead"]
        self.ask("test", "PUT", f"/v1/webhooks/{lost['id']}", {"url": self.receiver.url("/lost")})
        self.ask("test", "PUT", f"/v1/webhooks/{dead['id']}", {"url": self.receiver.url("/dead")})
        self.house.cli("clock", "+5m")
        [got] = self.receiver.wait(1, lambda r: r.path == "/lost")
        self.assertEqual(got.json["data"]["message"]["id"], self.facts["pending"])
        self.assertEqual(self.house.cli("webhook", "secret", lost["id"]).split()[0], lost["secret"])
        [letter] = json.loads(self.house.cli("deliveries", "list", "--webhook", dead["id"], "--status", "dead", "--json"))
        self.house.cli("deliveries", "replay", letter["id"])
        self.receiver.wait(1, lambda r: r.path == "/dead")

    def test_08_a_lane_keeps_its_order(self):
        """Several wait for one person since before; one more stands behind them. The carriers take them in the order in which they were accepted."""
        self.fact("lanes")
        self.house.control("PUT", "/settings", {"window": "off"})  # today's simulator does not know that she wrote
        for name, lane in self.facts["lanes"].items():
            self.assertEqual(self.sends(lane["to"]), [], "none is due yet")
            lane["ids"].append(self.send_as_last(name, lane))
        self.house.cli("clock", "+16m")
        for lane in self.facts["lanes"].values():
            for message in lane["ids"]:
                self.told(message, lane["end"])
            self.assertEqual([told_text(request) for request in self.sends(lane["to"])], [*lane["texts"], "Last"])

    def sends(self, to):
        return [request for request in self.house.control("GET", f"/requests?to={to.lstrip('+')}") if request["path"].endswith("/messages")]

    def send_as_last(self, name, lane):
        if name == "sms":
            return self.ask("live", "POST", "/v1/sms", {"from": lane["from"], "to": [lane["to"]], "text": "Last"}, 201)["id"]
        body = {"messaging_product": "whatsapp", "to": lane["to"], "type": "text", "text": {"body": "Last"}}
        return self.ask("kirim", "POST", f"/kirim/v1/{self.facts['desk']['number']}/messages", body)["data"]["id"]

    def test_09_what_was_under_way_ends(self):
        for message, row in self.facts["unfinished"].items():
            if "unknown" not in row["why"]:
                self.told(message, row["end"])
        self.house.cli("clock", "+11m")
        for message, row in self.facts["unfinished"].items():
            with self.subTest(row["why"]):
                self.told(message, row["end"])

    def test_09_deliveries_that_stood_in_lanes_go_out(self):
        """Their receiver wanted to be left alone; each comes once it may, under its id."""
        hook = self.fact("waiting_hook")
        self.ask("kirim", "PATCH", f"/kirim/v1/webhook_subscriptions/{hook['id']}", {"url": self.receiver.url("/late")})
        self.house.cli("clock", "+2h")
        wait_for(lambda: {request.headers["x-kirim-event-id"] for request in self.receiver.got(lambda r: r.path == "/late")} >= set(hook["events"]), 30, what="what waited")
        log = lambda: self.ask("kirim", "GET", f"/kirim/v1/webhook_deliveries?subscription_id={hook['id']}&status=succeeded")["data"]  # noqa: E731
        wait_for(lambda: {row["event_id"] for row in log()} >= set(hook["events"]), 10, what="their end in the log")

    # ---- what came later than the dump ----
    def kirim(self, method, path, want=200):
        return self.ask(self.kirim_key(), method, f"/kirim/v1{path}", want=want)

    def kirim_key(self):
        if "kirim" not in self.keys:
            self.keys["kirim"] = json.loads(self.house.cli("key", "create", "--organization", "--name", "kirim", "--json"))["key"]
        return self.keys["kirim"]

    def test_10_kirim_shows_the_old_conversations(self):
        number = self.house.credentials["app"]["meta_phone_number_id"]
        self.assertIn(number, json.dumps(self.kirim("GET", "/accounts")))
        threaded = {row["toPhoneNumber"] if row["direction"] == "OUTBOUND" else row["fromPhoneNumber"] for row in self.facts["reads"]["whatsapp log"]["answer"]["messages"]
                    if self.facts["numbers"]["live_whatsapp"] in (row["toPhoneNumber"], row["fromPhoneNumber"])}
        self.assertLessEqual(set(self.facts["people"]), threaded)
        wait_for(lambda: len(self.kirim("GET", f"/{number}/conversations")["data"]) >= len(threaded), 20, what="the old conversations")
        for person in sorted(threaded):
            with self.subTest(person):
                [contact] = self.kirim("GET", f"/{number}/contacts?phone=%2B{person.lstrip('+')}")["data"]
                [conversation] = self.kirim("GET", f"/{number}/conversations?contact_id={contact['id']}")["data"]
                messages = self.kirim("GET", f"/{number}/messages?conversation_id={conversation['id']}&limit=100")["data"]
                log = [row for row in self.facts["reads"]["whatsapp log"]["answer"]["messages"] if person in (row["toPhoneNumber"], row["fromPhoneNumber"])]
                self.assertGreaterEqual(len(messages), len(log))
        self.assertTrue(json.loads(self.house.cli("team", "list", "--json")))

    def test_11_the_inbox_goes_on(self):
        """Who it was assigned to, what was resolved, whose team it is; what was erased stays away."""
        desk, label, team = self.fact("desk"), self.facts["label"], self.facts["team"]
        path = f"/kirim/v1/{desk['number']}"
        for gone in self.facts["erased"]:
            self.ask("kirim", "GET", gone, want=404)
        given = self.ask("kirim", "PATCH", f"{path}/conversations/{desk['assigned']}", {"assigned_to": self.facts["user"]})["data"]
        self.assertEqual(given["assignee"]["id"], self.facts["user"])
        self.ask("kirim", "POST", f"{path}/conversations/{desk['closed']}/labels", {"label_id": label})
        at_night = f"/kirim/v1/{desk['night_number']}/conversations/{desk['night']}"
        self.ask("kirim", "POST", f"{at_night}/labels", {"label_id": label}, 422)  # of another team
        own = self.ask("kirim", "POST", "/kirim/v1/labels", {"team_id": team["id"], "name": "VIP"})["data"]
        self.ask("kirim", "POST", f"{at_night}/labels", {"label_id": own["id"]})
        self.house.control("POST", "/inbound", {"provider": "meta", "from": desk["closed_person"], "to": self.facts["numbers"]["live_whatsapp"], "type": "text", "text": {"body": "One more"}})
        wait_for(lambda: self.ask("kirim", "GET", f"{path}/conversations/{desk['closed']}")["data"]["status"] == "open", 15, what="the conversation opened again")

    def test_12_who_is_erased_takes_the_old_outcomes_along(self):
        leaving = self.fact("desk")["leaving"]
        [row] = [row for row in self.facts["replays"] if row["idempotency_key"] == leaving["replay"]]
        self.replay(row)
        self.ask("kirim", "DELETE", f"/kirim/v1/{self.facts['desk']['number']}/contacts/{leaving['contact']}")
        post = lambda: self.house.http("POST", row["path"], row["body"], key=self.keys["kirim"], headers={"Idempotency-Key": row["idempotency_key"]})  # noqa: E731
        wait_for(lambda: post().status == 404, 20, what="the key of what is erased")
        self.facts["replays"].remove(row)

    def test_13_old_people_and_numbers_go_on(self):
        person, stopped, sms, whatsapp = "+14157770003", self.facts["stopped"], self.facts["numbers"]["live_sms"], self.facts["numbers"]["live_whatsapp"]
        sent = self.ask("live", "POST", "/v1/whatsapp/messages", {"from": whatsapp, "to": person, "type": "text", "text": {"body": "Still here"}}, 201)["id"]
        refused = self.ask("live", "POST", "/v1/sms", {"from": sms, "to": [stopped], "text": "Hello?"}, 201)["id"]
        self.told(refused, "failed")
        self.told(sent, "accepted")
        self.house.control("POST", "/inbound", {"provider": "meta", "from": person, "to": whatsapp, "type": "text", "text": {"body": "Back again"}})
        log = wait_for(lambda: [row for row in self.ask("admin", "GET", "/v1/organization/whatsapp/messages?limit=100")["messages"] if row["textBody"] == "Back again"], what="what she wrote")
        self.ask("live", "POST", "/v1/whatsapp/messages/read", {"messageId": log[0]["id"]})
        number = self.house.credentials["app"]["meta_phone_number_id"]
        [contact] = self.kirim("GET", f"/{number}/contacts?phone=%2B{person.lstrip('+')}")["data"]
        [conversation] = self.kirim("GET", f"/{number}/conversations?contact_id={contact['id']}")["data"]
        messages = wait_for(lambda: (found := self.kirim("GET", f"/{number}/messages?conversation_id={conversation['id']}&limit=100")["data"]) and len(found) >= 3 and found, what="her messages")
        self.assertIn("Hello?", json.dumps(messages))
        self.house.control("PUT", "/templates", {"name": "parcel", "language": "en_US", "waba_id": WABA, "category": "UTILITY", "status": "APPROVED",
                                           "components": [{"type": "BODY", "text": "Your parcel {{1}} is there", "example": {"body_text": [["7"]]}}]})
        self.house.cli("templates", "sync")
        content = {"from": whatsapp, "to": "+14157770009"} | self.facts["template"]
        wait_for(lambda: self.house.http("POST", "/v1/whatsapp/messages", content, key=self.keys["live"]).status == 201, 15, what="a send of the old template")

    def test_14_the_contract_holds(self):
        names = [arg for name in CONTRACT for arg in ("--test-name-pattern", f"^{name}$")]
        env = {**os.environ, "AVIARY_BIN": str(BIN), "AVIARY_HOUSE": str(self.house.data), "AVIARY_HOUSE_PORT": str(self.house.port), "AVIARY_HOUSE_LIVE_KEY": self.facts["keys"]["second"]}
        done = subprocess.run(["node", "--test", "--test-concurrency=1", *names, str(ROOT / "tests" / "js" / "contract.test.mjs")], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, env=env, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        self.assertIn(f"pass {len(CONTRACT)}", done.stdout)

    def test_15_it_stops_and_starts_again(self):
        self.assertEqual(self.house.stop(), 0)
        self.house.start(60)
        for message in list(self.facts["messages"])[:3]:
            self.assertTrue(self.lines(message))
        self.replays()

    def test_16_old_outcomes_end(self):
        """A day later each key is free again."""
        self.house.cli("clock", "+25h")
        for row in self.facts["replays"]:
            with self.subTest(row["idempotency_key"]):
                answer = self.house.http("POST", row["path"], row["body"], key=self.keys[row["key"]], headers={"Idempotency-Key": row["idempotency_key"]})
                self.assertNotEqual(answer.headers.get("idempotent-replayed"), "true")


for folder in dumps.dumps():
    name = "From_" + folder.name.replace("-", "_")
    globals()[name] = type(name, (Upgrade, unittest.TestCase), {"dump": folder})
