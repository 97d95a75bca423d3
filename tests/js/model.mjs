// model.mjs - what tests with many clients at once need: seeded choices, requests that are remembered by the ids they name, and what may be true of things that several clients change.
import http from "node:http";
import { performance } from "node:perf_hooks";

/** Choices that depend on the seed alone (mulberry32). */
export function choices(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let z = state;
        z = Math.imul(z ^ (z >>> 15), z | 1);
        z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
        return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
    };
    const below = (n) => Math.floor(next() * n);
    return {
        below,
        chance: (part) => next() < part,
        pick: (list) => list[below(list.length)],
        some: (list, part) => list.filter(() => next() < part),
        /** One of [[weight, ...], ...]. */
        weighted(rows) {
            let at = next() * rows.reduce((sum, [weight]) => sum + weight, 0);
            return rows.find(([weight]) => (at -= weight) < 0) ?? rows.at(-1);
        },
    };
}

/** Something is not as it must be; `ids` are the objects concerned. */
export class Broken extends Error {
    constructor(message, ...ids) {
        super(message);
        this.ids = ids.filter(Boolean);
    }
}

/** Ids, and numbers that the playground draws. */
const anyId = /\b(?:app|key_app|key_admin|whk|ph|wapn|msg_sms|msg_wa)_(?:test_)?[0-9A-Za-z]{27}\b|\+1[0-9]{3}55501[0-9]{2}\b/g;

/** What was asked and answered, in order; the last of each object. */
export class Story {
    lines = [];
    of = new Map();
    keys = new Map(); // secret -> id

    note(line, ids) {
        const at = this.lines.push(line) - 1;
        for (const id of new Set(ids)) {
            const list = this.of.get(id) ?? [];
            this.of.set(id, [...list.slice(-11), at]);
        }
    }

    tell(ids) {
        const wanted = [...new Set(ids.flatMap((id) => this.of.get(id) ?? []))].sort((a, b) => a - b);
        return [`the last operations on ${ids.join(", ") || "nothing in particular"}:`, ...wanted.map((at) => `  ${at}: ${this.lines[at]}`),
                "the last operations of all:", ...this.lines.slice(-12).map((line) => `  ${line}`)].join("\n");
    }
}

/** A client with connections of its own that stay open; every answer goes into the story, and none may be 5xx. */
export class Client {
    constructor(name, house, story) {
        Object.assign(this, { name, port: house.port, story, asked: 0, agent: new http.Agent({ keepAlive: true, maxSockets: 4 }) });
    }

    /** {status, json, raw, headers, start, end}; times tell what was going on meanwhile. */
    async ask(method, path, { key, body, headers } = {}) {
        const start = performance.now();
        const text = body === undefined ? undefined : JSON.stringify(body);
        let answer;
        while (!answer) answer = await this.once(method, path, { key, text, headers });
        this.asked++;
        Object.assign(answer, { start, end: performance.now() });
        try {
            answer.json = JSON.parse(answer.raw);
        } catch {
            answer.json = undefined;
        }
        const named = [path, text, headers?.["x-app-id"], headers?.["idempotency-key"], this.story.keys.get(key)].filter(Boolean).join(" ");
        const made = [answer.json?.id, answer.json?.testApp?.id, answer.json?.number, JSON.parse(text ?? "{}").slug].filter(Boolean);
        if (answer.json?.key) this.story.keys.set(answer.json.key, answer.json.id);
        answer.ids = [...(named.match(anyId) ?? []), ...made];
        const line = `${this.name} ${start.toFixed(1)}-${answer.end.toFixed(1)} ${method} ${named} -> ${answer.status} ${answer.status >= 400 ? answer.raw.slice(0, 200) : made.join(" ") || answer.raw.slice(0, 60)}`;
        this.story.note(line, [this.name, path, ...answer.ids]);
        if (answer.status >= 500 || answer.json === undefined) throw new Broken(`${method} ${path}: ${answer.status} ${answer.raw.slice(0, 300)}`, this.name, ...answer.ids);
        return answer;
    }

