// house.mjs - starts the real binaries in a temporary folder on free ports, for tests that use npm's clients. Always stops what it started.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export const bin = process.env.AVIARY_BIN ?? new URL("../../build/dev/bin", import.meta.url).pathname;

/** A port that was free a moment ago. */
async function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer().once("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
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
        for (let i = 0; i < 600; i++) {
            if (this.child.exitCode !== null) throw new Error("aviary up ended");
            const status = await fetch(`${this.url}/readyz`).then((r) => r.status, () => 0);
            if (status === 200 && existsSync(join(this.data, "credentials.json"))) return;
            await sleep(100);
        }
        throw new Error("not ready after 60 s");
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

/** A receiver of webhooks on a free port; `answer` decides the status. */
export class Receiver {
    static async start(answer = () => 200) {
        const receiver = new Receiver();
        receiver.requests = [];
        receiver.server = createServer((req, res) => {
            const chunks = [];
            req.on("data", (chunk) => chunks.push(chunk));
            req.on("end", () => {
                const request = { headers: req.headers, raw: Buffer.concat(chunks).toString("utf8") };
                receiver.requests.push(request);
                res.statusCode = answer(request, receiver.requests.length);
                res.end("taken");
            });
        });
        await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
        receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
        return receiver;
    }

    /** Requests whose event is one of `names`, once there are `count`. */
    async wait(count, ...names) {
        const wanted = () => this.requests.filter((r) => names.length === 0 || names.includes(JSON.parse(r.raw).event));
        for (let i = 0; i < 300 && wanted().length < count; i++) await sleep(50);
        if (wanted().length < count) throw new Error(`${wanted().length} of ${count} webhooks came: ${this.requests.map((r) => JSON.parse(r.raw).event)}`);
        return wanted();
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }
}
