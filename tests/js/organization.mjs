// organization.mjs - a model of organizations, and the random operations of invariants.test.mjs on them. What a client made itself it expects exactly; what clients share may be
// what overlapping requests can have made of it (model.mjs).
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Broken, Client, Life, Register } from "./model.mjs";

const org = "/v1/organization";
const people = Array.from({ length: 30 }, (_, i) => `+1555123${String(4000 + i)}`);
/** Numbers of the loopback carrier that do not get what is sent: refused at once, and told after it was sent. */
const refused = "+999110001";
const lost = "+999140008";
const events = ["messages.sms.failed", "messages.sms.received", "messages.whatsapp.received"];
const defaults = { voicemailEnabled: false, voicemailGreetingUrl: null, voicemailMaxDuration: 120, autoRecordEnabled: false, recordingFormat: "mp4", defaultAnswerBehavior: "webhook",
                   maxConcurrentCalls: 100, whatsappCallingEnabled: false, whatsappSipEnabled: false };

/** One of the two apps that are made together. */
export class Side {
    keys = new Map(); // id -> {name, key}
    hooks = new Map(); // id -> {url, events, headers}
    calling = { ...defaults };
    numbers = new Map(); // SMS: id -> profile
    whatsapp = new Map(); // id -> number
    paused = false;
    log = { sms: [0, 0], whatsapp: [0, 0] }; // messages out and in
    sent = 0;
    delivered = 0;
    failed = 0;
    received = 0;

    constructor(app, id, test) {
        Object.assign(this, { app, id, test });
    }
    get path() {
        return `${org}/apps/${this.id}`;
    }
}

export class App {
    constructor({ id, slug, name, testApp }) {
        Object.assign(this, { id, slug, name, live: new Side(this, id, false), twin: new Side(this, testApp.id, true) });
    }
    get sides() {
        return [this.live, this.twin];
    }
}

/** What all clients of one organization know. */
export class Organization {
    adminKeys = new Map(); // id -> name
    deadKeys = []; // secrets
    gone = []; // sides of deleted apps
    log = { sms: 0, whatsapp: 0 }; // outbound of shared apps
    users = { "": new Set(), "whatsapp/": new Set() }; // numbers that were drawn to play people
    hot = new Map(); // slug -> [Life]: apps whose slug many want
    pool = { key: [], hook: [], number: [] }; // Lifes
    toggled = new Map(); // `${number} ${app}` -> assignments less removals
    drawn = []; // {id, life}: numbers of apps with contended slugs

    constructor(house, made, receiver) {
        Object.assign(this, { house, id: made.organization_id, admin: made.admin_key, receiver });
    }

    async furnish(client) {
        this.first = (await client.admin(200, "GET", "/apps")).json.apps[0];
        for (const { id, name } of (await client.admin(200, "GET", "/admin-keys")).json.keys) this.adminKeys.set(id, name);
        this.firstKeys = (await client.admin(200, "GET", "/app-keys")).json.keys.map((k) => k.id);
        this.shared = [];
        for (const slug of ["shared-a", "shared-b"]) this.shared.push(new App((await client.admin(201, "POST", "/apps", { body: { slug, name: "x" } })).json));
        this.places = this.shared.map((a) => a.twin.id);
        const draw = async () => (await client.draw(this.places[0])).json.id;
        this.toggles = [await draw(), await draw()];
        for (const number of this.toggles) for (const place of this.places) this.toggled.set(`${number} ${place}`, place === this.places[0] ? 1 : 0);
        this.sets = [];
        for (let i = 0; i < 2; i++) {
            const id = await draw();
            this.sets.push({ id, apps: new Register(this.places[0], id) });
        }
        this.name = new Register("x", this.shared[0].id);
        this.calls = new Register(100, this.places[0]);
        this.retention = new Register((await client.admin(200, "GET", "/settings")).json.mediaRetentionDays, "/v1/organization/settings");
        for (const slug of ["hot-1", "hot-2", "hot-3"]) this.hot.set(slug, []);
    }
}

/** A client of one organization: its own apps and numbers, and what it does. */
export class Actor extends Client {
    apps = [];
    numbers = new Map(); // id -> {id, number, holders: [Side]}, holders in the order of their assignment
    adminKeys = new Map();
    made = 0;

