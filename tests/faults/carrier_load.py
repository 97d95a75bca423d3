"""The load of real carriers under faults.py: a live app that sends SMS and WhatsApp through a simulated Telnyx and Meta and is told everything by their signed callbacks, and people who write to its numbers.

The simulator is the outside world: no fault touches its memory, it repeats callbacks that are not answered with 2xx, and what it was asked is the truth that Aviary is held against. Some people's
sends always fail in a way of their own (FATES); `stall` stops the carrier as a whole. `CarrierLoad.check` counts at both sides.
"""
import json
import signal
import subprocess
import threading
import time
import urllib.parse

from harness import BIN, LONG, REPORTS, Receiver, control, until_told, wait_for

WORDS = ["received", "sent", "delivered", "failed"]
EVENTS = [f"messages.{channel}.{word}" for channel in ("sms", "whatsapp") for word in WORDS] + ["messages.whatsapp.read"]
SMS, WHATSAPP, PHONE_ID, WABA = "+14155550199", "+14155550100", "106540352242922", "102290129340398"
FINAL = {"sms": "delivered", "whatsapp": "read"}
TIMEOUT_MS = 2000  # send_timeout of messaging
NEVER_MS = 300000
SETTINGS = {"AVIARY_MESSAGING_SEND_TIMEOUT": f"{TIMEOUT_MS}ms", "AVIARY_MESSAGING_SEND_SCHEDULE": "200ms,400ms,800ms,1s,2s,4s,4s,8s", "AVIARY_MESSAGING_BREAKER_OPEN": "500ms",
            "AVIARY_MESSAGING_TELNYX_PER_SECOND": "200", "AVIARY_MESSAGING_META_PER_SECOND": "200", "AVIARY_MESSAGING_TELNYX_WIDTH": "32"}
# A recipient's sixth digit: what always happens to sends to them. `told`: callbacks say what became of what was taken.
FATES = [
    {"name": "plain", "told": True},
    {"name": "answer lost", "action": {"drop_answer": True}, "told": True},
    {"name": "late", "action": {"delay_ms": 500}, "told": True},
    {"name": "answered after our time", "action": {"delay_ms": TIMEOUT_MS + 1000}, "told": True},
    {"name": "taken, and silent for ever", "action": {"delay_ms": NEVER_MS, "no_callbacks": True}, "told": False},
    {"name": "neither taken nor answered", "action": {"status": 503, "delay_ms": NEVER_MS}, "told": False},
    {"name": "refused a few times", "action": {"status": 503}, "times": 6, "told": True},
    {"name": "told twice and in disorder", "action": {"duplicate_callbacks": True, "reorder_callbacks": True}, "told": True},
]
PEOPLE = 4  # of each fate; of the first three times as many
PEOPLES = {True: 3 * PEOPLE, False: PEOPLE}


def person(fate, n):
    return f"+14156{fate}{n:05d}"


def fate_of(to):
    return FATES[int(to.lstrip("+")[5])]


class Sender(threading.Thread):
    """Sends through a carrier, each message under an idempotency key of its own that is also its text, and repeats it until it is told what became of it. Two of three go to people with whom all is well."""

    def __init__(self, load, channel):
        super().__init__(daemon=True)
        self.load, self.channel, self.random = load, channel, load.random.__class__(f"{channel} {load.seed}")
        self.accepted, self.tried, self.ids, self.odd, self.stop = {}, {}, [], [], False

    def run(self):
        count = 0
        while not self.stop and not self.odd:
            count += 1
            fate = 0 if count % 3 else 1 + count // 3 % (len(FATES) - 1)
            self.send(f"{self.channel}-{count}", person(fate, self.random.randrange(PEOPLES[fate == 0])))
            time.sleep(self.random.uniform(0.02, 0.08))

    def send(self, key, to):
        self.tried[key] = to
        answer = until_told(lambda: self.load.post(self.channel, to, key), 90)
        if answer is not None and answer.status == 201:
            self.accepted[key] = answer.json["id"]
            self.ids.append(answer.json["id"])
        else:
            self.odd.append((key, answer))


