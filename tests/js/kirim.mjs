// kirim.mjs - a running house whose Kirim answers are held against the document that it serves and the rules that all of them keep: envelope, request id, rate headers; and one of everything that an
// operation of it takes, so that tests can go through the document's operations rather than through a list of their own.
import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { methods } from "./contract.mjs";
import { House, Receiver } from "./house.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

export const ghost = "01HXYZABCDEFGHJKMNPQRSTVWX"; // a ULID: no record of ours has it
export const nobody = "99999999"; // a phone_number_id
const requestId = /^req_[0-9A-HJKMNP-TV-Z]{26}$/;
const types = ["invalid_request_error", "authentication_error", "permission_error", "not_found", "conflict", "rate_limit_error", "api_error"];

/** Prefix of the ids that a schema takes: "cnv"; "number" for those of accounts. */
export function kindOf(schema) {
    return schema?.pattern === "^\\d{6,20}$" ? "number" : /^\^([a-z]+)_\[0-9A-HJ/.exec(schema?.pattern ?? "")?.[1];
}

export class Kirim {
    /** `env` is set while the house starts. */
    static async start(flags = [], env = {}) {
        const self = new Kirim();
        const old = { ...process.env };
        Object.assign(process.env, env);
        try {
            self.house = await House.start("--loopback-delay", "10", ...flags);
        } finally {
            for (const name of Object.keys(env)) (name in old ? (process.env[name] = old[name]) : delete process.env[name]);
        }
        self.key = self.house.credentials.kirim.key;
        self.document = (await self.house.request("GET", "/kirim/v1/openapi.json")).json;
        self.ajv = new Ajv({ strict: false });
        addFormats(self.ajv);
        self.ajv.addSchema(self.document, "doc");
        self.seen = new Map(); // "get /path" to the statuses it answered
        self.told = new Set(); // "400 type code"
        return self;
    }

    async stop() {
        await this.receiver?.stop();
        await this.house.stop();
    }

    cli(...args) {
        return this.house.aviary(...args);
    }

    /** Another organization: {id, admin, testKey, key}. */
    async organization(name) {
        const made = JSON.parse(await this.cli("org", "create", "--name", name, "--json"));
        return { id: made.organization_id, admin: made.admin_key, testKey: made.test_key, key: made.organization_key };
    }

    async newKey(...flags) {
        return (await this.cli("key", "create", "--organization", "--name", "n", ...flags)).match(/kdv_live_[A-Za-z0-9_-]{24}/)[0];
    }

    *operations() {
        for (const [path, item] of Object.entries(this.document.paths))
            for (const method of methods.filter((m) => item[m])) yield { method, path, op: item[method], name: `${method} ${path}` };
    }

    resolve(node) {
        while (node?.$ref) node = node.$ref.slice(2).split("/").reduce((at, key) => at[key], this.document);
        return node;
    }

    operation(method, path) {
        const bare = path.split("?")[0];
        const templates = Object.keys(this.document.paths).sort((a, b) => a.split("{").length - b.split("{").length);
        const found = templates.find((t) => this.document.paths[t][method.toLowerCase()] && new RegExp(`^${t.replace(/\{[^}]+\}/g, "[^/]+")}$`).test(bare));
        assert.ok(found, `${method} ${path} is not in the document`);
        return [found, method.toLowerCase()];
    }

    /** Ask and hold the answer against document and rules. `code` and `param` are of the error, `key: null` brings none; the whole answer is returned. */
    async call(want, method, path, { code, param, key = this.key, ...options } = {}) {
        return this.hold(want, method, path, await this.send(method, path, { key, ...options }), { code, param });
    }

    /** Hold an answer that is there against document and rules. */
    hold(want, method, path, answer, { code, param } = {}) {
        const what = `${method} ${path}: ${answer.status} ${answer.raw}`;
        assert.equal(answer.status, want, what);
        const [template, verb] = this.operation(method, path);
        const { responses, security } = this.document.paths[template][verb];
        const name = String(want) in responses ? String(want) : "default";
        const content = this.resolve(responses[name]).content;
        if (content) {
            const pointer = responses[name].$ref ?? `#/paths/${template.replaceAll("/", "~1")}/${verb}/responses/${name}`;
            const validate = this.ajv.getSchema(`${encodeURI(`doc${pointer}`)}/content/application~1json/schema`);
            assert.ok(validate(answer.json), `${JSON.stringify(validate.errors)} in ${what}`);
        }
        this.checkRules(answer, what, security.length > 0);
        if (code) assert.deepEqual([answer.json.error.code, answer.json.error.param], [code, param], what);
        const seen = `${verb} ${template}`;
        this.seen.set(seen, (this.seen.get(seen) ?? new Set()).add(want));
        return answer;
    }

    /** What any answer has, of an operation or of none. */
    checkRules(answer, what, counts) {
        const id = answer.headers.get("x-request-id");
        assert.match(id, requestId, what);
        if (answer.status !== 302) {
            const own = answer.status < 400 ? answer.json.request_id : answer.json.error.request_id;
            assert.match(own, requestId, what);
            if (answer.headers.get("idempotent-replayed") === "true") assert.notEqual(own, id, what);
            else assert.equal(own, id, what);
            assert.match(answer.headers.get("content-type"), /^application\/json/, what);
        }
        if (answer.status >= 400) {
            const { error } = answer.json;
            assert.deepEqual(Object.keys(answer.json), ["error"], what);
            assert.ok(types.includes(error.type) && error.code && error.message, what);
            this.told.add(`${answer.status} ${error.type} ${error.code}`);
        } else if (answer.status < 300) assert.ok("data" in answer.json, what);
        if (answer.status === 429) assert.ok(Number(answer.headers.get("retry-after")) >= 1, what);
        for (const part of ["limit", "remaining", "reset"]) {
            const header = answer.headers.get(`x-ratelimit-${part}`);
            if (!counts || answer.status === 401) assert.equal(header, null, what);
            else if (answer.status < 500) assert.match(header, /^\d+$/, what);
        }
    }

    async send(method, path, { key, ...options } = {}) {
        if (!path.endsWith("/media")) return this.house.request(method, `/kirim/v1${path}`, { key, ...options });
        const answer = await fetch(`${this.house.url}/kirim/v1${path}`, { method, headers: key ? { authorization: `Bearer ${key}` } : {}, redirect: "manual" });
        const raw = await answer.text();
        return { status: answer.status, headers: answer.headers, raw, json: raw ? JSON.parse(raw) : undefined };
    }

    /** One of everything that Kirim has, in one organization, on a number of a test app: ids by kind, the file and the text of a person, the bodies of all operations that take one. */
    async furnish({ key = this.key, testKey = this.house.testKey, marker = "marker", draws = 1 } = {}) {
        this.receiver ??= await Receiver.start();
        const must = async (method, path, body) => {
            const answer = await this.send(method, path, { key, body });
            assert.equal(answer.status, 200, `${method} ${path}: ${answer.raw}`);
            return answer.json.data;
        };
        let drawn;
        for (let i = 0; i < draws; i++) drawn = await this.house.request("POST", "/v1/playground/whatsapp/phone-numbers/system", { key: testKey }); // organizations draw from one range
        assert.equal(drawn.status, 201, drawn.raw);
        const accounts = await must("GET", "/accounts?status=all");
        const account = accounts.find((one) => one.phone_number === drawn.json.number).phone_number_id;
        const person = `+1555${String(7000000 + Kirim.people++)}`;
        const hook = await must("POST", "/webhook_subscriptions", { url: this.receiver.url, events: ["contact.created"], description: marker });
        const label = await must("POST", "/labels", { name: `label of ${marker}` });
        const image = await must("POST", `/${account}/messages`, { messaging_product: "whatsapp", to: person, type: "image", image: { link: "https://files.example/a.png", caption: marker } });
        const inbound = await this.house.request("POST", "/v1/playground/whatsapp/inbound", { key: testKey, body: { from: person, to: drawn.json.number, text: marker } });
        assert.equal(inbound.status, 202, inbound.raw);
        const conversation = await until("the conversation", async () => (await must("GET", `/${account}/conversations`)).find((c) => c.last_inbound_at));
        const delivery = await until("the delivery", async () => (await must("GET", `/webhook_deliveries?subscription_id=${hook.id}&status=succeeded`))[0]);
        const received = await until("the inbound", async () => (await must("GET", `/${account}/messages?direction=inbound`))[0]);
        const wamid = await until("WhatsApp's id", async () => (await must("GET", `/${account}/messages/${received.id}`)).message_id);
        const user = (await this.cli("user", "create", "--name", marker, "--email", `${marker.toLowerCase()}@house.example`, ...(await this.orgFlag(key)))).match(/usr_\w{26}/)[0];
        return { key, testKey, account, person, chirpId: drawn.json.id, number: drawn.json.number, wamid, marker,
                 ids: { number: account, wbs: hook.id, sec: hook.secrets[0].id, wbd: delivery.id, lbl: label.id, msg: image.id, cnv: conversation.id, ctc: conversation.contact.id, usr: user } };
    }

    async orgFlag(key) {
        const me = await this.send("GET", "/me", { key });
        const orgs = JSON.parse(await this.cli("org", "list", "--json"));
        const own = orgs.find((one) => spelledAs(one.id, me.json.data.organization.id));
        return ["--org", own.id];
    }

    /** An operation's path with the ids of `who`, but for those in `other`. */
    path(template, op, who, other = {}) {
        let path = template;
        for (const p of (op.parameters ?? []).map((one) => this.resolve(one)).filter((one) => one.in === "path"))
            path = path.replace(`{${p.name}}`, other[p.name] ?? (p.name === "name" ? "hello_world" : who.ids[kindOf(p.schema)]));
        return path;
    }

    /** A body that an operation takes, with the ids of `who`; undefined where it takes none. `n` makes it another one. */
    body(operationId, who, n = 0) {
        const { ids } = who;
        const bodies = {
            sendMessage: () => ({ messaging_product: "whatsapp", to: who.person, type: "text", text: { body: `Halo ${n}` } }),
            createContact: () => ({ phone_number: `+1555${String(8000000 + Kirim.people++)}`, name: "Sari" }),
            updateContact: () => ({ name: `Name ${n}` }),
            updateConversation: () => ({ status: n % 2 ? "pending" : "open" }),
            attachContactLabel: () => ({ label_id: ids.lbl }),
            attachConversationLabel: () => ({ label_id: ids.lbl }),
            bulkLabelContacts: () => ({ contact_ids: [ids.ctc], label_id: ids.lbl, operation: n % 2 ? "detach" : "attach" }),
            createLabel: () => ({ name: `label ${Kirim.people++}` }),
            updateLabel: () => ({ color: n % 2 ? "sky" : "red" }),
            createWebhookSubscription: () => ({ url: this.receiver.url, events: ["contact.created"] }),
            updateWebhookSubscription: () => ({ description: `${n}` }),
            addWebhookSecret: () => ({ expires_in_hours: 1 + n }),
            bulkReplayWebhookDeliveries: () => ({ subscription_id: ids.wbs, event_type: `none${n}` }),
            replayWebhookDelivery: () => undefined,
        };
        return bodies[operationId]?.();
    }
}
Kirim.people = 0;

/** The 16 bytes of an id, in Chirp's spelling or Kirim's. */
export function valueOf(id) {
    const [letters, digits] = id.slice(id.lastIndexOf("_") + 1).length === 27 ? ["0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", id.slice(-27)] : ["0123456789ABCDEFGHJKMNPQRSTVWXYZ", id.slice(-26)];
    return [...digits].reduce((sum, c) => sum * BigInt(letters.length) + BigInt(letters.indexOf(c)), 0n) & ((1n << 128n) - 1n);
}
export const spelledAs = (a, b) => valueOf(a) === valueOf(b);

/** What a receiver does by the contract's text alone: the payload, if one of the secrets made one of the signatures. */
export function verified(request, ...secrets) {
    const parts = request.headers["x-kirim-signature"].split(",").map((part) => part.split("="));
    const t = parts.find(([name]) => name === "t")[1];
    assert.ok(Math.abs(Date.now() / 1000 - Number(t)) <= 300, `skew: ${t}`);
    const wanted = secrets.map((secret) => createHmac("sha256", secret).update(`${t}.${request.raw}`).digest());
    const given = parts.filter(([name]) => name === "v1").map(([, hex]) => Buffer.from(hex, "hex"));
    assert.ok(given.some((one) => wanted.some((want) => one.length === want.length && timingSafeEqual(one, want))), "no signature fits");
    return JSON.parse(request.raw);
}
