"""A house with simulated carriers, for tests: `with Carriers(...) as live`, the simulator's control API, sends, and what the app's webhooks told of them."""
import json
import threading
import time
import urllib.parse

from harness import House, Receiver, wait_for

EVENTS = [f"messages.{channel}.{word}" for channel in ("sms", "whatsapp") for word in ("received", "sent", "delivered", "failed")] + ["messages.whatsapp.read"]
WABA = "102290129340398"


class Story:
    """What webhooks told of one recipient: {event: [payload, ...]} in order of arrival, repeats of a delivery left out."""

    def __init__(self):
        self.told, self.at, self.ids = {}, {}, set()

    def add(self, request):
        if request.headers["webhook-id"] in self.ids:
            return
        self.ids.add(request.headers["webhook-id"])
        word = request.json["event"].rsplit(".", 1)[1]
        self.at.setdefault(word, request.at)
        self.told.setdefault(word, []).append(request.json["data"])

    def __contains__(self, word):
        return word in self.told

    def error(self):
        return self.told["failed"][-1]["error"]


class Carriers:
    """`aviary up --simulate` with a webhook of the live app. `settings` are messaging's, by name."""

    def __init__(self, *flags, settings=None, env=None, sim=None):
        env = {f"AVIARY_MESSAGING_{name.upper()}": str(value) for name, value in (settings or {}).items()} | (env or {})
        self.house = House("--simulate", "--rate-limits", "off", *flags, env=env)
        self.receiver = Receiver()
        self.app = self.house.credentials["app"]
        self.stories, self.read, self.lock = {}, 0, threading.Lock()
        self.people = 0
        try:
            made = self.house.http("POST", "/v1/webhooks", {"url": self.receiver.url(), "events": EVENTS}, key=self.house.live_key)
            assert made.status == 201, made
            self.control("PUT", "/settings", {"callback_delay_ms": 20, "callback_retry_ms": 200, "callback_attempts": 20} | (sim or {}))
        except BaseException:
            self.close()
            raise

    def close(self, kind=None):
        self.receiver.close()
        self.house.__exit__(kind, None, None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(kind)

    # ---- the simulator ----
    def control(self, method, path, body=None):
        return self.house.control(method, path, body)

    def rule(self, action, **where):
        return self.control("POST", "/rules", where | {"action": action})

    def requests(self, **query):
        return self.control("GET", "/requests?" + urllib.parse.urlencode(query))

    def sends(self, to):
        """What the carriers were asked to send to one person."""
        return [r for r in self.requests(to=to.lstrip("+")) if r["path"].endswith("/messages")]

    def quiet(self, timeout=30):
        """Until the simulator has nothing more to say."""
        wait_for(lambda: not self.control("GET", "")["callbacks_pending"], timeout, what="the last callback")

    def template(self, name, text="Hello"):
        """An approved template without variables, once messaging knows it."""
        self.control("PUT", "/templates", {"name": name, "language": "en_US", "waba_id": WABA, "category": "UTILITY", "status": "APPROVED",
                                           "components": [{"type": "BODY", "text": text}]})
        content = {"type": "template", "template": {"name": name, "language": "en_US"}}
        to = self.person()
        message = wait_for(lambda: (a := self.whatsapp(to, **content)).status == 201 and a.json["id"], 15, what=f"the template {name}")
        self.wait(message, to, "read")
        self.quiet()
        for kept in ("/requests", "/callbacks"):
            self.control("DELETE", kept)

    # ---- the app ----
    def person(self):
        self.people += 1
        return f"+1415777{self.people:04d}"

    def writes(self, person, text="hi"):
        """The person writes by WhatsApp, so that the window is open."""
        self.control("POST", "/inbound", {"provider": "meta", "from": person, "to": self.app["whatsapp_number"], "type": "text", "text": {"body": text}})

    def sms(self, to, text="Hello", headers=None, sender=None):
        body = {"from": sender or self.app["sms_number"], "to": to if isinstance(to, list) else [to], "text": text}
        return self.house.http("POST", "/v1/sms", body, key=self.house.live_key, headers=headers)

    def whatsapp(self, to, text="Hello", headers=None, sender=None, **content):
        body = {"from": sender or self.app["whatsapp_number"], "to": to} | (content or {"type": "text", "text": {"body": text}})
        return self.house.http("POST", "/v1/whatsapp/messages", body, key=self.house.live_key, headers=headers)

    def send(self, channel, to, text="Hello", **more):
        """Its message id."""
        answer = (self.sms if channel == "sms" else self.whatsapp)(to, text, **more)
        assert answer.status == 201, answer
        return answer.json["id"]

    def story(self, message, to):
        """What was told of a message's recipient until now."""
        with self.lock:
            all_of = self.receiver.got()
            for request in all_of[self.read:]:
                told = request.json["data"]["message"]
                self.stories.setdefault((told["id"], told["to"]), Story()).add(request)
            self.read = len(all_of)
            return self.stories.setdefault((message, to), Story())

    def wait(self, message, to, *words, timeout=20, every=0.05):
        """Its story, once all of these were told."""

        def told():
            story = self.story(message, to)
            return all(word in story for word in words) and story

        try:
            return wait_for(told, timeout, every)
        except TimeoutError:
            raise AssertionError(f"not told in {timeout} s: {words} of {message} to {to}; told was {list(self.story(message, to).told)}") from None

    def wait_idle(self):
        """Until messaging's writer commits nothing any more."""

        def idle():
            before = self.house.metric("aviary_messaging_commits_total")
            time.sleep(0.15)
            return self.house.metric("aviary_messaging_commits_total") == before

        wait_for(idle, 10, what="messaging at rest")

    # ---- more numbers ----
    def number(self, channel, digits):
        """A further number of the live app, at the simulator too."""
        number = f"+{digits}"
        account = next(row for row in json.loads(self.house.cli("carrier", "list", "--json")) if row["carrier"] == ("telnyx" if channel == "sms" else "meta"))
        if channel == "sms":
            self.control("PUT", "/numbers", {"provider": "telnyx", "phone_number": number})
            ref = []
        else:
            self.control("PUT", "/numbers", {"provider": "meta", "phone_number_id": digits, "waba_id": WABA, "display_phone_number": number})
            ref = ["--ref", digits]
        self.house.cli("number", "add", "--app", "live", "--number", number, "--channel", channel, "--carrier-account", account["id"], *ref)
        return number

