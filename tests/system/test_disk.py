"""The disk is nearly full, with carriers: sends answer 503 in both dialects, reads and keys and webhooks go on, carriers' callbacks are refused so that they come again, and with room
all goes on in the same processes. The reserve is set above what is free, as an operator would; tests/faults fills a real one."""
import json
import os
import signal
import time
import unittest
from pathlib import Path

from carriers import Carriers
from harness import wait_for

RESERVE = 1 << 40  # the most that the setting takes; a quarter of it is what callbacks need
SERVICES = ["messaging", "webhooks", "accounts", "templates", "inbox"]


class Disk(unittest.TestCase):
    def setUp(self):
        self.live = Carriers(sim={"callback_attempts": 100, "callback_retry_ms": 300}, env={"AVIARY_WEBHOOKS_SCHEDULE": ",".join(["300ms"] * 20 + ["1s"] * 40)})
        self.addCleanup(self.live.close)
        self.house = self.live.house
        disk = os.statvfs(self.house.data)
        if disk.f_bavail * disk.f_frsize >= RESERVE // 4:
            self.skipTest("more is free here than the reserve can be set to")

    def reserve(self, size):
        (Path(self.house.data) / "aviary.conf").write_text(f"disk_low = {size}\n")
        for service in SERVICES:
            self.house.kill(service, sig=signal.SIGHUP)

    def pids(self):
        return {service: self.house.pid(service) for service in [*SERVICES, "edge", "broker"]}

    def kirim(self, method, path, body=None):
        own = self.house.credentials["kirim"]
        return self.house.http(method, f"/kirim/v1/{own['phone_number_id']}{path}", body, key=own["key"])

    def kirim_send(self):
        return self.kirim("POST", "/messages", {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "15557770001", "type": "template",
                                                "template": {"name": "hello_world", "language": {"code": "en_US"}}})

    def callbacks(self, status):
        """Callbacks of the carriers that got this answer at least once."""
        return [c for c in self.live.control("GET", "/callbacks") if any(a.get("status") == status for a in c["answers"])]

    def deliveries(self):
        return json.loads(self.house.cli("deliveries", "list", "--json"))

    def assert_refused(self):
        chirp = self.live.sms(self.live.person(), "refused")
        self.assertEqual(chirp.status, 503, chirp)
        self.assertTrue(chirp.json["error"]["message"], chirp)
        kirim = self.kirim_send()
        self.assertEqual(kirim.status, 503, kirim)
        self.assertTrue(kirim.json["error"]["message"], kirim)
        self.assertNotEqual(chirp.json, kirim.json)

    def assert_goes_on(self, n):
        self.assertEqual(self.house.http("GET", "/v1/phone-numbers", key=self.house.live_key).status, 200)
        self.assertEqual(self.kirim("GET", "/messages").status, 200)
        key = json.loads(self.house.cli("key", "create", "--app", "live", "--name", f"disk {n}", "--json"))["key"]
        self.assertEqual(self.house.http("GET", "/v1/phone-numbers", key=key).status, 200)

    def test_all_of_it(self):
        live, person, writer = self.live, self.live.person(), self.live.person()
        live.control("PUT", "/settings", {"callback_delay_ms": 4000})
        live.receiver.reply = 500
        message = live.send("sms", person)  # its receipts are still to come
        wait_for(lambda: live.receiver.got(), 10, what="a delivery that fails")
        before = self.pids()
        self.reserve(RESERVE)
        try:
            wait_for(lambda: live.sms(live.person()).status == 503, 10, what="a send that is refused")
            live.control("PUT", "/settings", {"callback_delay_ms": 20})
            with self.assertRaisesRegex(AssertionError, "502.*callback was not accepted.*503"):  # so it says, and the carrier comes again
                live.writes(writer, "while it is full")
            wait_for(lambda: len(self.callbacks(503)) >= 2, 15, what="callbacks that are refused")
            for n in range(3):
                self.assert_refused()
                self.assert_goes_on(n)
            live.receiver.reply = 200  # what webhooks deliver now is noted
            wait_for(lambda: any(d["status"] == "delivered" for d in self.deliveries()), 15, what="a delivery that is noted")
            time.sleep(1)
            self.assertEqual(live.receiver.got(lambda r: r.json["data"]["message"].get("text") == "while it is full"), [])
            self.assertNotIn("delivered", live.story(message, person))
        finally:
            self.reserve(1 << 20)
        wait_for(lambda: live.sms(live.person(), "again").status == 201, 10, what="sends again")
        live.wait(message, person, "delivered")
        wait_for(lambda: live.receiver.got(lambda r: r.json["data"]["message"].get("text") == "while it is full"), 20, what="what came in meanwhile")
        live.quiet()
        time.sleep(0.5)
        came = live.receiver.got(lambda r: r.json["data"]["message"].get("text") == "while it is full")
        self.assertEqual(len({r.headers["webhook-id"] for r in came}), 1)
        self.assertEqual(len(live.story(message, person).told["delivered"]), 1)
        self.assertEqual(self.callbacks(503), [c for c in self.callbacks(503) if c["answered_status"] == 200], "a callback that never was taken")
        self.assertEqual(live.receiver.got(lambda r: r.json["data"]["message"].get("text") == "refused"), [])
        self.assertEqual(self.pids(), before)


if __name__ == "__main__":
    unittest.main()
