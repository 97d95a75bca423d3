"""Carriers that fail in every way the simulator knows: what the customer sees is what the contract says, every recipient ends once, and nobody gets a message twice
but where that is documented. kill -9 at the points where a send could get lost or doubled."""
import mmap
import os
import struct
import tempfile
import threading
import time
import unittest

from carriers import Carriers
from harness import BIN, LONG, seeded, until_told, wait_for

QUICK = {"send_schedule": "40ms,80ms,160ms,320ms", "unknown_after": "2s", "telnyx_per_second": 10000, "telnyx_width": 64, "meta_per_second": 10000, "meta_width": 64,
         "breaker_failures": 0}
TRIES = 5  # the first, and one for each wait of the schedule
CHANNELS = {"sms": "telnyx", "whatsapp": "meta"}
TROUBLES = {"is dead": {"status": 503}, "throttles": {"status": 429}, "hangs": {"delay_ms": 300000}}


def final(channel):
    return "delivered" if channel == "sms" else "read"


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Carriers(settings=QUICK)

    @classmethod
    def tearDownClass(cls):
        cls.live.close()

    # (channel, rule, Chirp's type and code, the carrier's code, requests): what the carrier refuses. Sources: errors.md sections 2 to 5.
    REFUSED = [
        ("sms", {"status": 503}, "api_error", "telnyx_api_unavailable", "10037", TRIES),
        ("sms", {"status": 500}, "api_error", "telnyx_api_error", "10007", TRIES),
        ("sms", {"error_code": 40300}, "provider_error", "message_undeliverable", "40300", 1),
        ("sms", {"error_code": 40310}, "invalid_request_error", "invalid_phone_number", "40310", 1),
        ("sms", {"error_code": 40305}, "invalid_request_error", "phone_number_not_assigned", "40305", 1),
        ("sms", {"error_code": 40302}, "provider_error", "message_undeliverable", "40302", 1),
        ("sms", {"error_code": 10009}, "api_error", "telnyx_api_error", "10009", 1),
        ("sms", {"error_code": 10005}, "api_error", "telnyx_api_error", "10005", 1),
        ("sms", {"error_code": 10004}, "invalid_request_error", None, "10004", 1),
        ("sms", {"error_code": 40318}, "provider_error", "message_undeliverable", "40318", TRIES),
        ("whatsapp", {"status": 503}, "api_error", "meta_api_unavailable", 131016, TRIES),
        ("whatsapp", {"error_code": 131000}, "api_error", "meta_api_error", 131000, TRIES),
        ("whatsapp", {"error_code": 131016}, "api_error", "meta_api_unavailable", 131016, TRIES),
        ("whatsapp", {"error_code": 131026}, "provider_error", "message_undeliverable", 131026, 1),
        ("whatsapp", {"error_code": 131047}, "provider_error", "conversation_window_expired", 131047, 1),
        ("whatsapp", {"error_code": 368}, "provider_error", "account_restricted", 368, 1),
        ("whatsapp", {"error_code": 131031}, "provider_error", "account_restricted", 131031, 1),
        ("whatsapp", {"error_code": 131042}, "provider_error", "account_restricted", 131042, 1),
        ("whatsapp", {"error_code": 131037}, "provider_error", "display_name_not_approved", 131037, 1),
        ("whatsapp", {"error_code": 131048}, "provider_error", "whatsapp_rate_limited", 131048, 1),
        ("whatsapp", {"error_code": 131051}, "invalid_request_error", "unsupported_message_type", 131051, 1),
        ("whatsapp", {"error_code": 132000}, "invalid_request_error", "template_parameter_mismatch", 132000, 1),
        ("whatsapp", {"error_code": 132001}, "invalid_request_error", "template_not_found", 132001, 1),
        ("whatsapp", {"error_code": 132015}, "invalid_request_error", "template_not_found", 132015, 1),
        ("whatsapp", {"error_code": 190}, "provider_error", None, 190, 1),
        ("whatsapp", {"error_code": 131005}, "provider_error", None, 131005, 1),
        ("whatsapp", {"error_code": 100}, "invalid_request_error", None, 100, 1),
        ("whatsapp", {"error_code": 131009}, "invalid_request_error", None, 131009, 1),
        ("whatsapp", {"error_code": 133010}, "provider_error", None, 133010, 1),
    ]

    # Taken, and told by callback that it failed.
    FAILED_LATER = [
        ("sms", 40001, "invalid_request_error", "invalid_phone_number", "40001"),
        ("sms", 40002, "provider_error", "message_undeliverable", "40002"),
        ("sms", 40008, "provider_error", "message_undeliverable", "40008"),
        ("sms", 40012, "invalid_request_error", "invalid_phone_number", "40012"),
        ("whatsapp", 131026, "provider_error", "message_undeliverable", 131026),
        ("whatsapp", 131047, "provider_error", "conversation_window_expired", 131047),
        ("whatsapp", 131049, "provider_error", "message_undeliverable", 131049),
        ("whatsapp", 130472, "provider_error", "message_undeliverable", 130472),
        ("whatsapp", 131042, "provider_error", "account_restricted", 131042),
        ("whatsapp", 131053, "invalid_request_error", None, 131053),
    ]

    def start(self, channel, action, times=None):
        """One person whose sends meet the rule; (channel, action, message, person)."""
        to = self.live.person()
        if channel == "whatsapp":
            self.live.writes(to)
        if action:
            self.live.rule(action, provider=CHANNELS[channel], to=to, path="/messages", **({"times": times} if times else {}))
        return channel, action, self.live.send(channel, to), to

    def check_error(self, story, channel, kind, code, native):
        error = story.error()
        self.assertEqual((error["type"], error.get("code")), (kind, code), error)
        self.assertEqual((error["provider"]["source"], error["provider"]["code"]), (CHANNELS[channel], native), error)
        self.assertTrue(error["message"] and error["provider"]["message"], error)
        for data in story.told["failed"]:
            self.assertEqual(data["message"]["error"], data["error"])
        self.assertEqual(len(story.told["failed"]), 1, story.told)

    def test_what_is_refused(self):
        started = [(row, self.start(*row[:2])) for row in self.REFUSED]
        for (channel, action, kind, code, native, requests), (_, _, message, to) in started:
            with self.subTest(f"{channel} {action}"):
                story = self.live.wait(message, to, "failed")
                self.check_error(story, channel, kind, code, native)
                self.assertEqual(set(story.told), {"failed"})
                self.assertEqual(len(self.live.sends(to)), requests)

    def test_what_fails_after_it_was_taken(self):
        started = [(row, self.start(row[0], {"fail_with_code": row[1]})) for row in self.FAILED_LATER]
        for (channel, _, kind, code, native), (_, action, message, to) in started:
            with self.subTest(f"{channel} {action}"):
                story = self.live.wait(message, to, "sent", "failed")
                self.check_error(story, channel, kind, code, native)
                self.assertEqual(set(story.told), {"sent", "failed"})
                self.assertEqual(len(self.live.sends(to)), 1)

    def test_what_passes(self):
        rows = [({"status": 503}, 2, 3), ({"status": 500}, 1, 2), ({"status": 429}, 1, 2), ({"delay_ms": 300}, None, 1), ({"drop_answer": True}, None, 1),
                ({"drop_answer": True, "delay_ms": 400}, None, 1), ({"duplicate_callbacks": True}, None, 1), ({"duplicate_callbacks": 4}, None, 1),
                ({"reorder_callbacks": True}, None, 1), ({"drop_answer": True, "reorder_callbacks": True, "duplicate_callbacks": True}, None, 1)]
        rows = [("sms", *row) for row in rows] + [("whatsapp", *row) for row in rows]
        rows += [("sms", {"error_code": 40318}, 2, 3), ("sms", {"error_code": 10011}, 1, 2), ("whatsapp", {"error_code": 130429}, 1, 2), ("whatsapp", {"error_code": 131000}, 2, 3)]
        started = [(row, self.start(row[0], row[1], row[2])) for row in rows]
        self.live.quiet()
        for (channel, action, _, requests), (_, _, message, to) in started:
            with self.subTest(f"{channel} {action}"):
                story = self.live.wait(message, to, final(channel))
                self.assertNotIn("failed", story)
                for word, told in story.told.items():
                    self.assertEqual(len(told), 1, word)
                self.assertEqual(len(self.live.sends(to)), requests)

    def test_silence_after_acceptance_is_sent(self):
        for channel in CHANNELS:
            _, _, message, to = self.start(channel, {"no_callbacks": True})
            self.assertEqual(set(self.live.wait(message, to, "sent").told), {"sent"})

    def test_unknown_fails_in_the_end_and_a_late_receipt_lifts_it(self):
        """The answer is lost and nothing is heard: nothing is repeated; after `unknown_after` it fails; a receipt that comes later counts."""
        for action in ({"drop_answer": True, "no_callbacks": True}, {"drop_answer": True, "status": 503}):
            started = [self.start(channel, action) for channel in CHANNELS]
            for channel, _, message, to in started:
                with self.subTest(f"{channel} {action}"):
                    story = self.live.wait(message, to, "failed")
                    self.assertEqual(set(story.told), {"failed"})
                    self.check_error(story, channel, "api_error", f"{CHANNELS[channel]}_api_unavailable", 503 if channel == "whatsapp" else "503")
                    [request] = self.live.sends(to)
                    self.assertIsNone(request["answered_status"])
                    self.late_receipt(channel, to, request)
                    self.live.wait(message, to, "delivered")
                    self.assertEqual(len(self.live.sends(to)), 1)

    def late_receipt(self, channel, to, request):
        if channel == "whatsapp":
            phone = self.live.app["meta_phone_number_id"]
            status = {"id": f"wamid.late{to}", "status": "delivered", "timestamp": str(int(time.time())), "recipient_id": to[1:],
                      "biz_opaque_callback_data": request["body"]["biz_opaque_callback_data"]}
            value = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": self.live.app["whatsapp_number"][1:], "phone_number_id": phone}, "statuses": [status]}
            body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
            sent = self.live.control("POST", "/callbacks", {"provider": "meta", "phone_number_id": phone, "body": body})
        else:
            payload = {"record_type": "message", "id": f"late-{to}", "direction": "outbound", "type": "SMS", "from": {"phone_number": self.live.app["sms_number"]},
                       "to": [{"phone_number": to, "status": "delivered"}], "errors": []}
            body = {"data": {"record_type": "event", "event_type": "message.finalized", "id": f"e-{to}", "occurred_at": "2026-01-23T18:10:05.000Z", "payload": payload}}
            sent = self.live.control("POST", "/callbacks", {"provider": "telnyx", "url": request["body"]["webhook_url"], "body": body})
        self.assertEqual(sent["answered_status"], 200, sent)

    # ---- lanes ----
    def test_texts_to_one_person_arrive_in_order_through_retries(self):
        people = []
        for channel in CHANNELS:
            for action, times in (({"status": 503}, 3), ({"drop_answer": True}, 1), ({"status": 429}, 2), (None, None)):
                channel, action, _, to = self.start(channel, action, times)
                people.append((channel, action, to, [self.live.send(channel, to, f"text {n}") for n in range(1, 5)]))
        for channel, action, to, messages in people:
            with self.subTest(f"{channel} {action}"):
                for message in messages:
                    self.live.wait(message, to, final(channel))
                taken = [r["body"]["text"] for r in self.live.sends(to) if r["answered_status"] in (200, None)]
                taken = [text["body"] if channel == "whatsapp" else text for text in taken]
                self.assertEqual(taken, ["Hello"] + [f"text {n}" for n in range(1, 5)])

    def test_a_number_over_its_throughput_loses_nothing(self):
        """Meta's own limit of a number (130429): what comes too fast waits and arrives."""
        self.live.control("PUT", "/settings", {"throughput_per_second": 10})
        try:
            people = [self.live.person() for _ in range(25)]
            for to in people:
                self.live.writes(to)
            with self.live.house.stopped("sim"):  # so that it gets them all at once
                messages = [(self.live.send("whatsapp", to), to) for to in people]
            for message, to in messages:
                story = self.live.wait(message, to, "read", timeout=30)
                self.assertNotIn("failed", story)
            answers = [r["answered_status"] for to in people for r in self.live.sends(to)]
            self.assertEqual(answers.count(200), len(people))
            self.assertGreater(len(answers), len(people), "the limit was never met")
        finally:
            self.live.control("PUT", "/settings", {"throughput_per_second": 0})