class Writer(threading.Thread):
    """A person who writes by a carrier, each text once: the carrier calls us until we have it."""

    def __init__(self, load, provider):
        super().__init__(daemon=True)
        self.load, self.provider = load, provider
        self.written, self.odd, self.stop = set(), [], False

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            try:
                self.write(f"+1415770{count % 7:04d}", f"{self.provider} wrote {count}")
            except Exception as error:
                self.odd.append(repr(error))
                return
            time.sleep(0.2)

    def write(self, who, text):
        """True if we took it at once; if not, the carrier comes again by itself."""
        meta = self.provider == "meta"
        body = {"provider": self.provider, "from": who, "to": WHATSAPP if meta else SMS, "type": "text" if meta else "SMS", "text": {"body": text} if meta else text}
        self.written.add(text)
        return self.load.control("POST", "/inbound", body, allow=(502,)) is not None


class CarrierLoad:
    def __init__(self, faults):
        self.faults, self.seed, self.house = faults, faults.seed, faults.house
        self.random = faults.random.__class__(f"carrier {faults.seed}")
        self.key = self.house.live_key
        self.flaky = self.random.__class__(faults.seed)
        self.receiver = Receiver(lambda _: 500 if self.flaky.random() < 0.1 else 200)
        self.log = faults.folder / "sim.log"
        self.process = self.start()
        try:
            self.wire()
            self.in_time = None  # texts that the carriers were asked for before a day went by
            self.senders = [Sender(self, channel) for channel in FINAL]
            self.writers = [Writer(self, provider) for provider in ("telnyx", "meta")]
            self.threads = [*self.senders, *self.writers]
            self.probes = 0
            self.open_windows()
        except BaseException:
            self.close()
            raise

    # ---- the simulator ----
    def start(self):
        command = [BIN / "aviary-sim", "--bare", "--listen", "127.0.0.1:0", "--clock", self.house.data / "run" / "clock"]
        with open(self.log, "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        line = wait_for(lambda: (text := self.log.read_text()) and text.endswith("\n") and text, 20, what="the simulator")
        self.base = line.strip().rsplit(" ", 1)[1]
        return process

    def close(self):
        """Ends the simulator; what went wrong in it, or None."""
        self.receiver.close()
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        text = self.log.read_text(errors="replace")
        return None if code == 0 and not REPORTS.search(text) else f"the simulator ended with {code}: {text[-3000:]}"

    def control(self, method, path, body=None, allow=()):
        """Its control API; None for a status in `allow`."""
        return control(f"{self.base}/_sim", method, path, body, allow, 90)

    def add(self, carrier, number, channel, *flags, ref=()):
        """An account there and a number of the live app; the callback URL."""
        port = self.base + ("/v23.0" if carrier == "meta" else "/v2")
        account = json.loads(self.house.cli("carrier", "add", carrier, "--name", f"{carrier} under faults", "--base-url", port, *flags, "--json"))
        self.house.cli("number", "add", "--app", "live", "--number", number, "--channel", channel, "--carrier-account", account["id"], *ref)
        return account["callback_url"]

    def wire(self):
        keys = self.control("GET", "/keys")
        meta = self.add("meta", WHATSAPP, "whatsapp", "--token", "EAAfaults", "--app-secret", keys["meta"]["app_secret"], "--verify-token", keys["meta"]["verify_token"],
                        "--waba", WABA, ref=("--ref", PHONE_ID))
        telnyx = self.add("telnyx", SMS, "sms", "--key", "KEYfaults", "--public-key", keys["telnyx"]["public_key"])
        self.control("PUT", "/numbers", [{"provider": "meta", "phone_number_id": PHONE_ID, "waba_id": WABA, "display_phone_number": WHATSAPP},
                                         {"provider": "telnyx", "phone_number": SMS}])
        self.control("PUT", "/settings", {"callback_delay_ms": 20, "callback_retry_ms": 200, "callback_timeout_ms": 3000, "callback_attempts": 12})
        wait_for(lambda: self.control("PUT", "/settings", {"meta_callback": meta, "telnyx_callback": telnyx}, allow=(400, 502)) is not None, 20, 0.2, "Meta's handshake")
        for digit, fate in enumerate(FATES):
            if "action" in fate:
                times = {"times": fate["times"]} if "times" in fate else {}
                self.control("POST", "/rules", {"path": "/messages", "to": person(digit, 0)[:7] + "*", "action": fate["action"]} | times)
        made = self.house.http("POST", "/v1/webhooks", {"url": self.receiver.url(), "events": EVENTS}, key=self.key)
        assert made.status == 201, made

    def open_windows(self):
        """Everybody writes once by WhatsApp, so that they may be written to."""
        for digit, _ in enumerate(FATES):
            for n in range(PEOPLES[digit == 0]):
                self.writers[1].write(person(digit, n), f"window {digit} {n}")
        wait_for(lambda: self.writers[1].written <= self.heard().keys(), 30, what="the windows")

    def post(self, channel, to, text):
        headers = {"Idempotency-Key": text}
        if channel == "sms":
            return self.faults.try_http("POST", "/v1/sms", {"from": SMS, "to": [to], "text": text}, headers, key=self.key)
        return self.faults.try_http("POST", "/v1/whatsapp/messages", {"from": WHATSAPP, "to": to, "type": "text", "text": {"body": text}}, headers, key=self.key)

    # ---- the fault ----
    def probe(self, channel):
        """One message to somebody with whom all is well; its id."""
        self.probes += 1
        key, sender = f"{channel}-probe-{self.probes}", self.senders[channel != "sms"]
        to = person(0, self.random.randrange(PEOPLES[True]))
        sender.tried[key] = to
        answer = wait_for(lambda: (a := self.post(channel, to, key)) is not None and a.status == 201 and a, 15, what=f"a send by {channel} while the carrier stalls")
        sender.accepted[key] = answer.json["id"]
        return answer.json["id"]

    def wait_final(self, channel, message):
        wait_for(lambda: FINAL[channel] in self.told().get(message, {}), 60, 0.2, f"{FINAL[channel]} of {message} once the carrier is back")

    def stall(self, neighbour):
        """The carrier's machine stands still: it takes connections and requests and says nothing, and does all of it later, though we gave up. Then it is slow: within our time, or beyond it. Sends are
        accepted all the while, and `neighbour`, a send by another carrier, is delivered."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            until = time.monotonic() + self.random.uniform(2, 12 if LONG else 5)
            probes = [(channel, self.probe(channel)) for channel in FINAL]
            neighbour()
            time.sleep(max(0, until - time.monotonic()))
        finally:
            self.process.send_signal(signal.SIGCONT)
        for delay in (TIMEOUT_MS // 3, TIMEOUT_MS * 3 // 2):
            rule = self.control("POST", "/rules", {"path": "/messages", "to": person(0, 0)[:7] + "*", "action": {"delay_ms": delay}})
            probes += [(channel, self.probe(channel)) for channel in FINAL]
            time.sleep(self.random.uniform(0.5, 2))
            self.control("DELETE", f"/rules/{rule['id']}")
        probes += [(channel, self.probe(channel)) for channel in FINAL]
        for channel, message in probes:
            self.wait_final(channel, message)

    # ---- what became of it ----
    def told(self):
        """{message: {word: webhook ids}}"""
        out = {}
        for request in self.receiver.got():
            word = request.json["event"].rsplit(".", 1)[1]
            if word != "received":
                out.setdefault(request.json["data"]["message"]["id"], {}).setdefault(word, set()).add(request.headers["webhook-id"])
        return out

    def heard(self):
        """{text: (message, webhook id) of each time it came in}"""
        out = {}
        for request in self.receiver.got(lambda r: r.json["event"].endswith(".received")):
            message = request.json["data"]["message"]
            text = message["text"]["body"] if isinstance(message["text"], dict) else message["text"]
            out.setdefault(text, set()).add((message["id"], request.headers["webhook-id"]))
        return out

    def asked(self):
        """{text: the statuses of the requests that brought it to a carrier, None where there was no answer}, in order."""
        out = {}
        for request in self.control("GET", "/requests?" + urllib.parse.urlencode({"path": "/messages"})):
            text = request["body"].get("text")
            out.setdefault(text["body"] if isinstance(text, dict) else text, []).append(request["answered_status"])
        return out

    def messages(self):
        """(channel, text, person, message) of all that was accepted."""
        return [(s.channel, key, s.tried[key], message) for s in self.senders for key, message in s.accepted.items()]

    @staticmethod
    def is_told(to, statuses):
        """Has the carrier taken one of these requests, and does it say what became of it?"""
        return fate_of(to)["told"] and any(status in (200, None) for status in statuses)

    def is_late(self, channel, text):
        """Asked for when a day had gone by: its person's window may be closed by then."""
        return channel == "whatsapp" and self.in_time is not None and text not in self.in_time

    def ends_of(self, row):
        return {FINAL[row[0]], "failed"} if self.is_late(row[0], row[1]) else {FINAL[row[0]]}

    def check(self, test):
        for sender in self.senders:
            test.assertGreater(len(sender.accepted), 20)
            key = next(iter(sender.accepted))
            again = until_told(lambda s=sender, k=key: self.post(s.channel, s.tried[k], k), 30)
            test.assertEqual((again.status, again.json["id"]), (201, sender.accepted[key]), "an old idempotency key")
            test.assertEqual(sender.ids, sorted(sender.ids), "ids are not in order")
        self.wait_ended(test)
        self.check_asked(test)
        self.check_told(test)
        told, heard = self.told(), self.heard()
        written = set().union(*(w.written for w in self.writers))
        test.assertEqual(set(heard), written, "texts that people wrote")
        for text, ids in heard.items():
            test.assertEqual(len(ids), 1, f"{text} came in several times")
        test.assertEqual(set(told), {message for _, _, _, message in self.messages()}, "messages that are told of")
        print(f"seed {self.seed}: carriers: {len(told)} accepted, {sum(len(s) for s in self.asked().values())} requests, {len(written)} came in, "
              f"{sum('failed' in story for story in told.values())} ended unknown, {len(self.receiver.got())} requests of webhooks", flush=True)

    def wait_ended(self, test):
        """First all that the carriers told of; then the day is over, and what nobody ever heard of fails."""

        def unheard():
            asked, told, heard = self.asked(), self.told(), self.heard()
            lost = [row for row in self.messages() if self.is_told(row[2], asked.get(row[1], [])) and not self.ends_of(row) & told.get(row[3], {}).keys()]
            return lost + [text for writer in self.writers for text in writer.written if text not in heard]

        def endless():
            told = self.told()
            return [row for row in self.messages() if not {FINAL[row[0]], "failed"} & told.get(row[3], {}).keys()]

        for day in range(6):  # the breaker lets what is only answered by silence pass slowly: some become unknown when the first day is over already,
            self.until_none(test, unheard, 120, "what the carriers told of")  # others are taken then, and what is told of them is on its way
            self.check_asked(test)
            if self.in_time is None:
                self.in_time = set(self.asked())
            self.faults.step_clock(30)
            try:
                wait_for(lambda: not endless(), 20, 0.5)
                break
            except TimeoutError:
                if day == 5:
                    self.until_none(test, endless, 20, "ends after a day")
        time.sleep(1)

    def until_none(self, test, left, patience, what):
        try:
            wait_for(lambda: not left(), patience, 0.5, what)
        except TimeoutError:
            rows = left()
            story = self.house.cli("explain", rows[0][3]) if rows and isinstance(rows[0], tuple) else ""
            test.assertEqual(len(rows), 0, f"seed {self.seed}: {what}: {rows[:8]}\n{story}")

    def check_asked(self, test):
        """What the carriers were asked is what was accepted, and no request came after one that they took or did not answer."""
        asked, messages = self.asked(), self.messages()
        test.assertLessEqual(set(asked), {text for _, text, _, _ in messages}, "the carriers were asked for what nobody was told to be sent")
        for _, text, to, message in messages:
            statuses = asked.get(text, [])
            test.assertEqual([status for status in statuses[:-1] if status != 503], [], f"{message} ({text} to {to}: {fate_of(to)['name']}) was sent blindly again: {statuses}")

    def check_told(self, test):
        """Who has it is told so, who has not is told that it failed, each once."""
        asked, told = self.asked(), self.told()
        for channel, text, to, message in self.messages():
            statuses, story = asked.get(text, []), told.get(message, {})
            where = f"{message} ({text} to {to}: {fate_of(to)['name']}): the carrier was asked {statuses}, we told {story}"
            good = self.is_told(to, statuses)
            if good and self.is_late(channel, text):
                good = FINAL[channel] in story
            test.assertEqual(FINAL[channel] in story, good, where)
            test.assertEqual("failed" in story, not good, where)
            test.assertLessEqual(set(story), {"sent", "delivered", "read", "failed"}, where)
            for ids in story.values():
                test.assertEqual(len(ids), 1, f"several ids: {where}")