    constructor(n, organization, story, random) {
        super(`client ${n}`, organization.house, story);
        Object.assign(this, { n, org: organization, random, done: new Map() });
    }

    /* ---- asking ---- */

    admin(status, method, path, options = {}) {
        return this.want(status, method, org + path, { key: this.org.admin, ...options });
    }
    draw(app, kind = "", body) {
        return this.admin(201, "POST", `/playground/${kind}phone-numbers/system`, { headers: { "x-app-id": app }, body });
    }
    equal(got, want, ...ids) {
        try {
            assert.deepEqual(got, want);
        } catch (error) {
            throw new Broken(error.message, ...ids);
        }
    }
    word() {
        return `w${this.random.below(100000)}`;
    }

    /* ---- choosing ---- */

    side() {
        return this.apps.length ? this.random.pick(this.random.pick(this.apps).sides) : undefined;
    }
    twin() {
        return this.apps.length ? this.random.pick(this.apps).twin : undefined;
    }
    one(map) {
        return map.size ? this.random.pick([...map.values()]) : undefined;
    }
    keyOf(side) {
        return side && this.one(side.keys)?.key;
    }

    /** One random operation that can be done now; its name. */
    async step() {
        for (;;) {
            const [, name, act] = this.random.weighted(operations);
            if ((await act(this)) === false) continue;
            this.done.set(name, (this.done.get(name) ?? 0) + 1);
            return;
        }
    }
}

/* ---- apps ---- */

async function appCreate(c) {
    if (c.apps.length >= 4) return false;
    const body = { slug: `c${c.n}-${++c.made}`, name: c.word() };
    const { json } = await c.admin(201, "POST", "/apps", { body });
    c.equal([json.slug, json.name, json.status], [body.slug, body.name, "active"], json.id);
    c.apps.push(new App(json));
}

async function appRename(c) {
    if (!c.apps.length) return false;
    const app = c.random.pick(c.apps);
    app.name = c.word();
    c.equal((await c.admin(200, "PUT", `/apps/${app.id}`, { body: { name: app.name } })).json.name, app.name, app.id);
}

async function appDelete(c) {
    if (c.apps.length < 2) return false;
    const [app] = c.apps.splice(c.random.below(c.apps.length), 1);
    await c.admin(200, "DELETE", `/apps/${app.id}`);
    for (const number of c.numbers.values()) number.holders = number.holders.filter((side) => side !== app.twin);
    for (const side of app.sides) {
        for (const { key } of side.keys.values()) c.org.deadKeys.push(key);
        c.org.gone.push(side);
    }
    const dead = app.sides.flatMap((side) => [...side.keys.values()])[0];
    if (dead) await c.want(401, "GET", "/v1/phone-numbers", { key: dead.key });
    await c.admin(404, "DELETE", `/apps/${app.id}`);
}

async function appPause(c) {
    const side = c.side();
    if (!side) return false;
    side.paused = !side.paused;
    await c.org.house.aviary("app", side.paused ? "pause" : "resume", side.id);
    c.story.note(`${c.name} ${side.paused ? "pause" : "resume"} ${side.id}`, [side.id]);
}

async function slugCheck(c) {
    const taken = c.apps.length && c.random.chance(0.5);
    const slug = taken ? c.random.pick(c.apps).slug : `c${c.n}-none-${c.random.below(9)}`;
    c.equal((await c.admin(200, "GET", `/apps/check-slug?slug=${slug}`)).json, { available: !taken, slug }, slug);
}

async function goneAsk(c) {
    if (!c.org.gone.length) return false;
    const side = c.random.pick(c.org.gone);
    const [method, path, body] = c.random.pick([["GET", "/keys"], ["GET", "/webhooks"], ["GET", "/phone-numbers"], ["GET", "/calling"], ["PUT", "/calling", {}], ["PUT", "", { name: "x" }],
                                                ["POST", "/webhooks", { url: c.org.receiver.url, events }]]);
    await c.want(404, method, side.path + path, { key: c.org.admin, body });
}

/* ---- keys ---- */

