"""docs/administration.md is what happens: its blocks run one after the other as they stand, and each answer that it shows is the one that came."""
import json
import tempfile
import unittest
from pathlib import Path

from harness import House, flags
from walk import documents, fits, walk


@flags("--simulate")  # with the rate limits that everybody has
def test_the_walk_of_the_document(house: House):
    with tempfile.TemporaryDirectory() as folder:
        said = "".join(walk(house, "administration.md", "life", folder, 26))
        events = (Path(folder) / "events.jsonl").read_text()
    for word in ("The API key is not known", "is paused", "is suspended", "phone_number_not_assigned", "accepted", "curl ended with 22"):
        assert word in said, f"{word!r} is not in\n{said}"
    texts = [json.loads(line)["data"]["message"]["text"] for line in events.splitlines()]
    assert "Open again" in texts and "While it is paused" not in texts and "From an app that is gone" not in texts, texts


class Fits(unittest.TestCase):
    def test_what_is_shown_must_be_there(self):
        for shown, got, want in (({"a": 1}, {"a": 1, "b": 2}, True), ({"a": 1}, {"b": 2}, False), ({"a": 1}, {"a": "1"}, False), ({"a": True}, {"a": 1}, False), ({"a": None}, {"a": 0}, False),
                                 ({"a": "x_…"}, {"a": "x_1"}, True), ({"a": "x_…"}, {"a": "y_1"}, False), ({"a": "…"}, {"a": None}, True), ({"a": "…"}, {}, False),
                                 ([1], [1, 2], False), ([1, "…"], [1, 2], True), ([3, "…"], [1, 2], False), ([{"a": 1}], [{"a": 1, "b": 1}], True)):
            with self.subTest(shown=shown, got=got):
                self.assertEqual(fits(shown, got), want)

    def test_documents_are_found_between_lines(self):
        self.assertEqual(documents('x\n{"a": {"b": 1}}said {no}\n{"c": "}"}\n'), [{"a": {"b": 1}}, {"c": "}"}])
