"""docs/kirim.md is what happens: its blocks run one after the other as they stand, and each answer that it shows is the one that came."""
import json
import tempfile
from pathlib import Path

from harness import House, flags
from walk import walk


def block(parts, *words):
    """What the only block that printed all of `words` said."""
    found = [part for part in parts if all(word in part for word in words)]
    assert len(found) == 1, (words, found or parts)
    return found[0]


@flags("--simulate")  # with the rate limits that everybody has
def test_the_walk_of_the_document(house: House):
    with tempfile.TemporaryDirectory() as folder:
        parts = walk(house, "kirim.md", "walk", folder, 28)
        events = [json.loads(line) for line in (Path(folder) / "events.jsonl").read_text().splitlines()]
    for word in ("the same message", "the same picture", "By Chirp"):
        block(parts, word)
    assert block(parts, "not genuine").splitlines() == ["genuine", "not genuine"]
    assert block(parts, '"webhook_secret"').splitlines()[1:3] == ["genuine", "genuine"]
    story = block(parts, "accepted", "attempt")
    steps = ["  accepted", "  attempt", "  sent", "carrier says delivered", "  delivered"]  # though Meta's times are whole seconds
    assert [step for _, step in sorted((story.find(step), step) for step in steps)] == steps and all(step in story for step in steps), story
    assert "webhook attempt" in story and "assigned to nobody" in story, story
    assert block(parts, '"skipped_cross_org":1').count('"attached":true') == 1
    assert block(parts, '"deleted":true', "resource_not_found").count("resource_not_found") == 4  # contact, conversation, message and delivery are gone
    assert "deleted for good" in parts[-1], parts[-1]
    seen = {(event["Event"], event["Attempt"]) for event in events}
    assert {("message.received", "1"), ("message.status", "1"), ("conversation.assigned", "1"), ("contact.updated", "2")} <= seen, seen
    names = [event["body"]["data"]["contact"]["name"] for event in events if event["Event"] == "contact.updated"]
    assert names.count("Sari Wulandari") == 3, names  # refused, replayed, replayed with all others