async function keyCreate(c) {
    const side = c.side();
    if (!side || side.keys.size >= 6) return false;
    const name = c.word();
    const ask = (headers) => c.admin(201, "POST", "/app-keys", { body: { name, appId: side.id }, headers });
    let made = await ask();
    if (c.random.chance(0.1)) {
        side.keys.set(made.json.id, made.json);
        const headers = { "idempotency-key": `${c.n}-${++c.made}` };
        const twins = await Promise.all([ask(headers), ask(headers)]); // one request that was sent twice makes one key
        c.equal(twins[0].json, twins[1].json, side.id, twins[0].json.id);
        made = twins[0];
    }
    side.keys.set(made.json.id, made.json);
    c.equal([made.json.name, made.json.appId, made.json.key.startsWith(side.test ? "sk_test_app_" : "sk_live_app_")], [name, side.id, true], side.id);
}

async function keyUse(c) {
    const side = c.side();
    const key = c.keyOf(side);
    if (!key) return false;
    const { json } = await c.want(200, "GET", "/v1/phone-numbers?limit=100", { key });
    c.equal([json.totalCount, json.phoneNumbers.map((n) => n.phoneNumberId).sort()], [side.numbers.size, [...side.numbers.keys()].sort()], side.id);
}

async function keyDelete(c) {
    const side = c.side();
    const made = side && c.one(side.keys);
    if (!made) return false;
    await c.admin(200, "DELETE", `/app-keys/${made.id}`);
    side.keys.delete(made.id);
    c.org.deadKeys.push(made.key);
    await c.want(401, "GET", "/v1/webhooks", { key: made.key });
}

async function keyDead(c) {
    if (!c.org.deadKeys.length) return false;
    await c.want(401, "GET", "/v1/phone-numbers", { key: c.random.pick(c.org.deadKeys) });
}

async function keyList(c, side = c.side()) {
    if (!side) return false;
    const path = c.random.chance(0.5) ? `${side.path}/keys?limit=100` : `${org}/app-keys?appId=${side.id}&limit=100`;
    const { json } = await c.want(200, "GET", path, { key: c.org.admin });
    c.equal([json.totalCount, json.keys.map((k) => [k.id, k.name]).sort()], [side.keys.size, [...side.keys.values()].map((k) => [k.id, k.name]).sort()], side.id);
}

async function adminKey(c) {
    if (c.adminKeys.size < 3) {
        const { json } = await c.admin(201, "POST", "/admin-keys", { body: { name: c.word() } });
        c.adminKeys.set(json.id, json.key);
        c.org.adminKeys.set(json.id, json.name);
        await c.want(200, "GET", `${org}/settings`, { key: json.key });
        return;
    }
    const [id, key] = [...c.adminKeys][0];
    await c.admin(200, "DELETE", `/admin-keys/${id}`);
    c.adminKeys.delete(id);
    c.org.adminKeys.delete(id);
    await c.want(401, "GET", `${org}/settings`, { key });
}

/* ---- webhooks ---- */

const hookTold = (hook) => [hook.id, hook.url, hook.events, hook.headers];

async function hookCreate(c) {
    const side = c.side();
    if (!side || side.hooks.size >= 5) return false;
    const body = { url: `${c.org.receiver.url}/${c.random.below(1000)}`, events: [c.random.pick(events)] };
    if (c.random.chance(0.5)) body.headers = { "X-A": c.word() };
    const key = c.random.chance(0.5) ? c.keyOf(side) : undefined;
    const { json } = await c.want(201, "POST", key ? "/v1/webhooks" : `${side.path}/webhooks`, { key: key ?? c.org.admin, body });
    side.hooks.set(json.id, { id: json.id, headers: {}, ...body });
    c.equal(hookTold(json), hookTold(side.hooks.get(json.id)), json.id);
}

/** Its address at one level or the other. */
function hookPlace(c, side, id) {
    const key = c.random.chance(0.3) ? c.keyOf(side) : undefined;
    return key ? [`/v1/webhooks/${id}`, { key }] : [`${side.path}/webhooks/${id}`, { key: c.org.admin }];
}

