"""What `aviary tap` shows with a filter, which the broker sieves, is what one looking for himself would take out of all that passes."""
import time
import uuid

from harness import http, wait_for
from test_commands import Watching

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SMS, WHATSAPP = "+14155550101", "+6281112345678"
CHATTER = {"journal_read", "snapshot_read", "ping", "metrics", "health"}
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def bare(ident):
    """The 16 bytes of an id in any spelling; the text itself if it is none."""
    tail = ident.rsplit("_", 1)[-1]
    try:
        if len(tail) == 27:
            value = 0
            for letter in tail:
                value = value * 62 + BASE62.index(letter)
            return value.to_bytes(20, "big")[4:]
        if len(tail) == 26:
            value = 0
            for letter in tail:
                value = value * 32 + CROCKFORD.index(letter)
            return value.to_bytes(16, "big")
        return uuid.UUID(tail).bytes
    except (ValueError, OverflowError):
        return ident


def wanted(rows, service=None, op=None, tenant=None, trace=None, subject=None, everything=False):
    """Of all that passed, what these flags show: an answer only with its ask where the ask alone tells."""
    shown, asked = [], set()
    for row in rows:
        name = row["op"]
        if (service or op or name).split(".")[0] != name.split(".")[0]:
            continue
        if name != op if op else name.split(".")[1] in CHATTER and not everything:
            continue
        if tenant or trace or subject:
            if row["kind"] != "ask":
                if row["id"] in asked:
                    shown.append(row)
                continue
            if tenant and row.get("tenant") != tenant or trace and trace not in row.get("trace", ""):
                continue
            if subject and ("subject" not in row or bare(row["subject"]) != bare(subject)):
                continue
            asked.add(row["id"])
        shown.append(row)
    return shown


def flags_of(points):
    return [word for name, value in points.items() for word in ([f"--{name}", value] if name != "everything" else ["--all"])]


class Driver:
    """Asks of both dialects, about ids in both spellings, that succeed and that fail."""

    def __init__(self, house):
        self.house = house
        found = house.credentials
        self.app, self.organization, self.kirim, self.phone = found["app"]["id"], found["organization_id"], found["kirim"]["key"], found["kirim"]["phone_number_id"]
        number = house.http("POST", "/v1/playground/phone-numbers/system", key=house.test_key)
        assert number.status in (200, 201), number
        self.number = number.json["number"]
        sent = self.kirim_http("POST", f"/v1/{self.phone}/messages", {"messaging_product": "whatsapp", "to": WHATSAPP, "type": "text", "text": {"body": "Halo"}})
        assert sent.status == 200, sent
        made = self.kirim_http("POST", "/v1/labels", {"name": "Tapped", "color": "green"})
        assert made.status == 200, made
        self.label = made.json["data"]["id"]

    def kirim_http(self, method, path, body=None):
        return http(method, self.house.port, path, body, self.kirim)

    def round(self):
        traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        statuses = [
            self.house.http("POST", "/v1/sms", {"from": self.number, "to": [SMS], "text": "seen"}, self.house.test_key, traced).status,
            self.house.http("POST", "/v1/sms", {"from": "+14155559999", "to": [SMS], "text": "refused"}, self.house.test_key).status,
            self.house.http("GET", f"/v1/organization/apps/{self.app}/webhooks", key=self.house.admin_key).status,
            self.house.http("GET", "/v1/phone-numbers", key=self.house.live_key, headers=traced).status,
            self.kirim_http("PATCH", f"/v1/labels/{self.label}", {"name": "Tapped again"}).status,
            self.kirim_http("GET", f"/v1/{self.phone}/messages").status,
        ]
        assert [status // 100 for status in statuses] == [2, 4, 2, 2, 2, 2], statuses


def test_a_sieved_tap_shows_what_is_wanted_of_all(house):
    driver = Driver(house)
    app = str(uuid.UUID(bytes=bare(driver.app)))
    asked = [
        {"subject": driver.app},
        {"subject": app},
        {"subject": driver.label},
        {"subject": str(uuid.UUID(bytes=bare(driver.label)))},
        {"subject": driver.phone},
        {"subject": driver.app, "tenant": driver.organization},
        {"tenant": driver.organization},
        {"tenant": driver.organization, "op": "messaging.sms_send"},
        {"trace": TRACE[5:20]},
        {"trace": TRACE, "service": "messaging"},
        {"op": "messaging.sms_send"},
        {"service": "messaging"},
        {"service": "accounts", "everything": True},
        {"op": "accounts.journal_read"},
        {},
    ]
    never = {"subject": "+15550000000"}
    taps = [(points, Watching(house, "tap", "--json", "--reveal", *flags_of(points))) for points in [{"everything": True}, never, *asked]]
    every = taps[0][1]

    def all_show():
        driver.round()
        return all(tap.rows() for points, tap in taps if points != never)

    wait_for(all_show, 20, what="every tap but that of nothing")
    first = every.rows()[-1]["at"]
    time.sleep(0.05)
    for _ in range(5):
        driver.round()
    wait_for(lambda: every.rows()[-1]["at"] > first, what="the end of the rounds")
    time.sleep(0.5)  # what was asked is answered, and has come here
    last = every.rows()[-1]["at"]
    driver.round()
    wait_for(lambda: all(tap.rows()[-1]["at"] > last for points, tap in taps[1:] if points != never and "journal_read" not in points.get("op", "")), what="what comes after")
    for _, tap in taps:
        tap.end()

    def within(rows):
        return [row for row in rows if first < row["at"] <= last]

    passed = within(every.rows())
    ids = {row["id"] for row in passed if row["kind"] == "ask"}
    assert {row["kind"] for row in passed} == {"ask", "answer", "failure"}, {row["kind"] for row in passed}
    for points, tap in taps[1:]:
        shown, expected = within(tap.rows()), wanted(passed, **points)
        if set(points) & {"tenant", "trace", "subject"}:
            shown = [row for row in shown if row["id"] in ids]  # asked before all taps were there
        assert shown == expected, (points, [row for row in shown if row not in expected], [row for row in expected if row not in shown])
        assert bool(expected) == (points != never), points