class Neighbours(unittest.TestCase):
    """A number whose carrier is dead, throttles or hangs delays no other number, also not one at the same carrier and host."""

    def setUp(self):
        self.live = Carriers(settings={"send_schedule": "200ms,1s,5s,30s", "telnyx_per_second": 1000, "meta_per_second": 1000})  # widths and breaker as they come
        self.live.template("note")
        self.crowds = 0

    def tearDown(self):
        self.live.close()

    def crowd(self, channel, sender, count):
        """Messages of one number to many people; whom its rule calls 1415778..."""
        for _ in range(count):
            self.crowds += 1
            to = f"+1415778{self.crowds:04d}"
            self.live.send(channel, to, sender=sender, **({"type": "template", "template": {"name": "note", "language": "en_US"}} if channel == "whatsapp" else {}))

    def hit(self):
        return [r for r in self.live.requests() if r["path"].endswith("/messages") and str(r["body"]["to"]).lstrip("+").startswith("1415778")]

    def p50(self, channel, count):
        """From a request to the webhook that tells `sent`, in the middle, in ms."""
        people = [self.live.person() for _ in range(count)]
        if channel == "whatsapp":
            for to in people:
                self.live.writes(to)
        waits = []
        for to in people:
            began = time.time()
            message = self.live.send(channel, to)
            self.live.wait(message, to, "sent", timeout=15, every=0.002)
            waits.append((self.live.story(message, to).at["sent"] - began) * 1000)
        return sorted(waits)[count // 2]

    def trouble(self, nth, action):
        """Another number of each carrier, to which `action` happens, with more to send than it gets through."""
        self.live.control("DELETE", "/rules")
        self.live.rule(action, to="1415778*")
        for channel, digits in (("sms", f"1415555020{nth}"), ("whatsapp", f"1415555021{nth}")):
            self.crowd(channel, self.live.number(channel, digits), 100)
        self.live.control("DELETE", "/requests")
        wait_for(self.hit, 15, what="requests of the other number")

    def test_neighbours(self):
        """Each message is sent within its time (how late it is measures tests/bench/neighbours.py)."""
        for channel in CHANNELS:
            self.p50(channel, 5)  # connections are there
        for nth, (name, action) in enumerate(TROUBLES.items()):
            self.trouble(nth, action)
            for channel in CHANNELS:
                print(f"{channel}: another number {name}: p50 {self.p50(channel, 60 if LONG else 25):.1f} ms", flush=True)
            self.assertEqual({r["answered_status"] for r in self.hit()}, {action.get("status")}, "the other number was as bad as it should be all the time")


class Many(unittest.TestCase):
    """Thousands of sends through carriers that fail in all ways at once: every recipient ends once in the right status, and both sides count the same."""

    SHARES = [("503", 10), ("refused", 10), ("dropped", 5), ("doubled", 5), ("reordered", 10), ("plain", 60)]
    DIGITS = {"503": "11", "refused": "22", "dropped": "33", "doubled": "44", "reordered": "55", "plain": "66"}
    ACTIONS = {"dropped": {"drop_answer": True}, "doubled": {"duplicate_callbacks": True}, "reordered": {"reorder_callbacks": True}}
    REFUSAL = {"sms": 40300, "whatsapp": 131026}

    def people(self, channel, count, random):
        """(what the carrier does, number) of each; the last two digits say it to the simulator."""
        fates = [fate for fate, share in self.SHARES for _ in range(count * share // 100)]
        fates += ["plain"] * (count - len(fates))
        random.shuffle(fates)
        return [(fate, f"+1{'415' if channel == 'sms' else '416'}{n:05d}{self.DIGITS[fate]}") for n, fate in enumerate(fates)]

    def rules(self, live, everybody):
        for channel, provider in CHANNELS.items():
            for fate, to in everybody[channel]:
                if fate == "503":
                    live.rule({"status": 503}, provider=provider, path="/messages", to=to, times=1)
            for fate, action in (self.ACTIONS | {"refused": {"error_code": self.REFUSAL[channel]}}).items():
                live.rule(action, provider=provider, path="/messages", to="*" + self.DIGITS[fate])

    def send_all(self, live, channel, people, sent):
        if channel == "sms":
            for at in range(0, len(people), 100):
                some = [to for _, to in people[at:at + 100]]
                message = self.send_until_told(live.sms, some, f"many-{at}")
                sent.update({(channel, to): message for to in some})
            return
        for _, to in people:
            sent[channel, to] = self.send_until_told(live.whatsapp, to, f"many-{to}", type="template", template={"name": "note", "language": "en_US"})

    def send_until_told(self, post, to, key, **more):
        """A machine that is busy with other things may be late, which is 503."""
        answer = until_told(lambda: post(to, headers={"Idempotency-Key": key}, **more), every=0.2)
        assert answer.status == 201, answer
        return answer.json["id"]

    def test_many(self):
        random = seeded()
        count = 5000 if LONG else 250
        with Carriers(settings=QUICK | {"send_schedule": "20ms,40ms,80ms,160ms,320ms,640ms,1s,2s", "unknown_after": "60s"}, sim={"callback_delay_ms": 10}) as live:
            live.template("note")
            everybody = {channel: self.people(channel, count, random) for channel in CHANNELS}
            self.rules(live, everybody)
            sent = {}
            began = time.monotonic()
            threads = [threading.Thread(target=self.send_all, args=(live, channel, people, sent)) for channel, people in everybody.items()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(sent), sum(map(len, everybody.values())))
            try:
                wait_for(lambda: not self.waiting(live, everybody, sent), 600 if LONG else 40, 0.2, what="every recipient's end")
            except TimeoutError:
                self.fail(f"no end: {[(c, f, to, sent[c, to], list(live.story(sent[c, to], to).told)) for c, f, to in self.waiting(live, everybody, sent)[:5]]}")
            live.quiet(120)
            print(f"{len(sent)} sends ended in {time.monotonic() - began:.1f} s", flush=True)
            self.check_stories(live, everybody, sent)
            self.check_carriers(live, everybody)
            self.check_counts(live, everybody)

    def waiting(self, live, everybody, sent):
        """(channel, fate, number) of those who have not heard their end."""
        return [(channel, fate, to) for channel, people in everybody.items() for fate, to in people
                if ("failed" if fate == "refused" else final(channel)) not in live.story(sent[channel, to], to)]

    def check_stories(self, live, everybody, sent):
        for channel, people in everybody.items():
            for fate, to in people:
                story = live.story(sent[channel, to], to)
                where = f"{channel} {fate} {to}: {list(story.told)}"
                for told in story.told.values():
                    self.assertEqual(len(told), 1, where)
                if fate == "refused":
                    self.assertEqual(set(story.told), {"failed"}, where)
                    self.assertEqual(str(story.error()["provider"]["code"]), str(self.REFUSAL[channel]), where)
                else:
                    self.assertNotIn("failed", story, where)
                    self.assertLessEqual(set(story.told), {"sent", "delivered", "read"}, where)  # what a later one overtook is left out

    def check_carriers(self, live, everybody):
        """Nobody got a message twice: of each recipient's requests one was taken, or all were refused."""
        for channel, provider in CHANNELS.items():
            asked = {}
            for request in live.requests(provider=provider):
                if request["path"].endswith("/messages"):
                    asked.setdefault("+" + request["body"]["to"].lstrip("+"), []).append(request["answered_status"])
            self.assertEqual(set(asked), {to for _, to in everybody[channel]})
            for fate, to in everybody[channel]:
                taken = [status for status in asked[to] if status in (200, None)]
                self.assertEqual(len(taken), 0 if fate == "refused" else 1, f"{fate} {to}: {asked[to]}")
                self.assertEqual(taken == [None], fate == "dropped", f"{fate} {to}: {asked[to]}")
                self.assertEqual(asked[to][:-1], [503] if fate == "503" else [], f"{fate} {to}: {asked[to]}")

    def check_counts(self, live, everybody):
        fates = [fate for people in everybody.values() for fate, _ in people]
        refused = fates.count("refused")
        self.assertEqual(live.house.metric("aviary_messaging_recipients_failed_total"), refused)
        self.assertEqual(live.house.metric("aviary_messaging_callbacks_refused_total"), 0)
        callbacks = [c for c in live.control("GET", "/callbacks") if c["event"] in ("delivered", "message.finalized")]
        doubled = fates.count("doubled")
        if not LONG:  # the simulator's list is bounded
            self.assertEqual(len(callbacks), len(fates) - refused + doubled)
            self.assertEqual({c["answered_status"] for c in callbacks}, {200})


HOLD, PASS, HOLD_REQUESTS, HELD, REQUESTS_HELD = range(5)


class Held:
    """The numbers that messaging's preloaded library looks at; see send_hold.c."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="aviary-hold-")
        self.file.write(bytes(4 * 5))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), 4 * 5)
        library = BIN.parent / "tests" / "libaviary_send_hold.so"
        assert library.exists(), f"{library} is missing: build the whole tree"
        self.env = {"LD_PRELOAD": str(library), "AVIARY_TEST_HOLD": self.file.name,
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0:verify_asan_link_order=0"}

    def get(self, at):
        return struct.unpack_from("=I", self.map, 4 * at)[0]

    def set(self, at, value):
        struct.pack_into("=I", self.map, 4 * at, value)


class Kills(unittest.TestCase):
    """kill -9 of messaging where a send could be lost or doubled."""

    @classmethod
    def setUpClass(cls):
        cls.held = Held()
        cls.live = Carriers(settings=QUICK | {"unknown_after": "3s"}, env=cls.held.env)

    @classmethod
    def tearDownClass(cls):
        cls.live.close()

    def tearDown(self):
        self.held.set(HOLD, 0)
        self.held.set(HOLD_REQUESTS, 0)

    def person(self, channel):
        to = self.live.person()
        if channel == "whatsapp":
            self.live.writes(to)
        return to

    def kill(self):
        """messaging dies, and is let go on as soon as it is back."""
        old = self.live.house.kill("messaging")
        self.held.set(HOLD, 0)
        self.held.set(HOLD_REQUESTS, 0)
        self.live.house.wait_back("messaging", old)

    def test_between_the_carriers_acceptance_and_our_record(self):
        """The carrier has taken it, messaging dies before it knows: the receipts, told again until messaging is back, settle it. Nothing is sent twice."""
        people = {channel: self.person(channel) for channel in CHANNELS}
        silent = {channel: self.person(channel) for channel in CHANNELS}
        for channel, to in people.items():
            self.live.rule({"delay_ms": 20000}, provider=CHANNELS[channel], to=to)
        for channel, to in silent.items():
            self.live.rule({"delay_ms": 20000, "no_callbacks": True}, provider=CHANNELS[channel], to=to)
        self.live.control("PUT", "/settings", {"callback_delay_ms": 300})
        sent = {to: self.live.send(channel, to) for group in (people, silent) for channel, to in group.items()}
        wait_for(lambda: all(self.live.sends(to) for to in sent), 10, what="the carriers' requests")
        self.kill()
        self.live.control("PUT", "/settings", {"callback_delay_ms": 20})
        for channel, to in people.items():
            self.assertNotIn("failed", self.live.wait(sent[to], to, final(channel), timeout=40), channel)
        for channel, to in silent.items():
            story = self.live.wait(sent[to], to, "failed", timeout=40)
            self.assertEqual(story.error()["code"], f"{CHANNELS[channel]}_api_unavailable")
        for to in sent:
            self.assertEqual(len(self.live.sends(to)), 1, "sent twice")

    def test_between_the_claim_and_curl(self):
        """Claimed, committed and noted as started, but not a byte has left: nobody can tell it from one that has left, so it is unknown and never repeated."""
        for channel in CHANNELS:
            with self.subTest(channel):
                to = self.person(channel)
                self.live.quiet()
                before = self.held.get(REQUESTS_HELD)
                self.live.wait_idle()
                self.held.set(HOLD_REQUESTS, 1)
                message = self.live.send(channel, to)
                wait_for(lambda: self.held.get(REQUESTS_HELD) > before, 10, what="a request that is held")
                self.assertEqual(self.live.sends(to), [])
                self.kill()
                story = self.live.wait(message, to, "failed", timeout=20)
                self.assertEqual(set(story.told), {"failed"})
                self.assertEqual(story.error()["code"], f"{CHANNELS[channel]}_api_unavailable")
                self.assertEqual(self.live.sends(to), [])

    def test_after_each_commit_of_a_send(self):
        """Stopped after the first, second, ... commit since the request came, which is before, at and after the claim: it goes out once, or, noted as started, is unknown."""
        stopped = 0
        for passed in range(6):
            with self.subTest(f"after commit {passed + 1}"):
                to = self.person("sms")
                self.live.quiet()
                self.live.wait_idle()
                before = self.held.get(HELD)
                self.held.set(PASS, passed)
                self.held.set(HOLD, 1)
                answers = []
                client = threading.Thread(target=lambda: answers.append(self.send_until_told(to, f"commit-{passed}")))
                client.start()
                held = wait_for(lambda: self.held.get(HELD) > before or self.is_over(answers, to) and "over", 10, what="a commit that is held")
                if held == "over":
                    break
                stopped += 1
                self.kill()
                client.join(90)
                [message] = answers
                story = self.live.wait(message, to, "delivered", timeout=20)
                self.assertNotIn("failed", story)
                self.assertEqual(len(self.live.sends(to)), 1)
        self.assertGreaterEqual(stopped, 2)

    def is_over(self, answers, to):
        return bool(answers) and "delivered" in self.live.story(answers[0], to)

    def send_until_told(self, to, key):
        """The message's id."""
        answer = until_told(lambda: self.live.sms(to, headers={"Idempotency-Key": key}))
        assert answer.status == 201, answer
        return answer.json["id"]