async function hookChange(c) {
    const side = c.side();
    const hook = side && c.one(side.hooks);
    if (!hook) return false;
    const body = c.random.pick([{ url: `${c.org.receiver.url}/${c.random.below(1000)}` }, { events: c.random.pick([events, [events[0]]]) }, { headers: { "X-B": c.word() } }, { headers: {} }, {}]);
    Object.assign(hook, body);
    const [path, options] = hookPlace(c, side, hook.id);
    c.equal(hookTold((await c.want(200, "PUT", path, { ...options, body })).json), hookTold(hook), hook.id);
}

async function hookDelete(c) {
    const side = c.side();
    const hook = side && c.one(side.hooks);
    if (!hook) return false;
    const [path, options] = hookPlace(c, side, hook.id);
    await c.want(200, "DELETE", path, options);
    side.hooks.delete(hook.id);
    await c.want(404, "GET", path, options);
}

async function hookGet(c) {
    const side = c.side();
    const hook = side && c.one(side.hooks);
    if (!hook) return false;
    const [path, options] = hookPlace(c, side, hook.id);
    c.equal(hookTold((await c.want(200, "GET", path, options)).json), hookTold(hook), hook.id);
    await c.admin(404, "GET", `/apps/${side.app.sides.find((s) => s !== side).id}/webhooks/${hook.id}`);
}

async function hookList(c, side = c.side()) {
    if (!side) return false;
    const { json } = await c.want(200, "GET", `${side.path}/webhooks?limit=100`, { key: c.org.admin });
    c.equal([json.totalCount, json.webhooks.map(hookTold).sort()], [side.hooks.size, [...side.hooks.values()].map(hookTold).sort()], side.id);
}

/* ---- calling, settings ---- */

async function callingSet(c) {
    const side = c.side();
    if (!side) return false;
    const some = { voicemailEnabled: c.random.chance(0.5), voicemailGreetingUrl: c.random.pick([null, "https://example.org/hi.mp3"]), voicemailMaxDuration: 10 + c.random.below(590),
                   recordingFormat: c.random.pick(["mp4", "ogg", "webm"]), defaultAnswerBehavior: c.random.pick(["webhook", "voicemail", "reject"]), maxConcurrentCalls: 1 + c.random.below(100) };
    const body = Object.fromEntries(c.random.some(Object.entries(some), 0.5));
    Object.assign(side.calling, body);
    await c.want(200, "PUT", `${side.path}/calling`, { key: c.org.admin, body });
    return callingGet(c, side);
}

async function callingGet(c, side = c.side()) {
    if (!side) return false;
    const { id, appId, organizationId, createdAt, updatedAt, ...rest } = (await c.want(200, "GET", `${side.path}/calling`, { key: c.org.admin })).json;
    c.equal([appId, organizationId, rest, Boolean(id && createdAt && updatedAt)], [side.id, c.org.id, side.calling, true], side.id);
}

async function settings(c) {
    const days = c.random.pick([null, 1 + c.random.below(300)]);
    const set = await c.org.retention.set(days, () => c.admin(200, "PATCH", "/settings", { body: { mediaRetentionDays: days } }));
    c.org.retention.read(set.json.mediaRetentionDays, set);
    const got = await c.admin(200, "GET", "/settings");
    c.org.retention.read(got.json.mediaRetentionDays, got);
}

/* ---- numbers ---- */

async function numberDraw(c) {
    const side = c.twin();
    if (!side || c.numbers.size >= 8) return false;
    const key = c.random.chance(0.5) ? c.keyOf(side) : undefined;
    const { json } = key ? await c.want(201, "POST", "/v1/playground/phone-numbers/system", { key }) : await c.draw(side.id);
    c.numbers.set(json.id, { id: json.id, number: json.number, holders: [side] });
    side.numbers.set(json.id, null);
}

async function numberTaken(c) {
    const [number, side] = [c.one(c.numbers), c.twin()];
    if (!number || !side) return false;
    await c.admin(409, "POST", "/playground/phone-numbers/system", { headers: { "x-app-id": side.id }, body: { number: number.number } });
}