    /** One try; undefined if the server closed a connection that had been idle before it took the request. */
    once(method, path, { key, text, headers }) {
        return new Promise((resolve, reject) => {
            const all = { ...headers };
            if (key) all.authorization = `Bearer ${key}`;
            if (text !== undefined) Object.assign(all, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
            const request = http.request({ host: "127.0.0.1", port: this.port, method, path, headers: all, agent: this.agent }, (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, raw: Buffer.concat(chunks).toString("utf8") }));
            });
            request.setTimeout(30000, () => request.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
            request.on("error", (error) => (request.reusedSocket && error.code === "ECONNRESET" ? resolve(undefined) : reject(error)));
            request.end(text);
        });
    }

    /** Ask and insist on a status (or one of several). */
    async want(status, method, path, options) {
        const answer = await this.ask(method, path, options);
        if (![status].flat().includes(answer.status)) throw new Broken(`${method} ${path}: ${answer.status} in place of ${status}: ${answer.raw.slice(0, 300)}`, this.name, ...answer.ids);
        return answer;
    }

    close() {
        this.agent.destroy();
    }
}

/**
 * A thing that several clients may take away while others use it. Requests overlap, so of an answer one can only say whether it may be: it may be that of a living thing
 * unless a deletion was answered before the request began, and that of a dead one as soon as a deletion that was not refused had begun before the request ended.
 */
export class Life {
    deaths = [];

    constructor(start, ids) {
        this.born = { start, end: Infinity };
        this.ids = ids;
    }

    mayLive(at) {
        return this.born.start < at.end && !this.deaths.some((d) => d.won && d.end < at.start);
    }
    mustLive(at) {
        return this.born.end < at.start && !this.deaths.some((d) => d.won !== false && d.start < at.end);
    }
    mayBeDead(at) {
        return this.born.end > at.start || this.deaths.some((d) => d.won !== false && d.start < at.end);
    }
    get dead() {
        return this.deaths.some((d) => d.won);
    }

    /** Check an answer of something that only lives things give. */
    answered(answer, alive, gone, what) {
        if (answer.status === alive && !this.mayLive(answer)) throw new Broken(`${what}: ${answer.status} of what was deleted before`, ...this.ids);
        if (answer.status === gone && !this.mayBeDead(answer)) throw new Broken(`${what}: ${answer.status} of what nobody deletes`, ...this.ids);
        if (answer.status !== alive && answer.status !== gone) throw new Broken(`${what}: ${answer.status} ${answer.raw}`, ...this.ids);
        return answer.status === alive;
    }

    /** Delete it by `ask`; one wins, everybody else gets 404. */
    async end(ask) {
        const death = { start: performance.now(), end: Infinity, won: undefined };
        this.deaths.push(death);
        const answer = await ask();
        const others = this.deaths.some((d) => d !== death && d.won);
        death.end = answer.end;
        death.won = answer.status === 200;
        if (![200, 404].includes(answer.status)) throw new Broken(`deleting: ${answer.status} ${answer.raw}`, ...this.ids);
        if (death.won && others) throw new Broken("deleted twice", ...this.ids);
        if (!death.won && !this.deaths.some((d) => d !== death && d.won !== false && d.start < answer.end)) throw new Broken("404 of what nobody else deletes", ...this.ids);
        return answer;
    }
}

/** A value that several clients set: one that is read must have been set, and not been replaced before the read began. */
export class Register {
    writes = [];

    constructor(value, ...ids) {
        this.writes.push({ start: -1, end: 0, value });
        this.ids = ids;
    }

    async set(value, ask) {
        const write = { start: performance.now(), end: Infinity, value };
        this.writes.push(write);
        const answer = await ask();
        write.end = answer.end;
        return answer;
    }

    read(value, at) {
        const may = this.writes.filter((w) => w.start < at.end && !this.writes.some((later) => w.end < later.start && later.end < at.start));
        if (!may.some((w) => w.value === value)) throw new Broken(`${JSON.stringify(value)} was read where ${JSON.stringify(may.map((w) => w.value))} may be`, ...this.ids);
    }
}
