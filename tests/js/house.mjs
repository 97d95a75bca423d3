// house.mjs - starts the real binaries in a temporary folder on free ports, for tests that use npm's clients. Always stops what it started.
import { execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "./wait.mjs";

export const bin = process.env.AVIARY_BIN ?? new URL("../../build/dev/bin", import.meta.url).pathname;

/** A port that was free a moment ago, below the range that outgoing connections use: none of those takes it before the house does. */
async function freePort() {
    const isFree = (port) => new Promise((resolve) => {
        const server = net.createServer().once("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    for (;;) {
        const port = randomInt(12000, 32000);
        if (await isFree(port)) return port;
    }
}

/** The letter of /proc; undefined when the process is gone. */
function processState(pid) {
    try {
        return readFileSync(`/proc/${pid}/stat`, "latin1").split(")").at(-1).trim()[0];
    } catch {
        return undefined;
    }
}

const run = promisify(execFile);

export class House {
    /** What a subcommand of `aviary` prints about this house; rejects if it fails. */
    async aviary(...args) {
        return (await run(join(bin, "aviary"), [...args, "--data", this.data], { maxBuffer: 1 << 26 })).stdout;
    }

    /** Start with more flags of `aviary up`; resolves when /readyz is 200. */
    static async start(...flags) {
        const house = new House();
        if (process.env.AVIARY_HOUSE) return house.attach();
        house.data = mkdtempSync(join(tmpdir(), "av-"));
        house.port = await freePort();
        house.url = `http://127.0.0.1:${house.port}`;
        house.log = "";
        house.child = spawn(join(bin, "aviary"), ["up", "--data", house.data, "--listen", `127.0.0.1:${house.port}`, "--no-demo", ...flags]);
        for (const stream of [house.child.stdout, house.child.stderr]) stream.on("data", (chunk) => (house.log += chunk));
        house.ended = new Promise((resolve) => house.child.once("exit", resolve));
        try {
            await house.ready();
        } catch (error) {
            await house.stop();
            throw new Error(`${error.message}\n${house.log.slice(-4000)}`);
        }
        house.credentials = JSON.parse(readFileSync(join(house.data, "credentials.json"), "utf8"));
        return house;
    }

    /** The house that runs already in AVIARY_HOUSE (its folder) on AVIARY_HOUSE_PORT, with flags of its own, and AVIARY_HOUSE_LIVE_KEY in place of its live app's; stopping leaves it be. */
    attach() {
        this.data = process.env.AVIARY_HOUSE;
        this.port = Number(process.env.AVIARY_HOUSE_PORT);
        this.url = `http://127.0.0.1:${this.port}`;
        this.credentials = JSON.parse(readFileSync(join(this.data, "credentials.json"), "utf8"));
        this.credentials.app.live_key = process.env.AVIARY_HOUSE_LIVE_KEY ?? this.credentials.app.live_key;
        return this;
    }

    async ready() {
        await until("readiness", async () => {
            if (this.child.exitCode !== null) throw new Error("aviary up ended");
            const status = await fetch(`${this.url}/readyz`).then((r) => r.status, () => 0);
            return status === 200 && existsSync(join(this.data, "credentials.json"));
        }, { seconds: 60, every: 100 });
    }

    /** {service: pid} of these services, once all of their processes are ready and none is one of `old`. */
    async pids(services, old = {}) {
        return until(`${services}`, async () => {
            const rows = JSON.parse(await this.aviary("status", "--json")).filter((row) => services.includes(row.service));
            return rows.length === services.length && rows.every((row) => row.ready && row.pid !== old[row.service]) && Object.fromEntries(rows.map((row) => [row.service, row.pid]));
        }, { every: 50 });
    }

    /** `work` while the processes of these services stand still. */
    async stopped(services, work) {
        const pids = Object.values(await this.pids(services));
        try {
            for (const pid of pids) process.kill(pid, "SIGSTOP");
            await until("the standstill", () => pids.every((pid) => ["T", "Z", undefined].includes(processState(pid))));
            return await work();
        } finally {
            for (const pid of pids)
                try {
                    process.kill(pid, "SIGCONT");
                } catch {
                    // the supervisor has ended it meanwhile, and started another
                }
        }
    }

    /** The control API of the simulator of a house that was started with --simulate. */
    async control(method, path, body) {
        const response = await fetch(this.credentials.simulator.control_url + path, { method, body: body && JSON.stringify(body) });
        const json = await response.json();
        if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(json)}`);
        return json;
    }

    /** Until the simulator has nothing more to say. */
    quiet() {
        return until("the last callback", async () => (await this.control("GET", "")).callbacks_pending === 0);
    }

    /** One request; body is sent as JSON unless it is a string or a form. */
    async request(method, path, { key, body, headers = {} } = {}) {
        const all = { ...headers };
        if (key) all.authorization = `Bearer ${key}`;
        const form = body instanceof FormData;
        if (body !== undefined && !form && !all["content-type"]) all["content-type"] = "application/json";
        const text = body === undefined || form || typeof body === "string" ? body : JSON.stringify(body);
        const response = await fetch(this.url + path, { method, headers: all, body: text });
        const raw = await response.text();
        let json;
        try {
            json = JSON.parse(raw);
        } catch {
            json = undefined;
        }
        return { status: response.status, headers: response.headers, raw, json };
    }

    get testKey() {
        return this.credentials.app.test_key;
    }

    async stop() {
        if (!this.child) return;
        if (this.child.exitCode === null) this.child.kill("SIGTERM");
        const killer = setTimeout(() => this.child.kill("SIGKILL"), 15000);
        await this.ended;
        clearTimeout(killer);
        rmSync(this.data, { recursive: true, force: true });
    }
}

/** What a receiver got. */
class Heard {
    constructor(headers, raw) {
        Object.assign(this, { headers, raw });
    }
    get json() {
        return (this.parsed ??= JSON.parse(this.raw));
    }
}

/** A receiver of webhooks on a free port; `answer` decides the status. */
export class Receiver {
    static async start(answer = () => 200) {
        const receiver = new Receiver();
        receiver.requests = [];
        receiver.server = createServer((req, res) => {
            const chunks = [];
            req.on("data", (chunk) => chunks.push(chunk));
            req.on("end", () => {
                const request = new Heard(req.headers, Buffer.concat(chunks).toString("utf8"));
                receiver.requests.push(request);
                res.statusCode = answer(request, receiver.requests.length);
                res.end("taken");
            });
        });
        await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
        receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
        return receiver;
    }

    /** Requests of which `fits` holds, once there are `count`. */
    heard(count, fits = () => true, what = `${count} webhooks`) {
        const found = () => this.requests.filter(fits);
        return until(what, () => found().length >= count && found(), { tell: () => `${found().length} of ${this.requests.length} fit, the last are ${this.requests.slice(-8).map((r) => r.raw)}` });
    }

    /** Those whose event is one of `names`. */
    wait(count, ...names) {
        return this.heard(count, (r) => names.length === 0 || names.includes(r.json.event));
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }
}