async function numberAssign(c) {
    const [number, side] = [c.one(c.numbers), c.twin()];
    if (!number || !side) return false;
    const key = c.random.chance(0.5) ? c.keyOf(side) : undefined;
    const profile = key ? null : c.random.pick([null, c.word()]);
    const has = number.holders.includes(side);
    const body = { phoneNumberId: number.id, ...(profile ? { telnyxMessagingProfile: profile } : {}) };
    await c.want(has ? 409 : 201, "POST", key ? "/v1/phone-numbers" : `${side.path}/phone-numbers`, { key: key ?? c.org.admin, body });
    if (has) return;
    number.holders.push(side);
    side.numbers.set(number.id, profile);
}

async function numberUnassign(c) {
    const [number, side] = [c.one(c.numbers), c.twin()];
    if (!number || !side) return false;
    const key = c.random.chance(0.5) ? c.keyOf(side) : undefined;
    const has = number.holders.includes(side);
    await c.want(has ? 200 : 404, "DELETE", key ? `/v1/phone-numbers/${number.id}` : `${side.path}/phone-numbers/${number.id}`, { key: key ?? c.org.admin });
    number.holders = number.holders.filter((holder) => holder !== side);
    side.numbers.delete(number.id);
}

async function numberProfile(c) {
    const [number, side] = [c.one(c.numbers), c.twin()];
    if (!number || !side) return false;
    const profile = c.word();
    const has = number.holders.includes(side);
    await c.want(has ? 200 : 404, "PUT", `${side.path}/phone-numbers/${number.id}`, { key: c.org.admin, body: { telnyxMessagingProfile: profile } });
    if (has) side.numbers.set(number.id, profile);
}

async function numberApps(c) {
    const number = c.one(c.numbers);
    if (!number || !c.apps.length) return false;
    const wanted = c.random.some(c.apps.map((app) => app.twin), 0.5);
    const set = (status, ids) => c.admin(status, "PUT", `/phone-numbers/${number.id}/apps`, { body: { appIds: ids } });
    if (c.org.gone.length && c.random.chance(0.2)) await set(404, [...wanted.map((s) => s.id), c.random.pick(c.org.gone).id]); // nothing changes
    if (c.random.chance(0.1)) await set(400, [...wanted.map((s) => s.id), c.apps[0].id]); // a live app
    const kept = number.holders.filter((side) => wanted.includes(side));
    for (const side of number.holders) if (!wanted.includes(side)) side.numbers.delete(number.id);
    for (const side of wanted) if (!kept.includes(side)) side.numbers.set(number.id, null);
    number.holders = [...kept, ...wanted.filter((side) => !kept.includes(side))];
    c.equal((await set(200, wanted.map((s) => s.id))).json.apps.map((a) => a.appId), number.holders.map((s) => s.id), number.id);
}

async function numberRelease(c) {
    const number = c.one(c.numbers);
    if (!number) return false;
    const { json } = await c.admin(200, "DELETE", `/phone-numbers/${number.id}`);
    c.equal(json.affectedApps.map((a) => a.appId), number.holders.map((side) => side.id), number.id);
    for (const side of number.holders) side.numbers.delete(number.id);
    c.numbers.delete(number.id);
    await c.admin(404, "DELETE", `/phone-numbers/${number.id}`);
}

async function numberList(c, side = c.side()) {
    if (!side) return false;
    const { json } = await c.want(200, "GET", `${side.path}/phone-numbers?limit=100`, { key: c.org.admin });
    c.equal([json.totalCount, json.phoneNumbers.map((n) => [n.phoneNumberId, n.telnyxMessagingProfile]).sort()], [side.numbers.size, [...side.numbers].sort()], side.id);
}

async function whatsappDraw(c) {
    const side = c.twin();
    if (!side || side.whatsapp.size >= 2) return false;
    const { json } = await c.draw(side.id, "whatsapp/");
    side.whatsapp.set(json.id, json.number);
    const listed = await c.admin(200, "GET", "/playground/whatsapp/phone-numbers/system", { headers: { "x-app-id": side.id } });
    c.equal(listed.json.phoneNumbers.map((n) => n.id).sort(), [...side.whatsapp.keys()].sort(), side.id);
}

async function userDraw(c) {
    const kind = c.random.pick(["", "whatsapp/"]);
    const { json } = await c.admin(201, "POST", `/playground/${kind}phone-numbers/user`);
    if (c.org.users[kind].has(json.number)) throw new Broken(`${json.number} was drawn twice`, json.id);
    c.org.users[kind].add(json.number);
}

