"""Backup under load, and a house made of it: no event is missing at a receiver, no send goes out a second time unasked, what was unfinished is held until a person
decides; media links go on; a backup that was touched, and a folder that is a house, are refused."""
import json
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from datetime import datetime
from http.client import HTTPException
from pathlib import Path

from carriers import Carriers
from harness import BIN, House, REPORTS, wait_for
from test_media import PDF, form, part, BOUNDARY

# The carrier takes far less than the load sends, so that there is a backlog also after the seconds that a backup may take.
QUICK = {"send_schedule": "40ms,80ms,160ms,320ms", "unknown_after": "1s", "telnyx_per_second": 3, "telnyx_width": 64, "breaker_failures": 0}
FLAGS = ("--simulate", "--rate-limits", "off")
SECOND = "15550009999"  # a further number of ours


def aviary(*args, code=0):
    """`aviary ARGS`; what it printed. It ends with `code`."""
    done = subprocess.run([str(BIN / "aviary"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == code, (args, done)
    return done.stdout + done.stderr


def millis(iso):
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


class Load(threading.Thread):
    """Sends from two numbers, each message to a person of its own: {id: (from, to)}."""

    def __init__(self, live, numbers):
        super().__init__(daemon=True)
        self.live, self.numbers, self.accepted, self.stop = live, numbers, {}, False

    def run(self):
        count = 0
        while not self.stop:
            count += 1
            to, sender = f"+1415666{count:04d}", self.numbers[count % 2]
            try:
                answer = self.live.sms(to, f"text {count}", sender=sender)
            except (OSError, HTTPException):
                return  # the house is gone
            if answer.status == 201:
                self.accepted[answer.json["id"]] = (sender, to)
            time.sleep(0.02)


def sent_to(live, people):
    """How often the carrier was asked to send to each."""
    seen = {}
    for row in live.requests(limit=10000):
        if row["method"] == "POST" and row["path"].endswith("/messages"):
            to = json.loads(row["body"])["to"] if isinstance(row.get("body"), str) else row["body"]["to"]
            seen[to] = seen.get(to, 0) + 1
    return {to: seen.get(to, 0) for to in people}


def events_in(requests):
    """{(message, word)} that a receiver was told."""
    return {(r.json["data"]["message"]["id"], r.json["event"].rsplit(".", 1)[1]) for r in requests}


class Restored(Carriers):
    """The restored house: the app's keys, the receiver and the simulator's ports are those of the old one."""

    def __init__(self, data, old, env):  # pylint: disable=super-init-not-called
        self.house = House(*FLAGS, data=data, port=old.house.port, env=env, ready=60)
        self.receiver, self.app = old.receiver, old.app
        self.stories, self.read, self.lock = {}, len(old.receiver.got()), threading.Lock()
        self.people = 5000
        self.control("PUT", "/settings", {"callback_delay_ms": 20, "callback_retry_ms": 200, "callback_attempts": 20})


class Restore(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="aviary-restore-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.live = Carriers(settings=QUICK)
        self.addCleanup(self.live.receiver.close)
        self.addCleanup(self.live.house.end)

    def disaster(self):
        """Everything of the old house is gone at once; what its carrier was asked until then."""
        house = self.live.house
        with house.stopped("messaging"):  # nothing more leaves
            time.sleep(0.3)
            sent = sent_to(self.live, [to for _, to in self.load.accepted.values()])
            house.crash()
        self.assertIsNone(REPORTS.search(house.log()))
        return sent

    def wait_backlog(self, count):
        """Until each number has so many messages that no carrier was asked for."""

        def backlog():
            accepted = dict(self.load.accepted)
            sent = sent_to(self.live, [to for _, to in accepted.values()])
            waiting = [sender for sender, to in accepted.values() if not sent[to]]
            return all(waiting.count(number) >= count for number in self.load.numbers)

        wait_for(backlog, 60, 0.2, f"{count} that wait at each number")

    def upload(self):
        body = form(part("kind", "document"), part("file", PDF, "a.pdf", "application/pdf"))
        made = self.live.house.http("POST", "/v1/media", body, key=self.live.house.live_key,
                                    headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        self.assertEqual(made.status, 201, made)
        url = self.live.house.http("GET", f"/v1/media/{made.json['id']}", key=self.live.house.live_key).json["url"]
        return "/" + url.split("/", 3)[3]

    def backup(self, name, *flags):
        folder = self.folder / name
        manifest = json.loads(self.live.house.cli("backup", str(folder), "--json", *flags, timeout=120))
        return folder, {row["file"]: row for row in manifest["files"]}, manifest

    def older_webhooks(self, older, rows, folder, manifest):
        """The backup in `folder` with webhooks' copy from an older one: a follower that lags far behind."""
        shutil.copyfile(older / "webhooks" / "data.mdb", folder / "webhooks" / "data.mdb")
        manifest["files"] = [rows["webhooks/data.mdb"] if row["file"] == "webhooks/data.mdb" else row for row in manifest["files"]]
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def statuses(self, live):
        """{id: status} of what the house knows, of the load."""
        told, more = {}, []
        while more is not None:
            page = json.loads(live.house.cli("messages", "--app", "live", "--direction", "outbound", "--limit", "100", "--json", *more))
            told |= {row["id"]: row["recipients"][0]["status"] for row in page["messages"] if row["id"] in self.load.accepted}
            more = ["--after", page["next"]] if page["next"] else None
        return told

    def held(self, live):
        return json.loads(live.house.cli("jobs", "list", "--held", "--json"))

    def test_go_on_after_a_disaster(self):
        live = self.live
        numbers = [live.app["sms_number"], live.number("sms", SECOND)]
        link = self.upload()
        self.load = Load(live, numbers)
        self.load.start()
        self.wait_backlog(8)
        older, older_rows, _ = self.backup("older")
        heard = len(live.receiver.got())
        live.receiver.wait(heard + 20)  # that the older copy does not know of
        self.wait_backlog(20)
        folder, rows, manifest = self.backup("backup", "--with-keys")
        self.assertEqual(manifest["order"], ["webhooks", "inbox", "messaging", "templates", "accounts"])
        self.assertEqual(rows["media.sums"]["media_files"], 1)
        for service in manifest["order"]:
            row = rows[f"{service}/data.mdb"]
            self.assertTrue(row["service"] == service and row["schema"] > 0 and len(row["epoch"]) == 32, row)
        self.older_webhooks(older, older_rows, folder, manifest)
        accepted = len(self.load.accepted)
        wait_for(lambda: len(self.load.accepted) > accepted + 5, what="sends after the backup")
        self.load.stop = True
        self.load.join()
        before = self.disaster()
        heard = live.receiver.got()
        acknowledged = [r for r in heard if r.at <= millis(older_rows["webhooks/data.mdb"]["at"])]

        data = self.folder / "house"
        aviary("restore", "--from", str(folder), "--data", str(data))
        env = {f"AVIARY_MESSAGING_{name.upper()}": str(value) for name, value in QUICK.items()}
        new = Restored(data, live, env)
        try:
            self.go_on(new, numbers, before, acknowledged, len(heard), link)
            new.house.__exit__(None, None, None)
        except BaseException:
            new.house.tell_log()
            new.house.end()
            raise

    def go_on(self, new, numbers, before, acknowledged, heard, link):
        # What was unfinished is held, and everybody is told so.
        known = self.statuses(new)
        held = self.held(new)
        self.assertGreater(len(held), 2)
        self.assertEqual({job["kind"] for job in held}, {"send"})
        self.assertEqual(new.house.metric("aviary_messaging_jobs_held"), len(held))
        wait_for(lambda: "are held since the restore" in new.house.http("GET", "/readyz").body.decode(), what="/readyz to tell of them")
        wait_for(lambda: "are held since the restore" in new.house.cli("status"), what="the status to tell of them")
        self.assertLess(len(known), len(self.load.accepted), "what came after the backup is gone")
        waiting = [m for m, status in known.items() if status in ("queued", "sending")]
        self.assertEqual(len(waiting), len(held))
        self.assertEqual(new.house.http("GET", link).body, PDF)

        # Nothing of it goes out by itself; new work does, to a person whose older message is held too.
        message = new.send("sms", self.load.accepted[waiting[0]][1], sender=numbers[0])
        new.wait(message, self.load.accepted[waiting[0]][1], "sent", "delivered")
        time.sleep(1)
        people = [to for _, to in self.load.accepted.values()]
        after = sent_to(new, people)
        self.assertEqual({to for to, count in after.items() if count}, {self.load.accepted[waiting[0]][1]})

        # Every event of the backup's messages that webhooks' copy did not know of comes to the receiver.
        told = lambda: events_in(acknowledged) | events_in(new.receiver.got()[heard:])
        wanted = set()
        for message_id, status in known.items():
            if status in ("sent", "delivered"):
                wanted.add((message_id, "sent"))
            if status == "delivered":
                wanted.add((message_id, "delivered"))
        self.assertGreater(len(wanted - events_in(acknowledged)), 5, "the older copy had to lag behind")
        wait_for(lambda: wanted <= told(), 20, what="the events that the older webhooks had not heard")

        self.decide(new, numbers, before, known, waiting)

    def decide(self, new, numbers, before, known, waiting):
        first = [m for m in waiting if self.load.accepted[m][0] == numbers[0]]
        second = [m for m in waiting if self.load.accepted[m][0] == numbers[1]]
        self.assertTrue(first and second, (len(first), len(second)))
        start = {to: sent_to(new, [to])[to] for m in waiting for to in [self.load.accepted[m][1]]}
        done = json.loads(new.house.cli("resume", "--mark-unknown", "--number", numbers[1], "--json"))["services"]
        told = next(row for row in done if row["service"] == "messaging")
        self.assertEqual((told["done"], told["passed"], told["failed"], told["left"]), (len(second), len(first), 0, len(first)))
        done = json.loads(new.house.cli("resume", "--release", "--json"))["services"]
        told = next(row for row in done if row["service"] == "messaging")
        self.assertEqual((told["done"], told["left"]), (len(first), 0))
        self.assertEqual(self.held(new), [])
        self.assertIn("nothing is held", new.house.cli("resume", "--release"))
        for message in first:
            new.wait(message, self.load.accepted[message][1], "sent", "delivered", timeout=60)
        for message in second:
            story = new.wait(message, self.load.accepted[message][1], "failed", timeout=60)
            self.assertNotIn("sent", story)
        sent = sent_to(new, list(start))
        for message in waiting:
            to = self.load.accepted[message][1]
            self.assertEqual(sent[to] - start[to], 1 if message in first else 0, (message, to))
        for message, status in known.items():
            if message not in waiting:
                to = self.load.accepted[message][1]
                self.assertEqual((before[to], status in ("sent", "delivered")), (1, True), (message, status))
        # Nobody is between: all of the backup's messages ended, or are where their receipt went to the old house.
        last = self.statuses(new)
        self.assertEqual({last[m] for m in first}, {"delivered"})
        self.assertEqual({last[m] for m in second}, {"failed"})
        self.assertLessEqual({last[m] for m in known if m not in waiting}, {"sent", "delivered"})
        wait_for(lambda: "held" not in new.house.cli("status"), what="the status to tell that all is decided")

    def test_a_backup_that_was_touched_is_refused(self):
        link = self.upload()
        folder, rows, _ = self.backup("backup")
        told = aviary("restore", "--from", str(folder), "--data", str(self.folder / "a"), code=65)
        self.assertIn("--keyring", told)
        keyring = self.live.house.data / "keys" / "keyring"
        data = self.folder / "b"

        def refused(word, target=data, code=65):
            told = aviary("restore", "--from", str(folder), "--data", str(target), "--keyring", str(keyring), code=code)
            self.assertIn(word, told)

        for name in ("messaging/data.mdb", "media.sums"):
            file = folder / name
            kept = file.read_bytes()
            file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
            refused("its sum is another")
            file.write_bytes(kept)
        blob = next(path for path in (folder / "media").rglob("*") if path.is_file())
        kept = blob.read_bytes()
        blob.write_bytes(b"X" + kept[1:])
        refused("its sum is another")
        blob.unlink()
        refused("is missing")
        blob.write_bytes(kept)
        (folder / "manifest.json").rename(folder / "away")
        refused("is not there")
        (folder / "away").rename(folder / "manifest.json")
        self.assertFalse(data.exists())
        refused("is not empty", self.live.house.data)
        self.assertEqual(self.live.house.http("GET", link).body, PDF)
        refused("a house as of", code=0)
        self.assertEqual((data / "keys" / "keyring").read_bytes(), keyring.read_bytes())
        self.assertEqual(sorted(p.name for p in (data / "store" / "messaging").iterdir()), ["data.mdb", "restored"])
        refused("is not empty")
