"""WhatsApp templates: read from Meta on connecting and on its word, checked before a send is stored; and messaging without the templates service."""
import json
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BIN, REPORTS, flags, wait_for

SIMULATE = ("--simulate", "--rate-limits", "off")
COMPONENTS = [{"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
              {"type": "BODY", "text": "Hi {{1}}, it ships {{2}}.", "example": {"body_text": [["Ada", "today"]]}},
              {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://example.org/{{1}}"}]}]
FILLED = [{"type": "header", "parameters": [{"type": "text", "text": "A-17"}]},
          {"type": "body", "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "today"}]},
          {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "17"}]}]
VALUES = {"1": "A-17", "2": "Ada", "3": "today", "4": "https://example.org/17"}


def known(house):
    """Status by name, as templates has them."""
    listed = json.loads(house.cli("templates", "list", "--deleted", "--json"))
    return {row["name"]: row["status"] for row in listed["templates"]}


def send(house, name, variables=None, key=None, sender=None):
    template = {"name": name, "language": "en_US", **({"variables": variables} if variables else {})}
    body = {"from": sender or house.credentials["app"]["whatsapp_number"], "to": "+14155550123", "type": "template", "template": template}
    return house.http("POST", "/v1/whatsapp/messages", body, key or house.live_key)


def sent(house, name):
    """Templates of this name that the simulator got."""
    rows = house.control("GET", "/requests?provider=meta")
    return [row["body"]["template"] for row in rows if row["method"] == "POST" and (row["body"] or {}).get("template", {}).get("name") == name]


def refused(answer, status, code):
    assert answer.status == status and answer.json["error"]["code"] == code, answer


@flags(*SIMULATE)
def test_a_template_s_life_shows_in_the_next_send(house):
    wait_for(lambda: known(house) == {"hello_world": "approved"}, 40, what="the first reading")
    wait_for(lambda: send(house, "nothing").status == 404, what="messaging to know the account")
    refused(send(house, "order_update", VALUES), 404, "template_not_found")
    assert send(house, "hello_world").status == 201
    refused(send(house, "hello_world", {"1": "x"}), 400, "template_parameter_mismatch")

    house.control("PUT", "/templates", {"name": "order_update", "status": "PENDING", "components": COMPONENTS})
    house.cli("templates", "sync")  # nobody calls back about a new one
    assert known(house)["order_update"] == "pending"
    refused(send(house, "order_update", VALUES), 404, "template_not_found")
    house.control("PUT", "/templates", {"name": "order_update", "status": "APPROVED"})
    assert wait_for(lambda: (answer := send(house, "order_update", VALUES)).status == 201 and answer, what="the approval")
    refused(send(house, "order_update", {**VALUES, "5": "x"}), 400, "template_parameter_mismatch")
    refused(send(house, "order_update", {"1": "A-17", "2": "Ada", "3": "today"}), 400, "template_parameter_mismatch")
    got = wait_for(lambda: sent(house, "order_update"), what="the send")
    assert [one["components"] for one in got] == [FILLED], got

    house.control("PUT", "/templates", {"name": "order_update", "status": "PAUSED"})
    wait_for(lambda: send(house, "order_update", VALUES).status == 404, what="the pause")
    house.control("DELETE", "/templates?name=order_update&language=en_US")
    wait_for(lambda: known(house).get("order_update") == "deleted", what="the deletion")
    refused(send(house, "order_update", VALUES), 404, "template_not_found")
    shown = house.cli("templates", "sync", "--json")
    assert [row["templates"] for row in json.loads(shown)] == [1], shown


@flags(*SIMULATE)
def test_test_apps_have_two_samples(house):
    number = house.http("POST", "/v1/playground/whatsapp/phone-numbers/system", key=house.test_key)
    assert number.status == 201, number
    sender, key = number.json["number"], house.test_key
    for name, variables in (("hello_world", None), ("order_update", {"1": "Ada", "2": "today"})):
        answer = send(house, name, variables, key, sender)
        assert answer.status == 201, answer
    refused(send(house, "order_update", {"1": "Ada"}, key, sender), 400, "template_parameter_mismatch")
    refused(send(house, "order", None, key, sender), 404, "template_not_found")


@flags(*SIMULATE)
def test_a_kill_in_between_loses_nothing(house):
    wait_for(lambda: known(house).get("hello_world") == "approved", 40, what="the first reading")
    for turn in range(3):
        old = house.pid("templates")
        house.control("PUT", "/templates", {"name": f"kill_{turn}", "status": "APPROVED", "components": [{"type": "BODY", "text": "x"}]})
        house.kill("templates")
        house.wait_back("templates", old)
        wait_for(lambda turn=turn: known(house).get(f"kill_{turn}") == "approved", 30, what="the template after the kill")
        wait_for(lambda turn=turn: send(house, f"kill_{turn}").status == 201, what="messaging to know it")


def test_messaging_is_ready_without_templates():
    with tempfile.TemporaryDirectory(prefix="aviary-") as folder:
        running = []

        def start(name):
            with open(Path(folder) / "log", "ab") as log:
                running.append(subprocess.Popen([str(BIN / f"aviary-{name}"), "--data", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

        def ready(name):
            return subprocess.run([str(BIN / "aviary"), "health", name, "--data", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=30, check=False).returncode == 0
        try:
            for name in ("broker", "accounts", "messaging"):
                start(name)
            wait_for(lambda: ready("messaging"), 30, what="messaging without templates")
            wait_for(lambda: re.search("(inbox|templates) is not there to be followed", (Path(folder) / "log").read_text()), 5, what="the reason in the log")
            start("templates")
            wait_for(lambda: ready("templates"), 30, what="templates")
            assert ready("messaging")
        finally:
            for process in reversed(running):
                process.send_signal(signal.SIGTERM)
            codes = [process.wait(20) for process in reversed(running)]
            text = (Path(folder) / "log").read_text(errors="replace")
        assert not any(codes) and not REPORTS.search(text), (codes, text[-3000:])