/* ---- messages ---- */

async function smsSend(c) {
    const number = c.one(c.numbers);
    const side = c.random.chance(0.8) ? number?.holders[0] : c.twin();
    const key = c.keyOf(side);
    if (!number || !key) return false;
    const to = [...new Set(Array.from({ length: 1 + c.random.below(3) }, () => c.random.pick(c.random.chance(0.1) ? [refused, lost] : people)))];
    const has = number.holders.includes(side);
    const answer = await c.want(has ? (side.paused ? 403 : 201) : 400, "POST", "/v1/sms", { key, body: { from: number.number, to, text: "Hi" } });
    if (answer.status !== 201) return;
    side.log.sms[0]++;
    for (const one of to) {
        side.sent += one === refused ? 0 : 1;
        side[one === refused || one === lost ? "failed" : "delivered"]++;
    }
}

async function whatsappSend(c) {
    const side = c.twin();
    const [key, from] = [c.keyOf(side), side && c.one(side.whatsapp)];
    if (!key || !from) return false;
    const answer = await c.want(side.paused ? 403 : 201, "POST", "/v1/whatsapp/messages", { key, body: { from, to: c.random.pick(people), type: "text", text: { body: "Hi" } } });
    if (answer.status !== 201) return;
    side.log.whatsapp[0]++;
    side.sent++;
    side.delivered++;
}

/** A person writes to a number: all that hold it get it, the log has it once, and it comes through the carrier. */
async function inbound(c) {
    const number = c.one(c.numbers);
    const side = number?.holders[0];
    const key = c.keyOf(side);
    if (!key) return false;
    await c.want(202, "POST", "/v1/playground/sms/inbound", { key, body: { from: c.random.pick(people), to: number.number, text: "Hi" } });
    for (const holder of number.holders) holder.received++;
    side.log.sms[1]++; // of the one that holds it longest
    for (let i = 0; i < 800; i++) {
        const { json } = await c.want(200, "GET", `${org}/stats?appId=${side.id}`, { key: c.org.admin });
        if (json.messagesReceived === side.received) return;
        if (json.messagesReceived > side.received) break;
        await sleep(25);
    }
    throw new Broken(`${side.received} messages were to be received by ${side.id}`, side.id, number.id);
}

async function stats(c, side = c.side()) {
    if (!side) return false;
    const { json } = await c.want(200, "GET", `${org}/stats?appId=${side.id}`, { key: c.org.admin });
    c.equal([json.appId, json.phoneNumbers, json.webhooks, json.messagesReceived], [side.id, side.numbers.size, side.hooks.size, side.received], side.id);
    if (json.messagesSent > side.sent || json.messagesDelivered > side.delivered || json.messagesFailed > side.failed) throw new Broken(`counted more than was sent: ${JSON.stringify(json)}`, side.id);
}

/** What was accepted is in the log at once; also of apps that are gone. */
async function logs(c, side = c.org.gone.length && c.random.chance(0.2) ? c.random.pick(c.org.gone) : c.side()) {
    if (!side) return false;
    const channel = c.random.pick(["sms", "whatsapp"]);
    const [out, back] = side.log[channel];
    const [direction, want] = c.random.pick([["", out + back], ["&direction=OUTBOUND", out], ["&direction=INBOUND", back]]);
    const { json } = await c.admin(200, "GET", `/${channel}/messages?appId=${side.id}&limit=100${direction}`);
    c.equal([json.totalCount, json.messages.length], [want, Math.min(want, 100)], side.id);
    c.equal(json.messages.map((m) => m.id), json.messages.map((m) => m.id).sort().reverse(), side.id); // newest first
}

/* ---- what all want ---- */

/** At most one app has a slug. */
async function hotCreate(c) {
    const [slug, lives] = c.random.pick([...c.org.hot]);
    const life = new Life(performance.now(), [slug]);
    lives.push(life);
    const answer = await c.admin([201, 409], "POST", "/apps", { body: { slug, name: "hot" } });
    const others = lives.filter((other) => other !== life);
    if (answer.status === 201) {
        Object.assign(life, { app: answer.json, ids: [slug, answer.json.id, answer.json.testApp.id], keys: [], sms: 0 });
        life.born.end = answer.end;
        if (others.some((other) => other.app && other.mustLive(answer))) throw new Broken(`${slug} was given twice`, slug);
        return;
    }
    if (!others.some((other) => other.mayLive(answer))) throw new Broken(`409 for ${slug}, which nobody has`, slug);
    lives.splice(lives.indexOf(life), 1);
}

