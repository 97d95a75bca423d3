"""Replicas: reads and HTTP are spread, writes go to the owner, ownership moves when the owner dies, and a frozen owner doubles nothing."""
import time

from harness import Receiver, flags, wait_for
from test_main_job import draw, send, subscribe

FLAGS = ("--replicas", "messaging=2", "--replicas", "accounts=2", "--replicas", "edge=2", "--rate-limits", "off", "--loopback-delay", "10")


@flags(*FLAGS)
def test_reads_are_spread(house):
    house.wait_replicas()
    for i in range(40):
        assert house.http("GET", "/v1/phone-numbers", key=house.test_key, edge=i % 2).status == 200
    counts = [house.metric("aviary_accounts_asks_total", op="number_list", replica=replica) for replica in (0, 1)]
    assert min(counts) >= 5, counts


@flags(*FLAGS)
def test_ownership_moves_when_the_owner_dies(house):
    number = draw(house)["number"]
    for _ in range(3):
        owner = house.owner("messaging")
        old = house.kill("messaging", owner)
        started = time.monotonic()
        wait_for(lambda: send(house, number, "+15551234567").status == 201, 10, 0.01, "a 201 after the owner's death")
        print(f"writes went on after {time.monotonic() - started:.3f} s", flush=True)
        house.wait_back("messaging", old, owner)


@flags(*FLAGS, "--frozen-after", "60000")
def test_a_frozen_owner_doubles_nothing(house):
    with Receiver() as receiver:
        hook = subscribe(house, receiver, ["messages.sms.delivered"])
        number = draw(house)["number"]
        with house.stopped("messaging", house.owner("messaging")):
            refused = send(house, number, "+15551230001", "one", headers={"Idempotency-Key": "frozen"})
            assert refused.status == 503, refused
            assert house.http("GET", "/v1/phone-numbers", key=house.test_key).status == 200
        answer = wait_for(lambda: (a := send(house, number, "+15551230001", "one", headers={"Idempotency-Key": "frozen"})).status == 201 and a, 15)
        receiver.wait(1)
        time.sleep(1)
        got = receiver.got(lambda r: r.json["data"]["message"]["from"] == number)
        assert {r.json["data"]["message"]["id"] for r in got} == {answer.json["id"]}, got
        house.http("DELETE", f"/v1/webhooks/{hook['id']}", key=house.test_key)
