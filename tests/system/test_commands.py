"""The commands of `aviary` against a running house: first start, demo, send, trigger, listen, explain, tap, deliveries, key, webhook, number, backup."""
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from harness import BIN, House, Receiver, free_ports, http, wait_for

SMS, PERSON = "+14155550101", "+13125550178"


def run(house, *args, timeout=30):
    return subprocess.run([str(BIN / "aviary"), *args, "--data", str(house.data)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, env=house.env, check=False)


class Watching:
    """A command that stays (tap, listen): its lines as they come."""

    def __init__(self, house, *args):
        self.file = tempfile.NamedTemporaryFile("r", prefix="aviary-")  # pylint: disable=consider-using-with
        with open(self.file.name, "ab") as out:
            self.process = subprocess.Popen([str(BIN / "aviary"), *args, "--data", str(house.data)], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.PIPE, text=True, env=house.env)

    def lines(self):
        """Those that have their end."""
        return Path(self.file.name).read_text().split("\n")[:-1]

    def rows(self):
        return [json.loads(line) for line in self.lines()]

    def end(self, expect=0):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        told = self.process.communicate(timeout=10)[1]
        assert self.process.returncode == expect, (self.process.returncode, told)
        return told


def number(house, text=SMS, channel="sms"):
    done = run(house, "number", "add", "--number", text, "--channel", channel)
    assert done.returncode == 0 or "assigned to this app already" in done.stderr, done
    return text


def send(house, *args):
    done = run(house, "send", "--from", number(house), "--to", PERSON, "--text", "the text of a message", *args)
    assert done.returncode == 0, done
    return done.stdout.split()[0]


def explained(house, ident, *args):
    return json.loads(run(house, "explain", ident, "--json", *args).stdout)


def wait_story(house, ident, what):
    """The story, once this is in it and every service has told its part."""
    return wait_for(lambda: (s := explained(house, ident)) and what in [line["what"] for line in s["lines"]] and not s["silent"] and s, 15, what=f"'{what}' in the story")


# ---- first start ----


def test_the_first_start_writes_credentials(house):
    found = house.credentials
    assert list(found) == ["base_url", "organization_id", "admin_key", "app", "kirim"], found
    assert list(found["app"]) == ["id", "live_key", "test_app_id", "test_key"], found
    assert stat.S_IMODE((house.data / "credentials.json").stat().st_mode) == 0o600
    assert found["base_url"] == f"http://127.0.0.1:{house.port}"
    for pattern, value in (("org_[0-9A-Za-z]{27}", found["organization_id"]), ("app_[0-9A-Za-z]{27}", found["app"]["id"]),
                           ("app_test_[0-9A-Za-z]{27}", found["app"]["test_app_id"]), ("sk_admin_.+", found["admin_key"]),
                           ("kdv_live_[0-9A-Za-z_-]{24}", found["kirim"]["key"]), ("[0-9]{15}", found["kirim"]["phone_number_id"]),
                           ("sk_live_app_.+", found["app"]["live_key"]), ("sk_test_app_.+", found["app"]["test_key"])):
        assert re.fullmatch(pattern, value), (pattern, value)
    assert house.http("GET", "/v1/phone-numbers", key=house.test_key).status == 200


def test_without_its_file_a_house_starts_and_says_what_to_do():
    with House() as house:
        house.stop()
        (house.data / "credentials.json").unlink()
        house.start()
        assert "aviary key create" in house.log()
        admin = json.loads(run(house, "key", "create", "--json").stdout)
        assert admin["kind"] == "admin" and admin["key"].startswith("sk_admin_"), admin
        app = next(key["app_id"] for key in json.loads(run(house, "key", "list", "--json").stdout) if key["test"])
        key = run(house, "key", "create", "--app", app).stdout.strip()
        assert house.http("GET", "/v1/phone-numbers", key=key).status == 200


def test_the_demo_is_told_once_and_its_commands_work():
    folder = Path(tempfile.mkdtemp(prefix="aviary-"))
    port, log = free_ports(), folder / "log"

    def start():
        with open(log, "ab") as out:
            return subprocess.Popen([BIN / "aviary", "up", "--data", folder / "var", "--listen", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, start_new_session=True)

    process = start()
    try:
        wait_for(lambda: "what passes inside" in log.read_text() or process.poll() is not None, 60, what="the demo")
        text = log.read_text()
        assert "6 of 6 webhooks came, every signature checked." in text, text[-4000:]
        assert text.count("signature ok") >= 6 and "NOT TRUSTED" not in text
        key = json.loads((folder / "var" / "credentials.json").read_text())["app"]["test_key"]
        assert http("GET", port, "/v1/webhooks", key=key).json["totalCount"] == 0, "the demo's webhook is gone"
        commands = text[text.index("By hand:") + 8:text.index("Where to go:")].replace("\\\n", "").replace("And by Kirim, with the organization's key:", "")
        told = subprocess.run(["bash", "-ec", commands], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        assert told.returncode == 0 and told.stdout.count('"id":"') == 4 and '"error"' not in told.stdout, told
        assert process.poll() is None
        process.terminate()
        assert process.wait(15) == 0
        process = start()
        wait_for(lambda: log.read_text().count("ready at http://") == 2, 30, what="the second start")
        time.sleep(0.5)
        assert log.read_text().count("A first run") == 1
    finally:
        process.terminate()
        assert process.wait(15) == 0
        shutil.rmtree(folder)


# ---- sending, stories ----


def test_send_repeats_and_failures(house):
    first = send(house, "--idempotency-key", "cli-1")
    assert send(house, "--idempotency-key", "cli-1") == first != send(house)
    assert json.loads(run(house, "send", "--from", SMS, "--to", PERSON, "--text", "x", "--json").stdout)["status"] == "QUEUED"
    number(house, "+14155550102", "whatsapp")
    told = run(house, "send", "--whatsapp", "--from", "+14155550102", "--to", PERSON, "--text", "x")
    assert told.stdout.startswith("msg_wa_test_"), told
    refused = run(house, "send", "--from", "+14155559999", "--to", PERSON, "--text", "x")
    assert refused.returncode == 65 and "400 phone_number_not_assigned" in refused.stderr, refused
    assert run(house, "send", "--from", SMS, "--to", PERSON).returncode == 64
    assert run(house, "send", "--from", SMS, "--to", PERSON, "--text", "x", "--key", "sk_test_app_wrong").returncode == 77


def test_explain_tells_the_story_in_any_spelling(house):
    ident = send(house)
    story = wait_story(house, ident, "delivered")
    whats = [line["what"] for line in story["lines"]]
    assert whats[0] == "accepted" and {"attempt", "receipt", "sent", "delivered"} <= set(whats), whats
    assert [line["at"] for line in story["lines"]] == sorted(line["at"] for line in story["lines"])
    assert story["silent"] == [] and story["lines"][0]["after_ms"] == 0
    ksuid = ident.split("_")[-1]
    crockford, value = "", int(story["id"].replace("-", ""), 16)
    for _ in range(26):
        crockford, value = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value & 31] + crockford, value >> 5
    for spelling in (ksuid, story["id"], crockford, f"msg_{crockford}"):
        assert explained(house, spelling)["id"] == story["id"], spelling
    text = run(house, "explain", ident).stdout
    assert "accepted" in text and " ms" in text and PERSON not in text, text
    assert PERSON in run(house, "explain", ident, "--reveal").stdout
    for wrong in (ksuid[:-1] + ("a" if ksuid[-1] != "a" else "b"), "msg_sms_" + "0" * 27, "nonsense"):
        unknown = run(house, "explain", wrong)
        assert unknown.returncode == 1 and not unknown.stdout and unknown.stderr.startswith("aviary: explain: "), unknown


def test_magic_numbers_do_what_errors_says(house):
    told = json.loads(run(house, "errors", "--json").stdout)
    codes = {row["error"]: row for row in told["errors"]}
    assert codes["phone_number_not_assigned"] | {"doc": ""} == {"error": "phone_number_not_assigned", "number": codes["phone_number_not_assigned"]["number"],
                                                                "class": "input", "type": "invalid_request_error", "status": 400,
                                                                "code": "phone_number_not_assigned", "doc": ""}
    undeliverable = next(row for row in told["numbers"] if row["provider_code"] == "40008")
    done = run(house, "send", "--from", number(house), "--to", undeliverable["number"], "--text", "x")
    assert done.returncode == 0, done
    wait_story(house, done.stdout.split()[0], "failed")
    tables = run(house, "errors", "--markdown").stdout
    assert tables.startswith("| Error |") and f"| `{undeliverable['number']}` | sms |" in tables


def test_stop_holds_until_it_is_cleared(house):
    person, ours = "+13125550199", number(house)
    told = run(house, "trigger", "sms", "--from", person, "--to", ours, "--text", " Stop ")
    assert told.returncode == 0, told
    listed = wait_for(lambda: json.loads(run(house, "optout", "list", "--number", ours, "--json").stdout)["optouts"])
    assert [(row["peer"], row["number"]) for row in listed] == [(person, ours)], listed
    held = run(house, "send", "--from", ours, "--to", person, "--text", "x")
    story = wait_story(house, held.stdout.split()[0], "failed")
    assert "telnyx 40300" in json.dumps(story) and "opted out" in [line["what"] for line in story["lines"]], story
    assert run(house, "optout", "clear", "someone").returncode == 65
    assert run(house, "optout", "clear", person).stdout == "1 cleared\n"
    assert "nobody" in run(house, "optout", "list").stderr
    wait_story(house, run(house, "send", "--from", ours, "--to", person, "--text", "x").stdout.split()[0], "delivered")


def test_messages_by_every_filter(house):
    ours, person, before = number(house), "+13125550166", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sent = [run(house, "send", "--from", ours, "--to", person, "--text", f"secret {n}").stdout.split()[0] for n in range(3)]
    failed = run(house, "send", "--from", ours, "--to", "+999140008", "--text", "x").stdout.split()[0]
    assert run(house, "trigger", "sms", "--from", person, "--to", ours, "--text", "hi").returncode == 0
    for ident in sent:
        wait_story(house, ident, "delivered")
    wait_story(house, failed, "failed")

    def told(*args):
        done = run(house, "messages", "--json", "--limit", "1000", *args)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def ids(*args):
        return [row["id"] for row in told("--from", before, *args)["messages"]]

    wait_for(lambda: ids("--status", "received", "--number", ours))
    assert set(ids("--status", "delivered", "--number", ours)) >= set(sent) and failed not in ids("--status", "delivered")
    assert [ident for ident in ids("--direction", "outbound", "--app", "test") if ident in sent] == sent[::-1]
    assert failed in ids("--status", "failed", "--channel", "sms") and failed not in ids("--channel", "whatsapp")
    assert ids("--to", before) == [] and ids("--status", "received", "--direction", "outbound") == []
    assert ids("--after", sent[0]) == [] or ids("--after", sent[0])[0] < sent[0]
    page = told("--status", "received", "--limit", "1")
    assert page["total"] >= 1 and "error_code" in told("--status", "failed", "--limit", "1")["messages"][0]["recipients"][0]
    every = told()
    assert every["total"] == len(every["messages"]) and every["next"] is None
    lines = run(house, "messages", "--number", ours)
    assert "secret" not in lines.stdout and person not in lines.stdout and sent[0] in lines.stdout
    assert "secret 0" in run(house, "messages", "--number", ours, "--reveal").stdout
    first = run(house, "messages", "--limit", "2").stdout.splitlines()
    rest = run(house, "messages", "--limit", "2", "--after", first[2].split()[-1]).stdout.splitlines()
    assert "in all; more with --after" in first[2] and not {line.split()[1] for line in first[:2]} & {line.split()[1] for line in rest[:2]}
    for wrong, code in ((["--status", "lost"], 65), (["--from", "yesterday"], 65), (["--number", "5"], 65), (["--limit", "0"], 64), (["x"], 64)):
        assert run(house, "messages", *wrong).returncode == code, wrong


# ---- webhooks ----


def webhooks_left(house):
    return house.http("GET", "/v1/webhooks", key=house.test_key).json["totalCount"]


def test_listen_checks_prints_and_removes(house):
    before = webhooks_left(house)
    listening = Watching(house, "listen", "--json", "--events", "messages.sms.received,messages.sms.delivered")
    wait_for(lambda: webhooks_left(house) == before + 1, what="the temporary webhook")
    ident = send(house)
    done = run(house, "trigger", "sms", "--from", PERSON, "--to", SMS, "--text", "a reply", "--json")
    assert json.loads(done.stdout)["status"] == "QUEUED", done
    told = {"messages.sms.received", "messages.sms.delivered"}
    wait_for(lambda: told <= {row["payload"]["event"] for row in listening.rows()}, what="both webhooks")
    rows = listening.rows()
    listening.end()
    assert webhooks_left(house) == before
    assert all(row["verified"] for row in rows), rows
    by_event = {row["payload"]["event"]: row["payload"]["data"]["message"] for row in rows}
    assert by_event["messages.sms.delivered"]["id"] == ident and by_event["messages.sms.received"]["text"] == "a reply", rows


def test_listen_forwards_and_answers_what_was_answered(house):
    before, replies = webhooks_left(house), [500, 200]
    with Receiver(reply=lambda request: replies.pop(0) if replies else 200) as receiver:
        listening = Watching(house, "listen", "--events", "messages.sms.received", "--forward", receiver.url(), "--count", "1")
        wait_for(lambda: listening.process.poll() is not None or webhooks_left(house) == before + 1, what="the temporary webhook")
        number(house)
        run(house, "trigger", "sms", "--from", PERSON, "--to", SMS, "--text", "forward me")
        (request,) = receiver.wait(1)
        assert listening.process.wait(10) == 0
        assert request.json["data"]["message"]["text"] == "forward me" and request.headers["webhook-signature"].startswith("v1,")

        def tries():
            listed = json.loads(run(house, "deliveries", "list", "--limit", "20", "--json").stdout)
            return next(row for row in listed if row["event_id"] == request.headers["webhook-id"])["tries"]

        assert wait_for(tries, what="the note of the try")[0]["status"] == 500
        listening.end()


def test_deliveries_secrets_and_replay(house):
    with Receiver() as receiver:
        made = house.http("POST", "/v1/webhooks", {"url": receiver.url(), "events": ["messages.sms.received"]}, house.test_key).json
        number(house)
        run(house, "trigger", "sms", "--from", PERSON, "--to", SMS, "--text", "first")
        receiver.wait(1)
        assert run(house, "webhook", "secret", made["id"]).stdout.strip() == made["secret"]
        rotated = json.loads(run(house, "webhook", "secret", made["id"], "--rotate", "--json").stdout)
        shown = json.loads(run(house, "webhook", "secret", made["id"], "--json").stdout)
        assert shown["secret"] == rotated["secret"] != made["secret"] == shown["old_secret"], (rotated, shown)

        listed = wait_for(lambda: [row for row in json.loads(run(house, "deliveries", "list", "--webhook", made["id"], "--json").stdout)
                                   if row["status"] == "delivered"], what="the delivery")
        assert listed[0]["webhook"] == made["id"] and "body" not in listed[0], listed
        shown = json.loads(run(house, "deliveries", "show", listed[0]["id"], "--json", "--reveal").stdout)
        assert json.loads(shown["body"])["data"]["message"]["text"] == "first", shown
        assert "first" not in run(house, "deliveries", "show", listed[0]["id"]).stdout
        again = json.loads(run(house, "deliveries", "replay", listed[0]["id"], "--json").stdout)
        assert again["id"].startswith("dlv_test_") and again["id"] != listed[0]["id"], again
        first, second = receiver.wait(2)
        assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]
        signed = f"{second.headers['webhook-id']}.{second.headers['webhook-timestamp']}.".encode() + second.body
        wanted = {"v1," + base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
                  for secret in (made["secret"], rotated["secret"])}
        assert set(second.headers["webhook-signature"].split()) == wanted, "both secrets sign during the overlap"
        house.http("DELETE", f"/v1/webhooks/{made['id']}", key=house.test_key)
    for args in (("show", "dlv_" + "0" * 27), ("show", made["id"]), ("replay", "x"), ("list", "--status", "dead")):
        assert run(house, "deliveries", *args).returncode == 65, args
    assert run(house, "deliveries", "show").returncode == 64


# ---- keys ----


def test_keys_are_made_listed_and_deleted(house):
    made = json.loads(run(house, "key", "create", "--app", "live", "--name", "for a test", "--json").stdout)
    assert made["key"].startswith("sk_live_app_") and made["app_id"] == house.credentials["app"]["id"], made
    listed = json.loads(run(house, "key", "list", "--json").stdout)
    assert made["id"] in [key["id"] for key in listed] and all("key" not in key for key in listed)
    assert made["key"] not in run(house, "key", "list").stdout
    assert house.http("GET", "/v1/phone-numbers", key=made["key"]).status == 200
    assert run(house, "key", "delete", made["id"]).returncode == 0
    assert house.http("GET", "/v1/phone-numbers", key=made["key"]).status == 401
    again = run(house, "key", "delete", made["id"])
    assert again.returncode == 65 and "No such key" in again.stderr, again
    assert run(house, "key", "create", "--app", "app_" + "0" * 27).returncode == 65


# ---- tap ----


def test_tap_shows_masked_and_records_only_revealed(house):
    number(house)
    tap = Watching(house, "tap", "--json", "--op", "messaging.sms_send")
    plain = Watching(house, "tap", "--service", "messaging")

    def seen():
        send(house)
        return {row["kind"] for row in tap.rows()} >= {"ask", "answer"} and any("messaging.sms_send" in line for line in plain.lines())

    wait_for(seen, what="a send in both taps")
    tap.end()
    plain.end()
    rows = tap.rows()
    assert {row["op"] for row in rows} == {"messaging.sms_send"}
    ask = next(row for row in rows if row["kind"] == "ask")
    assert ask["tenant"] == house.credentials["organization_id"] and ask["app"] == house.credentials["app"]["test_app_id"], ask
    for text in (json.dumps(rows), "\n".join(plain.lines())):
        assert "the text of a message" not in text and PERSON not in text and SMS not in text
    assert run(house, "tap", "--record", "/nonexistent/x").returncode == 64
    assert run(house, "tap", "--op", "messaging.nothing").returncode == 64


def test_tap_filters_by_trace_and_tenant(house):
    number(house)
    trace = "0123456789abcdef0123456789abcdef"
    tap = Watching(house, "tap", "--json", "--trace", trace)
    other = Watching(house, "tap", "--json", "--tenant", "org_" + house.credentials["app"]["id"].split("_")[1])
    body = {"from": SMS, "to": [PERSON], "text": "traced"}

    def sent():
        answer = house.http("POST", "/v1/sms", body, house.test_key, {"traceparent": f"00-{trace}-0123456789abcdef-01"})
        assert answer.status == 201, answer
        return {row["kind"] for row in tap.rows()} >= {"ask", "answer"}

    wait_for(sent, what="the trace in the tap")
    send(house)
    tap.end()
    other.end()
    assert all(trace in row["trace"] for row in tap.rows() if row["kind"] == "ask"), tap.rows()
    assert other.rows() == []


def test_recordings_are_replayed_to_test_apps(house):
    folder = Path(tempfile.mkdtemp(prefix="aviary-"))
    file = folder / "record"
    number(house)
    tap = Watching(house, "tap", "--record", str(file), "--reveal", "--op", "messaging.sms_send")

    def recorded():
        rows = file.read_text().split("\n")[:-1] if file.exists() else []
        return [row for row in map(json.loads, rows) if row["kind"] == "ask"]

    wait_for(lambda: send(house) and recorded(), what="an ask in the recording")
    tap.end()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asks = recorded()
    assert all(row["body"]["text"] == "the text of a message" for row in asks)
    keys = len(json.loads(run(house, "key", "list", "--json").stdout))
    done = run(house, "tap", "replay", str(file), "--app", "test", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(told) == len(asks), done
    wait_story(house, told[0]["id"], "delivered")
    assert len(json.loads(run(house, "key", "list", "--json").stdout)) == keys, "the key made for it is gone"
    refused = run(house, "tap", "replay", str(file), "--app", "live")
    assert refused.returncode == 77 and "test apps only" in refused.stderr, refused
    assert run(house, "tap", "replay", str(folder / "no"), "--app", "test").returncode == 65
    shutil.rmtree(folder)


# ---- operating ----


def test_backup_has_every_store_with_sums(house):
    folder = Path(tempfile.mkdtemp(prefix="aviary-")) / "copy"
    manifest = json.loads(run(house, "backup", str(folder), "--json").stdout)
    assert [file["file"] for file in manifest["files"]] == ["webhooks/data.mdb", "inbox/data.mdb", "messaging/data.mdb", "templates/data.mdb", "accounts/data.mdb", "media.sums"], manifest
    for file in manifest["files"]:
        data = (folder / file["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"] and len(data) == file["bytes"]
        assert len(data) > 4096 or file["file"] == "media.sums"
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    again = run(house, "backup", str(folder))
    assert again.returncode == 65 and "not empty" in again.stderr, again
    shutil.rmtree(folder.parent)


def test_health_and_bootstrap(house):
    for service in ("broker", "accounts", "messaging", "templates", "inbox", "webhooks", "edge"):
        assert run(house, "health", service, "--json").stdout == '{"ready": true}\n', service
    assert run(house, "health", "--url", f"http://127.0.0.1:{house.port}/readyz").returncode == 0
    assert run(house, "health", "--url", f"http://127.0.0.1:{house.port}/nothing").returncode == 69
    before = (house.data / "credentials.json").read_bytes()
    assert run(house, "bootstrap", "--json").stdout == '{"made": false}\n'
    assert (house.data / "credentials.json").read_bytes() == before


def test_commands_say_when_nothing_runs():
    with tempfile.TemporaryDirectory(prefix="aviary-") as folder:
        os.mkdir(Path(folder) / "run")
        for args in (("key", "list"), ("explain", "msg_sms_2qa7yEeeby3abP3E2Zs8IQ9Y7aJ"), ("tap",), ("deliveries", "list")):
            done = subprocess.run([BIN / "aviary", *args, "--data", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
                                  check=False)
            assert done.returncode in (69, 1) and done.stderr.startswith("aviary: ") and not done.stdout, (args, done)


# They look again and again until something has come: without limits.
for _test in [value for name, value in list(globals().items()) if name.startswith("test_")]:
    _test.house_flags = ("--rate-limits", "off")