const hotOne = (c) => {
    const all = [...c.org.hot.values()].flat().filter((life) => life.app);
    return all.length ? all[Math.max(0, all.length - 1 - c.random.below(6))] : undefined;
};

async function hotDelete(c) {
    const life = hotOne(c);
    if (!life) return false;
    await life.end(() => c.ask("DELETE", `${org}/apps/${life.app.id}`, { key: c.org.admin }));
}

async function hotCheck(c) {
    const [slug, lives] = c.random.pick([...c.org.hot]);
    const answer = await c.admin(200, "GET", `/apps/check-slug?slug=${slug}`);
    if (answer.json.available ? lives.some((l) => l.app && l.mustLive(answer)) : !lives.some((l) => l.mayLive(answer))) throw new Broken(`${slug}: available ${answer.json.available}`, slug);
}

/** A key is made, a number is drawn, a text is sent while somebody may be deleting the app. */
async function hotUse(c) {
    const life = hotOne(c);
    if (!life) return false;
    const { key } = life.keys.length && c.random.chance(0.7) ? c.random.pick(life.keys) : { key: undefined };
    if (!key) {
        const made = await c.ask("POST", `${org}/app-keys`, { key: c.org.admin, body: { name: "hot", appId: life.app.testApp.id } });
        if (life.answered(made, 201, 404, "making a key")) life.keys.push(made.json);
        return;
    }
    if (!life.number) {
        const drawn = await c.ask("POST", "/v1/playground/phone-numbers/system", { key });
        if (!life.answered(drawn, 201, drawn.status === 404 ? 404 : 401, "drawing a number")) return;
        life.number = drawn.json.number;
        c.org.drawn.push({ id: drawn.json.id, life });
        return;
    }
    const sent = await c.ask("POST", "/v1/sms", { key, body: { from: life.number, to: [c.random.pick(people)], text: "Hi" } });
    if (!life.answered(sent, 201, sent.status === 400 && sent.json.error.code === "phone_number_not_assigned" ? 400 : 401, "sending")) return;
    life.sms++;
    c.org.log.sms++;
}

/** Of those who assign a number to one app, one wins; so of those who take it away. The sum is what is left. */
async function toggle(c) {
    const [number, place] = [c.random.pick(c.org.toggles), c.random.pick(c.org.places)];
    const pair = `${number} ${place}`;
    const add = c.random.chance(0.5);
    const answer = add ? await c.admin([201, 409], "POST", `/apps/${place}/phone-numbers`, { body: { phoneNumberId: number } }) : await c.admin([200, 404], "DELETE", `/apps/${place}/phone-numbers/${number}`);
    if (answer.status < 300) c.org.toggled.set(pair, c.org.toggled.get(pair) + (add ? 1 : -1));
}

async function setShared(c) {
    const number = c.random.pick(c.org.sets);
    const wanted = c.random.some(c.org.places, 0.5).sort();
    const answer = await number.apps.set(wanted.join(), () => c.admin(200, "PUT", `/phone-numbers/${number.id}/apps`, { body: { appIds: wanted } }));
    c.equal(answer.json.apps.map((a) => a.appId).sort(), wanted, number.id); // as one change
}

async function nameShared(c) {
    const name = c.word();
    const set = await c.org.name.set(name, () => c.admin(200, "PUT", `/apps/${c.org.shared[0].id}`, { body: { name } }));
    c.equal(set.json.name, name, c.org.shared[0].id);
    const max = 1 + c.random.below(1000);
    await c.org.calls.set(max, () => c.admin(200, "PUT", `/apps/${c.org.places[0]}/calling`, { body: { maxConcurrentCalls: max } }));
    const got = await c.admin(200, "GET", `/apps/${c.org.places[0]}/calling`);
    c.org.calls.read(got.json.maxConcurrentCalls, got);
}

