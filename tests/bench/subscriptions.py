#!/usr/bin/env python3
"""1,000 subscriptions of an organization, 10 of them dead or slow: what the other 990 notice of it.

    tests/bench/subscriptions.py [--runs N] [--subscriptions N] [--bad N] [--events N] [--pause SECONDS]

Needs build/release. Each run is a house of its own: one without bad subscriptions, one with, in turn. Of the bad ones half are at a port where nobody listens, half at
a receiver that takes the request and never answers, each at a port of its own. An event is a contact that is made; the latency of a delivery goes from just before that request to when the receiver
has the body. Prints p50 and p99 of the good subscriptions' deliveries and, as medians over the runs, the ratios with to without, beside what they should be (under 1.2
and under 2); fails nothing.
"""
import argparse
import asyncio
import multiprocessing
import re
import socket
import statistics
import time

from bench import House, wait_for

CONTACT = re.compile(rb'"contact":\{"id":"(ctc_[0-9A-Z]{26})"')
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Good(asyncio.Protocol):
    """Answers each request and notes when its body was there."""

    def __init__(self, times):
        self.times, self.data = times, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while (head := self.data.find(b"\r\n\r\n")) >= 0:
            length = int(re.search(rb"content-length: *(\d+)", self.data[:head], re.I)[1])
            end = head + 4 + length
            if len(self.data) < end:
                return
            self.times.append((CONTACT.search(self.data, head)[1].decode(), time.time()))
            self.data = self.data[end:]
            self.transport.write(ANSWER)


def receive(good, slow, pipe):
    """A process: receivers on two listening sockets; a message on the pipe asks how many came, or for all of them."""
    times = []

    async def main():
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Good(times), sock=good)
        for sock in slow:
            await loop.create_server(asyncio.Protocol, sock=sock)  # takes all, says nothing
        while (ask := await loop.run_in_executor(None, pipe.recv)) != "end":
            pipe.send(len(times) if ask == "count" else times)

    asyncio.run(main())


def listener():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    return sock


def dead_port():
    """Nobody listens here while the socket is held."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


class World:
    def __init__(self, bad):
        self.good, self.slow = listener(), [listener() for _ in range((bad + 1) // 2)]
        self.bad = self.slow + [dead_port() for _ in range(bad // 2)]
        self.pipe, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=receive, args=(self.good, self.slow, there), daemon=True)
        self.process.start()

    def ask(self, what):
        self.pipe.send(what)
        return self.pipe.recv()

    def end(self):
        self.pipe.send("end")
        self.process.join(5)
        self.process.kill()


def url(sock):
    return f"http://127.0.0.1:{sock.getsockname()[1]}/hook"


def run(args, bad):
    """Sorted latencies in milliseconds of the good subscriptions' deliveries."""
    world = World(bad)
    with House("--rate-limits", "off") as house:
        kirim = house.credentials["kirim"]

        def post(path, body):
            answer = house.http("POST", path, body, kirim["key"])
            assert answer.status == 200, answer.text
            return answer.json["data"]

        good = args.subscriptions - args.bad
        for n in range(good + bad):
            to = world.good if n < good else world.bad[n - good]
            post("/v1/webhook_subscriptions", {"url": url(to), "events": ["contact.created"]})
        began = {}
        for n in range(args.events):
            at = time.time()
            contact = post(f"/v1/{kirim['phone_number_id']}/contacts", {"phone_number": f"+62811{n:07d}"})
            began[contact["id"]] = at
            time.sleep(max(0.0, args.pause - (time.time() - at)))
        wait_for(lambda: world.ask("count") >= good * args.events, 120, 0.2, "all deliveries to good subscriptions")
        times = world.ask("all")
    world.end()
    return sorted((at - began[contact]) * 1000 for contact, at in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=10)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.5, help="between events, seconds")
    args = parser.parse_args()
    ratios = {50: [], 99: []}
    for n in range(args.runs):
        without, having = (run(args, bad) for bad in ((0, args.bad)))
        figures = []
        for p, rows in ratios.items():
            a, b = (one[len(one) * p // 100] for one in (without, having))
            rows.append(b / a)
            figures.append(f"p{p} {a:.0f} -> {b:.0f} ms")
        print(f"run {n + 1}: {len(having)} deliveries, without -> with {args.bad} bad: " + ", ".join(figures), flush=True)
    for p, bar in ((50, 1.2), (99, 2)):
        print(f"p{p}: ratio {statistics.median(ratios[p]):.2f} (median of {args.runs}; should be under {bar})")


if __name__ == "__main__":
    main()
