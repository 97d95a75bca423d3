"""Real carriers, shown: the walk of docs/simulators.md, once as it stands there in the shell and once call by call with what must be true after each."""
import base64
import re
import tempfile
import unittest

from carriers import Carriers
from harness import http
from test_docs import snippet
from test_media import BOUNDARY, form, part, png
from walk import lay, run

OGG = base64.b64decode("T2dnUwACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAETT3B1c0hlYWQBAQAAgLsAAAAAAA==")


class Walk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Carriers()

    @classmethod
    def tearDownClass(cls):
        cls.live.close()

    def test_the_documented_walk(self):
        house = self.live.house
        hooks = house.http("GET", "/v1/webhooks", key=house.live_key).json["webhooks"]
        for hook in hooks:  # the walk waits for the first webhook to be there
            house.http("DELETE", f"/v1/webhooks/{hook['id']}", key=house.live_key)
        with tempfile.TemporaryDirectory() as folder:
            lay(house, folder)
            code, said = run(snippet("docs/simulators.md", "walk"), folder)
        self.assertEqual(code, 0, said)
        for word in ("Is it in stock?", "messages.whatsapp.sent", "messages.whatsapp.delivered", "messages.whatsapp.read", "the same note", "conversation_window_expired",
                     "messages.sms.delivered", "messages.sms.failed", '"code":"40008"', '"caption":"It is"', "biz_opaque_callback_data", "accepted"):
            self.assertIn(word, said)
        self.live.control("DELETE", "/rules")

    def test_the_walk_call_by_call(self):
        live, house = self.live, self.live.house
        made = house.http("POST", "/v1/webhooks", {"url": live.receiver.url(), "events": ["messages.whatsapp.received", "messages.whatsapp.sent", "messages.whatsapp.delivered",
                                                                                          "messages.whatsapp.read", "messages.sms.delivered", "messages.sms.failed"]}, key=house.live_key)
        self.assertEqual(made.status, 201, made)
        live.control("POST", "/reset")
        person, stranger, lost = (live.person() for _ in range(3))

        live.writes(person, "Is it in stock?")
        self.assertEqual(self.received(person, "text")["text"], "Is it in stock?")

        uploaded = house.http("POST", "/v1/media", form(part("type", "image"), part("file", png(), "photo.png", "image/png")), key=house.live_key,
                              headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        self.assertEqual(uploaded.status, 201, uploaded)
        image = {"type": "image", "media": {"mediaId": uploaded.json["id"], "caption": "It is"}}
        sent = live.whatsapp(person, **image)
        self.assertEqual(sent.status, 201, sent)
        story = live.wait(sent.json["id"], person, "sent", "delivered", "read")
        self.assertEqual(story.told["read"][0]["message"]["media"]["caption"], "It is")
        self.assertEqual([r["body"]["image"]["caption"] for r in live.sends(person)], ["It is"])

        live.control("POST", "/inbound", {"provider": "meta", "from": person, "to": live.app["whatsapp_number"], "type": "audio", "media": base64.b64encode(OGG).decode()})
        note = self.received(person, "audio")
        self.assertTrue(note["audio"]["isVoiceNote"])
        link = house.http("GET", f"/v1/media/{note['mediaId']}", key=house.live_key).json["url"]
        file = http("GET", house.port, re.sub(r"^http://[^/]+", "", link))
        self.assertEqual((file.status, file.body), (200, OGG))

        refused = live.whatsapp(stranger, **image)
        self.assertEqual((refused.status, refused.json["error"]["type"], refused.json["error"]["code"]), (402, "provider_error", "conversation_window_expired"))
        self.assertEqual(live.sends(stranger), [])

        live.rule({"fail_with_code": 40008}, provider="telnyx", to=lost)
        url = house.http("GET", f"/v1/media/{uploaded.json['id']}", key=house.live_key).json["url"]
        mms = house.http("POST", "/v1/sms", {"from": live.app["sms_number"], "to": [stranger, lost], "text": "Look", "mediaUrls": [url]}, key=house.live_key)
        self.assertEqual((mms.status, mms.json["type"]), (201, "MMS"), mms)
        self.assertNotIn("failed", live.wait(mms.json["id"], stranger, "delivered"))
        error = live.wait(mms.json["id"], lost, "failed").error()
        self.assertEqual((error["code"], error["provider"]["code"]), ("message_undeliverable", "40008"))
        told = house.cli("explain", mms.json["id"])
        self.assertIn("40008", told)

    def received(self, person, kind):
        """What the app was told of the last message of this kind from a person."""
        [*_, request] = self.live.receiver.wait(1, lambda r: r.json["event"] == "messages.whatsapp.received" and r.json["data"]["message"]["from"] == person
                                                and r.json["data"]["message"]["type"] == kind)
        return request.json["data"]["message"]