/** Keys, webhooks and numbers that anyone may delete: one wins. */
const pools = {
    key: {
        make: (c) => c.admin(201, "POST", "/app-keys", { body: { name: "pool", appId: c.org.places[1] } }),
        path: (life) => `${org}/app-keys/${life.made.id}`,
        use: async (c, life) => life.answered(await c.ask("GET", "/v1/webhooks", { key: life.made.key }), 200, 401, "using a key"),
    },
    hook: {
        make: (c) => c.admin(201, "POST", `/apps/${c.org.places[1]}/webhooks`, { body: { url: c.org.receiver.url, events } }),
        path: (life, c) => `${org}/apps/${c.org.places[1]}/webhooks/${life.made.id}`,
        use: async (c, life) => life.answered(await c.ask("PUT", pools.hook.path(life, c), { key: c.org.admin, body: { events: [c.random.pick(events)] } }), 200, 404, "changing a webhook"),
    },
    number: {
        make: (c) => c.draw(c.org.places[1]),
        path: (life) => `${org}/phone-numbers/${life.made.id}`,
        use: async (c, life) => life.answered(await c.ask("PUT", `${org}/phone-numbers/${life.made.id}/apps`, { key: c.org.admin, body: { appIds: [c.org.places[1]] } }), 200, 404, "assigning a number"),
    },
};

async function poolMake(c) {
    const kind = c.random.pick(Object.keys(pools));
    if (c.org.pool[kind].filter((life) => !life.dead).length >= 6) return false;
    const start = performance.now();
    const answer = await pools[kind].make(c);
    const life = Object.assign(new Life(start, [answer.json.id]), { made: answer.json });
    life.born.end = answer.end;
    c.org.pool[kind].push(life);
}

const poolOne = (c, kind) => {
    const all = c.org.pool[kind];
    return all.length ? all[Math.max(0, all.length - 1 - c.random.below(8))] : undefined;
};

async function poolDelete(c) {
    const kind = c.random.pick(Object.keys(pools));
    const life = poolOne(c, kind);
    if (!life) return false;
    await life.end(() => c.ask("DELETE", pools[kind].path(life, c), { key: c.org.admin }));
}

async function poolUse(c) {
    const kind = c.random.pick(Object.keys(pools));
    const life = poolOne(c, kind);
    if (!life) return false;
    await pools[kind].use(c, life);
}

export const operations = [
    [30, "appCreate", appCreate], [15, "appRename", appRename], [10, "appDelete", appDelete], [1.5, "appPause", appPause], [15, "slugCheck", slugCheck], [15, "goneAsk", goneAsk],
    [50, "keyCreate", keyCreate], [50, "keyUse", keyUse], [20, "keyDelete", keyDelete], [15, "keyDead", keyDead], [25, "keyList", keyList], [10, "adminKey", adminKey],
    [30, "hookCreate", hookCreate], [25, "hookChange", hookChange], [15, "hookDelete", hookDelete], [25, "hookGet", hookGet], [25, "hookList", hookList],
    [15, "callingSet", callingSet], [15, "callingGet", callingGet], [10, "settings", settings],
    [40, "numberDraw", numberDraw], [10, "numberTaken", numberTaken], [30, "numberAssign", numberAssign], [20, "numberUnassign", numberUnassign], [15, "numberProfile", numberProfile],
    [20, "numberApps", numberApps], [12, "numberRelease", numberRelease], [25, "numberList", numberList], [15, "whatsappDraw", whatsappDraw], [10, "userDraw", userDraw],
    [80, "smsSend", smsSend], [50, "whatsappSend", whatsappSend], [10, "inbound", inbound], [25, "stats", stats], [40, "logs", logs],
    [25, "hotCreate", hotCreate], [15, "hotDelete", hotDelete], [15, "hotCheck", hotCheck], [50, "hotUse", hotUse], [25, "toggle", toggle], [20, "setShared", setShared],
    [15, "nameShared", nameShared], [20, "poolMake", poolMake], [20, "poolDelete", poolDelete], [20, "poolUse", poolUse],
];

/** What is to be asked of one app while nobody changes it. */
export const views = [keyList, hookList, callingGet, numberList, stats];
