// No operation shows or touches what another organization or another app has: generated from the served document, so that a new operation cannot escape. Every id that an operation
// takes is tried with one of somebody else; the answer must be that of an id which nobody has, and no row of any store may have changed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ghost, methods } from "./contract.mjs";
import { House, Receiver } from "./house.mjs";
import { bytesOf, differences, keptRows } from "./stores.mjs";
import { until } from "./wait.mjs";

const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
let house;
let receiver;
let document;
let theirs; // ids of the organization that is to be left alone, by prefix; `test` for what test keys may name
let ours; // the same of the one that asks
let third; // another app of the one that asks
let untouched;

/* ---- two organizations with one of everything ---- */

async function must(status, method, path, options) {
    const answer = await house.request(method, path, options);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.raw}`);
    return answer.json;
}

async function upload(key) {
    const form = new FormData();
    form.set("file", new Blob([png], { type: "image/png" }), "a.png");
    const answer = await fetch(`${house.url}/v1/media`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: form });
    const json = await answer.json();
    assert.equal(answer.status, 201, JSON.stringify(json));
    return json.id ?? json.mediaId;
}

/** One of everything in an organization: {admin, key, app, ids: {prefix: [id, ...]}}. */
async function furnish(admin, appId, testId, key, number) {
    const send = { key, body: { from: "", to: "+15551234567", type: "text", text: { body: "Hi" } } };
    const draw = async (kind) => { // both organizations draw from one range: the second of one is no number of the other
        if (!theirs) await must(201, "POST", `/v1/playground/${kind}phone-numbers/system`, { key });
        return must(201, "POST", `/v1/playground/${kind}phone-numbers/system`, { key, body: number ? { number } : undefined });
    };
    const sms = await draw("");
    const whatsapp = await draw("whatsapp/");
    const hook = { url: receiver.url, events: ["messages.sms.sent"] };
    send.body.from = whatsapp.number;
    const ids = {
        app: [testId, appId], // test ids first, in all
        key_admin: [(await must(201, "POST", "/v1/organization/admin-keys", { key: admin, body: { name: "n" } })).id],
        key_app: [(await must(201, "POST", "/v1/organization/app-keys", { key: admin, body: { name: "n", appId: testId } })).id,
                  (await must(201, "POST", "/v1/organization/app-keys", { key: admin, body: { name: "n", appId } })).id],
        whk: [(await must(201, "POST", `/v1/organization/apps/${testId}/webhooks`, { key: admin, body: hook })).id,
              (await must(201, "POST", `/v1/organization/apps/${appId}/webhooks`, { key: admin, body: hook })).id],
        ph: [sms.id],
        wapn: [whatsapp.id],
        med: [await upload(key)],
        msg_sms: [(await must(201, "POST", "/v1/sms", { key, body: { from: sms.number, to: ["+15551234567"], text: "Hi" } })).id],
        msg_wa: [(await must(201, "POST", "/v1/whatsapp/messages", send)).id],
    };
    return { admin, key, appId, testId, ids, sms: sms.number, whatsapp: whatsapp.number };
}

/** All that an organization can read of itself but the times of last use. */
async function state(of) {
    const told = [];
    const paths = ["admin-keys", "app-keys", "apps", "settings"];
    for (const id of of.ids.app) paths.push(`stats?appId=${id}`, ...["keys", "webhooks", "phone-numbers", "calling"].map((p) => `apps/${id}/${p}`));
    for (const path of paths) told.push([path, await must(200, "GET", `/v1/organization/${path}`, { key: of.admin })]);
    for (const path of ["phone-numbers", "webhooks", "playground/phone-numbers/user", "playground/whatsapp/phone-numbers/system", `media/${of.ids.med[0]}`])
        told.push([path, await must(200, "GET", `/v1/${path}`, { key: of.key })]);
    return JSON.parse(JSON.stringify(told, (name, value) => (name === "lastUsedAt" || name === "url" ? undefined : value)));
}

before(async () => {
    process.env.AVIARY_EDGE_KEY_USES = "1h"; // the last use of a key is told later than this test ends
    house = await House.start("--rate-limits", "off", "--loopback-delay", "10");
    delete process.env.AVIARY_EDGE_KEY_USES;
    receiver = await Receiver.start();
    document = (await house.request("GET", "/openapi.json")).json;
    const { admin_key: admin, app: first } = house.credentials;
    theirs = await furnish(admin, first.id, first.test_app_id, first.test_key);
    const org = JSON.parse(await house.aviary("org", "create", "--name", "Other", "--json"));
    theirs.org = house.credentials.organization_id;
    ours = await furnish(org.admin_key, org.app_id, org.test_app_id, org.test_key);
    const app = await must(201, "POST", "/v1/organization/apps", { key: ours.admin, body: { name: "Third", slug: "third" } });
    const { key } = await must(201, "POST", "/v1/organization/app-keys", { key: ours.admin, body: { name: "n", appId: app.testApp.id } });
    third = await furnish(ours.admin, app.id, app.testApp.id, key, "+12005550177");
    untouched = await until("the end of what was sent", async () => {
        const told = await state(theirs);
        return JSON.stringify(told).includes('"messagesDelivered":2') && told;
    });
});
after(async () => {
    await receiver.stop();
    await house.stop();
});

/* ---- what an operation takes ---- */

const resolve = (node) => {
    while (node?.$ref) node = node.$ref.slice(2).split("/").reduce((at, key) => at[key], document);
    return node;
};
const prefixOf = (schema) => /^\^(\w+?)_\(\?:test_\)/.exec(resolve(schema)?.pattern ?? "")?.[1];

/** Paths of all ids in a body's schema: [["media", "mediaId"], "med"]. */
function idsIn(schema, at = []) {
    schema = resolve(schema);
    if (!schema || at.length > 6) return [];
    const prefix = prefixOf(schema);
    if (prefix) return [[at, prefix]];
    const found = Object.entries(schema.properties ?? {}).flatMap(([name, s]) => idsIn(s, [...at, name]));
    return [...found, ...(schema.items ? idsIn(schema.items, [...at, 0]) : [])];
}

/** The least that a schema takes. */
function sample(schema, own) {
    schema = resolve(schema);
    const prefix = prefixOf(schema);
    if (prefix) return own(prefix);
    if (schema.enum) return schema.enum[0];
    if (schema.const !== undefined) return schema.const;
    const type = [schema.type].flat()[0];
    if (type === "object") return Object.fromEntries((schema.required ?? []).map((name) => [name, sample(schema.properties[name], own)]));
    if (type === "array") return Array.from({ length: Math.max(1, schema.minItems ?? 0) }, () => sample(schema.items, own));
    if (type === "integer" || type === "number") return schema.minimum ?? 1;
    if (type === "boolean") return true;
    if (schema.format === "uri") return receiver.url;
    if (schema.pattern?.startsWith("^\\+")) return "+15551234567";
    if (schema.pattern?.includes("\\.")) return "messages.sms.sent";
    return "x".repeat(schema.minLength ?? 1);
}

// What a sample cannot know: which content goes with an id in a WhatsApp message.
const contents = {
    "media.mediaId": { type: "image", media: {} },
    "sticker.mediaId": { type: "sticker", sticker: {} },
    "reaction.messageId": { type: "reaction", reaction: { emoji: "\u{1f44d}" } },
    "interactive.header.mediaId": { type: "interactive", interactive: { type: "buttons", body: "x", buttons: [{ id: "a", title: "A" }], header: { type: "image" } } },
    "replyTo": { type: "text", text: { body: "x" } },
};

function put(object, path, value) {
    const [name, ...rest] = path;
    if (rest.length === 0) object[name] = value;
    else put((object[name] ??= {}), rest, value);
}

/** Every place where an operation takes an id: {where, path, prefix}. */
function places(op) {
    const found = (op.parameters ?? []).map(resolve).filter((p) => prefixOf(p.schema)).map((p) => ({ where: p.in, path: [p.name], prefix: prefixOf(p.schema) }));
    const body = op.requestBody?.content?.["application/json"]?.schema;
    for (const [path, prefix] of body ? idsIn(body) : []) found.push({ where: "body", path, prefix });
    return found;
}

/** Ask an operation as `who` with `id` in one place and `who`'s own ids in the others; without a place, with its own in all. */
function asked(who, method, template, op, place, id, mode) {
    const own = (prefix) => who.ids[prefix]?.[mode] ?? who.ids[prefix]?.[0];
    const is = (where, name) => place?.where === where && place.path[0] === name;
    const headers = {};
    const query = [];
    let path = template;
    for (const p of (op.parameters ?? []).map(resolve)) {
        const value = is(p.in, p.name) ? id : prefixOf(p.schema) ? own(prefixOf(p.schema)) : sample(p.schema, own);
        if (p.in === "path") path = path.replace(`{${p.name}}`, value);
        else if (p.in === "query" && (p.required || is(p.in, p.name))) query.push(`${p.name}=${encodeURIComponent(value)}`);
        else if (p.in === "header" && is(p.in, p.name)) headers[p.name] = value;
    }
    const schema = op.requestBody?.content?.["application/json"]?.schema;
    const body = schema ? sample(schema, own) : undefined;
    if (body && template.startsWith("/v1/whatsapp/messages") && "from" in body) Object.assign(body, { from: who.whatsapp }, structuredClone(contents[place?.path.join(".")] ?? {}));
    if (body && place?.where === "body") put(body, place.path, id);
    const key = op.security[0]?.adminKey ? who.admin : who.key;
    return house.request(method, path + (query.length ? `?${query.join("&")}` : ""), { key, headers, body });
}

const plain = (raw, id) => raw.replaceAll(id, "ID");
const spelled = (prefix, id) => id.replace(/[^_]+$/, ghost);

/** An id of the same time that nobody has: its last bit is another. */
function neighbour(id) {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let value = [...id.match(/[^_]+$/)[0]].reduce((sum, c) => sum * 62n + BigInt(digits.indexOf(c)), 0n) ^ 1n;
    let text = "";
    for (let i = 0; i < 27; i++, value /= 62n) text = digits[Number(value % 62n)] + text;
    return id.replace(/[^_]+$/, text);
}

/** All operations of the document with their places. */
function* operations() {
    for (const [path, item] of Object.entries(document.paths))
        for (const method of methods.filter((m) => item[m])) yield [method.toUpperCase(), path, item[method]];
}

/** The answer to somebody else's id must be the one to an id that nobody has. */
async function tried(who, method, path, op, place, id, mode, ask = asked) {
    const cursor = place.path[0] === "cursor"; // says a place in the caller's own list, by the id's time
    const nobody = cursor ? neighbour(id) : spelled(place.prefix, id);
    const [got, want] = [await ask(who, method, path, op, place, id, mode), await ask(who, method, path, op, place, nobody, mode)];
    const name = `${method} ${path} ${place.where} ${place.path.join(".")}=${id}`;
    const empty = method === "GET" && got.status === 200 && got.json.totalCount === 0; // a filter that nothing fits
    assert.ok([404, 401].includes(got.status) || empty || (cursor && got.status === 200), `${name}: ${got.status} ${got.raw}`);
    assert.equal(got.status, want.status, name);
    assert.equal(plain(got.raw, id), plain(want.raw, nobody), name);
}

/** Run it, and see that not one row of any store came, went or changed. */
async function changesNothing(work) {
    const before = await keptRows(house);
    await work();
    assert.deepEqual(differences(before, await keptRows(house)), []);
}

/* ---- tests ---- */

test("ids of another organization are ids that nobody has", () => changesNothing(async () => {
    let count = 0;
    for (const [method, path, op] of operations())
        for (const place of places(op)) {
            const foreign = theirs.ids[place.prefix];
            assert.ok(foreign, `${method} ${path} takes ids ${place.prefix}_: make one of them in furnish ()`);
            for (const [mode, id] of foreign.entries()) {
                await tried(ours, method, path, op, place, id, mode);
                count++;
            }
        }
    assert.ok(count > 60, `${count} places`);
}));

test("numbers of another organization cannot be sent from", () => changesNothing(async () => {
    for (const [path, body, from, code] of [["/v1/sms", { to: ["+15551234567"], text: "x" }, theirs.sms, "phone_number_not_assigned"],
                                            ["/v1/whatsapp/messages", { to: "+15551234567", type: "text", text: { body: "x" } }, theirs.whatsapp, "phone_number_not_assigned"]]) {
        const nobody = "+12005550199";
        const [got, want] = [await house.request("POST", path, { key: ours.key, body: { ...body, from } }), await house.request("POST", path, { key: ours.key, body: { ...body, from: nobody } })];
        assert.equal(got.status, 400, got.raw);
        assert.equal(got.json.error.code, code);
        assert.equal(plain(got.raw, from), plain(want.raw, nobody));
    }
}));

test("ids of another app of the organization are ids that nobody has", () => changesNothing(async () => {
    let count = 0;
    for (const [method, path, op] of operations())
        for (const place of places(op)) {
            const ofNumber = ["ph", "wapn"].includes(place.prefix);
            if (!op.security[0]?.appKey || (ofNumber && place.where === "body")) continue; // numbers are the organization's: any of its apps may take one
            await tried(third, method, path, op, place, ours.ids[place.prefix][0], 0);
            count++;
        }
    assert.ok(count > 10, `${count} places`);
}));

test("what is under one app is nothing under another", () => changesNothing(async () => {
    let count = 0;
    for (const [method, path, op] of operations()) {
        const [app, ...inner] = places(op).filter((place) => place.where === "path");
        if (app?.prefix !== "app") continue;
        for (const place of inner)
            for (const [mode, id] of ours.ids[place.prefix].entries()) {
                await tried(third, method, path, op, place, id, mode);
                count++;
            }
    }
    assert.ok(count >= 7, `${count} places`);
}));

/** Reads first, what takes things away last, apps at the very end. */
function* gently() {
    const order = (method, path) => ["GET", "POST", "PUT", "PATCH", "DELETE"].indexOf(method) * 10 + (path.endsWith("/apps/{appId}") ? 5 : 0);
    yield* [...operations()].sort(([m1, p1], [m2, p2]) => order(m1, p1) - order(m2, p2));
}

test("what an organization does for itself tells and touches nothing of another", async () => {
    const before = await keptRows(house);
    const secrets = [...Object.values(theirs.ids).flat(), theirs.org].map((id) => id.slice(-27));
    let done = 0;
    for (const [who, mode] of [[third, 0], [third, 1], [ours, 0], [ours, 1]])
        for (const [method, path, op] of gently()) {
            const answer = await asked(who, method, path, op, undefined, undefined, mode);
            assert.ok(answer.status < 500 || path.includes("/purchase"), `${method} ${path}: ${answer.raw}`);
            for (const secret of secrets) assert.ok(!answer.raw.includes(secret), `${method} ${path} tells ${secret}: ${answer.raw}`);
            done += answer.status < 300 ? 1 : 0;
        }
    assert.ok(done > 120, `${done} succeeded`);
    const after = await keptRows(house);
    assert.ok(differences(before, after).length > 50, "it did something");
    const org = bytesOf(theirs.org);
    assert.ok([...before.rows.values()].some((row) => row.includes(org)), "rows hold their organization's id");
    assert.deepEqual(differences(before, after, (row, value, old) => row.includes(org) || value.includes(org) || old.includes(org)), []);
});

test("nothing of the other organization has changed", async () => {
    assert.deepEqual(await state(theirs), untouched);
});

test("planted violations are found", async () => {
    const [method, path, op] = [...operations()].find(([m, p]) => m === "GET" && p.endsWith("/apps/{appId}/webhooks/{webhookId}"));
    const place = places(op).find((p) => p.prefix === "whk");
    const leak = (who, ...rest) => asked(theirs, ...rest); // as if nobody looked whose it is
    await assert.rejects(tried(ours, method, path, op, place, theirs.ids.whk[0], 0, leak), /webhookId=.*: 200/);

    const plants = { // one row of each service
        accounts: () => must(200, "PUT", `/v1/organization/apps/${theirs.appId}`, { key: theirs.admin, body: { name: "Planted" } }),
        inbox: () => house.aviary("team", "create", "--org", theirs.org, "--name", "Planted"),
        messaging: () => must(201, "POST", "/v1/organization/playground/phone-numbers/user", { key: theirs.admin }),
        webhooks: () => must(200, "PUT", `/v1/webhooks/${theirs.ids.whk[0]}`, { key: theirs.key, body: { headers: { "X-Planted": "1" } } }),
        templates: () => house.aviary("carrier", "add", "meta", "--org", theirs.org, "--base-url", "https://127.0.0.1:9", "--waba", "1", "--token", "x", "--app-secret", "x"),
    };
    let before = await keptRows(house);
    assert.deepEqual(Object.keys(plants).sort(), before.services, "a plant for each store");
    for (const [service, plant] of Object.entries(plants)) {
        await plant();
        const after = await keptRows(house);
        const org = bytesOf(theirs.org);
        const found = differences(before, after, (row, value, old) => row.startsWith(`${service} ${service}.`) && (value + old).includes(org));
        assert.ok(found.length > 0, `${service}: ${differences(before, after)}`);
        before = after;
    }
});
