// Kirim's contract, operation by operation of the served document: each succeeds, each documented status is provoked but for those listed here with their reason, each error of the contract's table, and the
// rules that all answers keep. A new operation, status or code without a row here fails.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ghost, Kirim, kindOf, nobody } from "./kirim.mjs";
import { until } from "./wait.mjs";

let kirim;
let us; // one of everything, on a test number
let other; // another organization's
let live; // the account that goes through the simulated carrier
const call = (...args) => kirim.call(...args);
const scoped = (path) => path.startsWith("/{phone_number_id}");

before(async () => {
    kirim = await Kirim.start(["--simulate", "--rate-limits", "100000"], { AVIARY_EDGE_IDEMPOTENCY_WAITING: "1", AVIARY_EDGE_KIRIM_WRITE_PER_MINUTE: "50000" });
    live = kirim.house.credentials.kirim.phone_number_id;
    us = await kirim.furnish();
    const { key, testKey } = await kirim.organization("Other");
    other = await kirim.furnish({ key, testKey, marker: "Theirs" });
});
after(() => kirim?.stop());

const control = (...args) => kirim.house.control(...args);

/** Ask any operation of the document with one's own ids. */
const ask = (want, { method, path, op }, { who = us, other: ids, n = 0, ...options } = {}) =>
    call(want, method.toUpperCase(), kirim.path(path, op, who, ids), { key: who.key, body: kirim.body(op.operationId, who, n), ...options });
const operation = (id) => [...kirim.operations()].find(({ op }) => op.operationId === id);
const parameters = (op, where) => (op.parameters ?? []).map((p) => kirim.resolve(p)).filter((p) => p.in === where);

test("every operation succeeds", async () => {
    const last = (op) => ["DELETE"].includes(op.method.toUpperCase());
    const all = [...kirim.operations()].filter((op) => !last(op));
    for (const one of all) await ask(one.op.operationId === "getMessageMedia" ? 302 : 200, one, { key: one.op.security.length ? us.key : null });
    // what takes away, of things made for it, the inner ones first
    const made = { ...us, ids: { ...us.ids } };
    made.ids.sec = (await call(200, "POST", `/webhook_subscriptions/${us.ids.wbs}/secrets`)).json.data.id;
    await ask(200, operation("deleteWebhookSecret"), { who: made });
    await ask(200, operation("detachContactLabel"));
    await ask(200, operation("detachConversationLabel"));
    made.ids.lbl = (await call(200, "POST", "/labels", { body: { name: "short-lived" } })).json.data.id;
    made.ids.wbs = (await call(200, "POST", "/webhook_subscriptions", { body: kirim.body("createWebhookSubscription", us) })).json.data.id;
    made.ids.ctc = (await call(200, "POST", `/${us.account}/contacts`, { body: kirim.body("createContact", us) })).json.data.id;
    for (const id of ["deleteLabel", "deleteWebhookSubscription", "deleteContact"]) {
        await ask(200, operation(id), { who: made });
        const { error } = (await ask(404, operation(id), { who: made })).json;
        assert.deepEqual([error.code, error.param], ["resource_not_found", "id"]);
    }
});

test("without a key, or with one that is none, every operation is 401", async () => {
    for (const one of kirim.operations()) {
        if (!one.op.security.length) continue;
        await ask(401, one, { key: null, code: "missing_api_key" });
    }
    const me = (key, code, headers) => call(401, "GET", "/me", { key, code, headers });
    await me("kdv_live_000000000000000000000000", "invalid_api_key");
    await me(kirim.house.testKey, "invalid_api_key");
    const org = kirim.house.credentials.organization_id;
    const short = await kirim.newKey("--org", org, "--valid-for", "4s");
    await call(200, "GET", "/me", { key: short });
    const list = JSON.parse(await kirim.cli("key", "list", "--org", org, "--json"));
    const key = await kirim.newKey("--org", org);
    const made = JSON.parse(await kirim.cli("key", "list", "--org", org, "--json")).find((one) => !list.some((old) => old.id === one.id));
    await call(200, "GET", "/me", { key });
    await kirim.cli("key", "delete", made.id);
    await me(key, "revoked_api_key");
    await until("its last second", async () => (await kirim.send("GET", "/me", { key: short })).status === 401, { every: 200 });
    await me(short, "expired_api_key");
});

test("a malformed id in a path is 400 and named; one that nobody has is 404", async () => {
    for (const one of kirim.operations())
        for (const p of parameters(one.op, "path")) {
            const kind = kindOf(p.schema);
            if (!kind) continue; // a template's name
            const bad = kind === "number" ? ["12345", "1".repeat(21), "12345a"] : [`${kind}_1`, `${kind}_${ghost.toLowerCase()}`, `xxx_${ghost}`, ghost];
            for (const id of bad) if (kind !== "number" || /^\d/.test(id)) await ask(400, one, { other: { [p.name]: id }, code: "invalid_field_value", param: p.name });
            const unknown = kind === "number" ? nobody : `${kind}_${ghost}`;
            await ask(404, one, { other: { [p.name]: unknown }, code: "resource_not_found", param: p.name });
        }
    await ask(404, operation("getTemplate"), { other: { name: "nobody_made_this" }, code: "resource_not_found", param: "name" });
});

test("bodies that are none are 400 without a param, absent and wrong fields name themselves", async () => {
    for (const one of kirim.operations()) {
        const content = one.op.requestBody?.content["application/json"];
        if (!content) continue;
        await ask(400, one, { body: "{", code: "invalid_request" });
        await ask(400, one, { body: "[]", code: "invalid_request" });
        await ask(400, one, { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" }, code: "invalid_request" });
        const schema = kirim.resolve(content.schema);
        for (const name of kirim.resolve(schema.anyOf?.[0] ?? schema).required ?? []) {
            const body = { ...kirim.body(one.op.operationId, us), [name]: undefined };
            await ask(400, one, { body, code: "missing_required_field", param: name });
            const { error } = (await ask(400, one, { body: { ...body, [name]: { odd: [1] } } })).json;
            assert.ok(["invalid_field_value", "invalid_phone_number", "invalid_webhook_url", "invalid_request"].includes(error.code), JSON.stringify(error));
            assert.equal(error.param?.split(/[.[]/)[0], name);
        }
        await ask(200, one, { body: { ...kirim.body(one.op.operationId, us, 1), nobody_knows_this: { a: 1 } } });
    }
    await call(400, "GET", "/accounts?status=odd", { code: "invalid_field_value", param: "status" });
});

test("lists: limits, cursors that were altered, that are of other filters, of another list, of another organization", async () => {
    const lists = [...kirim.operations()].filter(({ op }) => parameters(op, "query").some((p) => p.name === "cursor"));
    assert.deepEqual(lists.map(({ op }) => op.operationId).sort(), ["listContacts", "listConversations", "listLabels", "listMessages", "listTemplates", "listWebhookDeliveries", "listWebhookSubscriptions"]);
    const more = { // one more of each, in both organizations
        listContacts: (who) => ask(200, operation("createContact"), { who }),
        listConversations: (who) => ask(200, operation("sendMessage"), { who, body: { ...kirim.body("sendMessage", who), to: "+15559990001" } }),
        listLabels: (who) => ask(200, operation("createLabel"), { who }),
        listMessages: (who) => ask(200, operation("sendMessage"), { who }),
        listTemplates: () => {}, // there are two
        listWebhookDeliveries: (who) => ask(200, operation("replayWebhookDelivery"), { who }),
        listWebhookSubscriptions: (who) => ask(200, operation("createWebhookSubscription"), { who }),
    };
    const cursors = new Map();
    for (const one of lists) {
        for (const who of [us, other]) await more[one.op.operationId](who);
        const at = (query, who = us) => `${kirim.path(one.path, one.op, who)}?${query}`;
        const list = (want, query, options, who = us) => call(want, "GET", at(query, who), { key: who.key, ...options });
        for (const limit of ["0", "101", "-1", "1.5", "x", ""]) await list(400, `limit=${limit}`, { code: "invalid_limit", param: "limit" });
        await list(200, "limit=100&unknown=1");
        const first = await until(`two of ${one.op.operationId}`, async () => {
            const page = (await list(200, "limit=1")).json;
            assert.equal(page.has_more, page.next_cursor !== null);
            return page.has_more && page;
        });
        const all = (await list(200, "limit=100")).json;
        assert.ok(all.has_more === false && all.next_cursor === null && all.data.length > 1);
        const seen = [];
        for (let cursor = ""; cursor !== null; ) {
            const page = (await list(200, `limit=${1 + (seen.length % 3)}${cursor && `&cursor=${cursor}`}`)).json;
            seen.push(...page.data.map((x) => x.id));
            cursor = page.next_cursor;
        }
        assert.deepEqual(seen.filter((id) => all.data.some((x) => x.id === id)), all.data.map((x) => x.id));
        const cursor = first.next_cursor;
        const middle = cursor.length >> 1;
        const altered = [`${cursor.slice(0, middle)}${cursor[middle] === "A" ? "B" : "A"}${cursor.slice(middle + 1)}`, cursor.slice(1), cursor.slice(0, -4), `${cursor}AAAA`, "x", Buffer.from('{"id":"a","ts":1}').toString("base64url")];
        for (const bad of altered) await list(400, `limit=1&cursor=${bad}`, { code: "invalid_cursor", param: "cursor" });
        for (const p of parameters(one.op, "query").filter((q) => !["limit", "cursor"].includes(q.name))) {
            const kind = kindOf(p.schema);
            const value = kind ? us.ids[kind] : (p.schema.enum?.[0] ?? (p.schema.format === "date-time" ? "2020-01-01T00:00:00Z" : p.name === "phone" ? "%2B15557000000" : "en"));
            const changed = p.schema.enum && p.schema.enum[0] === p.schema.default ? p.schema.enum[1] : value;
            await list(400, `${p.name}=${changed}&cursor=${cursor}`, { code: "invalid_cursor", param: "cursor" });
            if (kind) await list(400, `${p.name}=x`, { code: "invalid_field_value", param: p.name });
            if (p.schema.enum) await list(400, `${p.name}=${p.schema.enum[0].toUpperCase()}`, { code: "invalid_field_value", param: p.name });
            if (p.schema.format === "date-time") await list(400, `${p.name}=yesterday`, { code: "invalid_field_value", param: p.name });
        }
        await list(400, `cursor=${cursor}`, { code: "invalid_cursor", param: "cursor" }, other);
        for (const old of cursors.values()) await list(400, `cursor=${old}`, { code: "invalid_cursor", param: "cursor" });
        cursors.set(one.op.operationId, cursor);
    }
});

test("every POST: an idempotency key acts once, for one request, of one organization", async () => {
    let count = 0;
    for (const one of [...kirim.operations()].filter(({ method }) => method === "post")) {
        const headers = { "idempotency-key": `each ${one.op.operationId}` };
        const body = kirim.body(one.op.operationId, us);
        const first = await ask(200, one, { headers, body });
        assert.equal(first.headers.get("idempotent-replayed"), "false");
        const again = await ask(200, one, { headers, body: body && Object.fromEntries(Object.entries(body).reverse()) }); // the same JSON
        assert.equal(again.headers.get("idempotent-replayed"), "true");
        assert.equal(again.raw, first.raw);
        if (body) await ask(422, one, { headers, body: { ...body, and: 1 }, code: "idempotency_key_reuse" });
        else await ask(422, one, { headers, other: { id: `wbd_${ghost}` }, code: "idempotency_key_reuse" });
        const theirs = await ask(200, one, { headers, who: other });
        assert.equal(theirs.headers.get("idempotent-replayed"), "false");
        assert.notEqual(theirs.json.request_id, first.json.request_id);
        await ask(400, one, { headers: { "idempotency-key": "k".repeat(256) }, code: "invalid_field_value", param: "Idempotency-Key" });
        count++;
    }
    assert.ok(count >= 10, `${count} operations`);
    const read = await call(200, "GET", "/labels", { headers: { "idempotency-key": "read" } });
    assert.equal(read.headers.get("idempotent-replayed"), null);
});

/** A message that came in on the live account: the receipt for it. */
async function cameIn() {
    const { id } = await control("POST", "/inbound", { provider: "meta", to: kirim.house.credentials.app.whatsapp_number, from: "+14155550123", type: "text", text: { body: "hi" } });
    await until("the inbound", async () => {
        const { data } = (await call(200, "GET", `/${live}/messages?direction=inbound&limit=1`)).json;
        return data[0] && (await call(200, "GET", `/${live}/messages/${data[0].id}`)).json.data.message_id === id;
    });
    return { messaging_product: "whatsapp", status: "read", message_id: id };
}

test("a repeat waits for the first; when too many wait, they are told so; a failure of the carrier is 502 and not kept", async () => {
    const path = `/${live}/messages`;
    const receipt = await cameIn();
    const headers = { "idempotency-key": "slow" };
    await control("DELETE", "/requests");
    await control("POST", "/rules", { provider: "meta", times: 1, action: { delay_ms: 5000 } });
    const first = call(200, "POST", path, { body: receipt, headers });
    await until("the first at the carrier", async () => (await control("GET", "/requests?provider=meta&path=/messages")).length);
    // One may wait here, the other is told at once; no request runs for the 30 s that it would wait.
    const repeats = [1, 2].map(() => kirim.send("POST", path, { key: us.key, body: receipt, headers }));
    const refused = kirim.hold(409, "POST", path, await Promise.race(repeats), { code: "idempotency_in_progress" });
    await call(422, "POST", path, { body: { ...receipt, and: 1 }, headers, code: "idempotency_key_reuse" });
    await call(200, "GET", "/me"); // others are answered meanwhile
    const done = await first;
    assert.equal(done.headers.get("idempotent-replayed"), "false");
    const replayed = kirim.hold(200, "POST", path, (await Promise.all(repeats)).find((answer) => answer !== refused));
    assert.deepEqual([replayed.headers.get("idempotent-replayed"), replayed.raw], ["true", done.raw]);

    const next = await cameIn();
    const broken = { "idempotency-key": "broken" };
    await control("POST", "/rules", { provider: "meta", action: { status: 500 } });
    await call(502, "POST", path, { body: next, headers: broken, code: "whatsapp_upstream_error" });
    await control("DELETE", "/rules");
    const later = await call(200, "POST", path, { body: next, headers: broken });
    assert.equal(later.headers.get("idempotent-replayed"), "false");
});

test("what a send is refused for", async () => {
    const send = (want, code, param, body, account = us.account) => call(want, "POST", `/${account}/messages`, { body: { messaging_product: "whatsapp", ...body }, code, param });
    const to = us.person;
    const text = { to, type: "text", text: { body: "x" } };
    for (const bad of ["0811", "+0811", "628", "+62 811", "x", `+${"1".repeat(16)}`]) await send(400, "invalid_phone_number", "to", { ...text, to: bad });
    await send(400, "invalid_template_name", "template.name", { to, type: "template", template: { name: "nobody_made_this", language: "en_US" } });
    await send(400, "missing_required_field", "type", { to, text: { body: "x" } });
    await send(400, "invalid_field_value", "type", { ...text, status: "read", message_id: us.wamid });
    for (const image of [{}, { link: "https://a.example/a.png", id: "1" }]) await send(400, "invalid_field_value", "image", { to, type: "image", image });
    const receipt = (message_id) => ({ status: "read", message_id });
    await send(404, "resource_not_found", "message_id", receipt("wamid.nobody"));
    await send(404, "resource_not_found", "message_id", receipt(other.wamid));
    const sent = await until("WhatsApp's id", async () => (await call(200, "GET", `/${us.account}/messages/${us.ids.msg}`)).json.data.message_id);
    await send(400, "invalid_field_value", "message_id", receipt(sent));
    await send(200, undefined, undefined, receipt(us.wamid));
    const own = await kirim.furnish({ marker: "Closing" });
    await kirim.cli("number", "set", own.chirpId, "--status", "disconnected");
    assert.ok((await call(200, "GET", "/accounts?status=disconnected")).json.data.some((a) => a.phone_number_id === own.account));
    await until("the refusal", async () => (await kirim.send("POST", `/${own.account}/messages`, { key: us.key, body: { messaging_product: "whatsapp", ...text } })).status === 422);
    await send(422, "account_not_connected", undefined, text, own.account);
    await call(200, "GET", `/${own.account}/messages`);
});

test("refusals of contacts, conversations, labels and webhooks", async () => {
    const contacts = `/${us.account}/contacts`;
    await call(400, "POST", contacts, { body: { phone_number: us.person }, code: "invalid_field_value", param: "phone_number" });
    await call(400, "POST", contacts, { body: { phone_number: "x" }, code: "invalid_phone_number", param: "phone_number" });
    const conversation = `/${us.account}/conversations/${us.ids.cnv}`;
    await call(400, "PATCH", conversation, { body: {}, code: "missing_required_field", param: "status" });
    for (const user of [`usr_${ghost}`, other.ids.usr, "me"]) await call(400, "PATCH", conversation, { body: { assigned_to: user }, code: "invalid_field_value", param: "assigned_to" });
    const { name } = (await call(200, "GET", `/labels/${us.ids.lbl}`)).json.data;
    await call(400, "POST", "/labels", { body: { name }, code: "invalid_field_value", param: "name" });
    const second = await call(200, "POST", "/labels", { body: { name: "second" } });
    await call(400, "PATCH", `/labels/${second.json.data.id}`, { body: { name }, code: "invalid_field_value", param: "name" });

    const hooks = "/webhook_subscriptions";
    for (const url of ["https://169.254.169.254/", "https://u:p@example.com/", "ftp://example.com/", "x"])
        await call(400, "POST", hooks, { body: { url, events: ["contact.created"] }, code: "invalid_webhook_url", param: "url" });
    const { data: hook } = (await call(200, "POST", hooks, { body: kirim.body("createWebhookSubscription", us) })).json;
    await call(422, "DELETE", `${hooks}/${hook.id}/secrets/${hook.secrets[0].id}`, { code: "last_active_secret" });
    for (let i = 1; i < 5; i++) await call(200, "POST", `${hooks}/${hook.id}/secrets`);
    await call(409, "POST", `${hooks}/${hook.id}/secrets`, { code: "secret_limit_reached" });
    await call(200, "PATCH", `${hooks}/${us.ids.wbs}`, { body: { status: "paused" } });
    await call(409, "POST", `/webhook_deliveries/${us.ids.wbd}/replay`, { code: "subscription_not_active" });
    await call(409, "POST", "/webhook_deliveries/bulk_replay", { body: { subscription_id: us.ids.wbs }, code: "subscription_not_active" });
    await call(200, "PATCH", `${hooks}/${us.ids.wbs}`, { body: { status: "active" } });
    await call(404, "POST", "/webhook_deliveries/bulk_replay", { body: { subscription_id: `wbs_${ghost}` }, code: "resource_not_found", param: "subscription_id" });

    const team = (await kirim.cli("team", "create", "--name", "Second", "--org", kirim.house.credentials.organization_id)).match(/team_\w{26}/)[0];
    await call(400, "POST", "/labels", { body: { name: "whose" }, code: "missing_required_field", param: "team_id" });
    const { data: foreign } = (await call(200, "POST", "/labels", { body: { name: "theirs", team_id: team } })).json;
    for (const at of [`${contacts}/${us.ids.ctc}`, conversation]) await call(422, "POST", `${at}/labels`, { body: { label_id: foreign.id }, code: "team_mismatch", param: "label_id" });
});

test("paths and methods that are not there have the envelope too", async () => {
    for (const path of ["/nothing", "/me/more", `/${us.account}`, `/${us.account}/nothing`, `/${us.account}/messages/${us.ids.msg}/nothing`, "/webhook_deliveries/a/b", "/"]) {
        const answer = await kirim.send("GET", path, { key: us.key });
        assert.equal(answer.status, 404, path);
        kirim.checkRules(answer, path, false);
        assert.deepEqual([answer.json.error.type, answer.json.error.code], ["not_found", "resource_not_found"]);
    }
    const tried = new Set();
    for (const { path, op } of kirim.operations())
        for (const method of ["PUT", "GET", "POST", "PATCH", "DELETE"]) {
            if (tried.has(method + path) || kirim.document.paths[path][method.toLowerCase()]) continue;
            tried.add(method + path);
            const concrete = kirim.path(path, op, us);
            if (/bulk_(label|replay)$/.test(path)) continue; // for other methods it stands where an id does
            const answer = await kirim.send(method, concrete, { key: us.key, body: method === "GET" ? undefined : {} });
            assert.equal(answer.status, 405, `${method} ${concrete}: ${answer.raw}`);
            kirim.checkRules(answer, concrete, false);
            assert.equal(answer.json.error.code, "method_not_allowed");
            const allowed = answer.headers.get("allow").split(", ");
            for (const [verb] of Object.entries(kirim.document.paths[path])) assert.ok(allowed.includes(verb.toUpperCase()), `${path}: ${allowed}`);
        }
    assert.ok(tried.size > 60, `${tried.size}`);
});

test("buckets are apart by class and by organization, are told, and when empty every operation is 429", async () => {
    const small = await Kirim.start([], { AVIARY_EDGE_KIRIM_WRITE_PER_MINUTE: "2", AVIARY_EDGE_KIRIM_READ_PER_MINUTE: "4" });
    try {
        const { key } = await small.organization("Other");
        const left = (answer) => Number(answer.headers.get("x-ratelimit-remaining"));
        for (const [method, path, options, size] of [["GET", "/me", {}, 4], ["POST", "/labels", { body: {} }, 2]]) {
            for (let i = 1; i <= size; i++) {
                const answer = await small.call(method === "GET" ? 200 : 400, method, path, options);
                assert.deepEqual([answer.headers.get("x-ratelimit-limit"), left(answer)], [String(size), size - i]);
                assert.ok(Math.abs(Number(answer.headers.get("x-ratelimit-reset")) - (Date.now() / 1000 + (60 / size) * i)) < 5);
            }
            const empty = await small.call(429, method, path, { ...options, code: "rate_limit_exceeded" });
            assert.equal(left(empty), 0);
            assert.ok(Number(empty.headers.get("retry-after")) <= 60 / size);
            assert.equal(left(await small.call(method === "GET" ? 200 : 400, method, path, { ...options, key })), size - 1);
        }
        const none = { ids: { number: "12345678", ...Object.fromEntries(["wbs", "sec", "wbd", "lbl", "msg", "cnv", "ctc"].map((kind) => [kind, `${kind}_${ghost}`])) } };
        for (const { method, path, op } of small.operations()) {
            if (!op.security.length) continue;
            await small.call(429, method.toUpperCase(), small.path(path, op, none), { body: method === "get" ? undefined : {}, code: "rate_limit_exceeded" });
        }
        await small.call(200, "GET", "/health");
        await small.call(401, "GET", "/me", { key: null });
        for (const told of small.told) kirim.told.add(told);
        for (const [name, statuses] of small.seen) for (const status of statuses) kirim.seen.get(name).add(status);
    } finally {
        await small.stop();
    }
});

test("a suspended organization, and services that are away", async () => {
    const gone = await kirim.organization("Suspended");
    await call(200, "GET", "/me", { key: gone.key });
    await kirim.cli("org", "suspend", gone.id);
    const answer = await kirim.send("GET", "/me", { key: gone.key });
    assert.deepEqual([answer.status, answer.json.error.type, answer.json.error.code], [403, "permission_error", "organization_suspended"]);
    kirim.told.add("403 permission_error organization_suspended");
    await kirim.house.stopped(["messaging", "webhooks"], async () => {
        const away = ["sendMessage", "createWebhookSubscription", "addWebhookSecret"].map((id) => ask(503, operation(id), { code: "service_unavailable" }));
        for (const one of await Promise.all(away)) assert.match(one.headers.get("retry-after"), /^\d+$/);
    });
});

// ---- what is documented and cannot be provoked ----

const ofOurs = "a fault of ours";
const sendsOnly = "only sends need a connected account; the contract lists 422 for every path under one";
/** Statuses by operation that no request leads to, and why. */
function cannot({ method, path, op }) {
    const out = {};
    if (op.responses[500]) out[500] = ofOurs;
    if (op.responses[422] && scoped(path) && method !== "post") out[422] = sendsOnly; // a POST may reuse a key
    return out;
}

test("every documented status was seen, but for those that cannot be", () => {
    for (const one of kirim.operations()) {
        const seen = kirim.seen.get(one.name);
        assert.ok(seen, `${one.name} was never asked`);
        const reasons = cannot(one);
        for (const status of Object.keys(one.op.responses).filter((s) => s !== "default").map(Number)) {
            if (reasons[status]) assert.ok(!seen.has(status), `${one.name} answered ${status} after all: ${reasons[status]}`);
            else assert.ok(seen.has(status), `${one.name} never answered ${status}`);
        }
        for (const status of Object.keys(reasons)) assert.ok(one.op.responses[status], `${one.name}: ${status} is not documented`);
    }
});

// The contract's table of errors; a fourth column says why a row cannot be provoked.
const errors = [
    [400, "invalid_request_error", "invalid_request"],
    [400, "invalid_request_error", "missing_required_field"],
    [400, "invalid_request_error", "invalid_field_value"],
    [400, "invalid_request_error", "invalid_phone_number"],
    [400, "invalid_request_error", "invalid_template_name"],
    [400, "invalid_request_error", "invalid_limit"],
    [400, "invalid_request_error", "invalid_cursor"],
    [400, "invalid_request_error", "invalid_webhook_url"],
    [401, "authentication_error", "missing_api_key"],
    [401, "authentication_error", "invalid_api_key"],
    [401, "authentication_error", "revoked_api_key"],
    [401, "authentication_error", "expired_api_key"],
    [403, "permission_error", "plan_limit_exceeded", "there are no plans"],
    [403, "permission_error", "organization_suspended"],
    [404, "not_found", "resource_not_found"],
    [405, "invalid_request_error", "method_not_allowed"], // ours
    [409, "conflict", "idempotency_in_progress"],
    [409, "conflict", "subscription_not_active"],
    [409, "conflict", "secret_limit_reached"],
    [422, "invalid_request_error", "idempotency_key_reuse"],
    [422, "invalid_request_error", "account_not_connected"],
    [422, "invalid_request_error", "whatsapp_number_not_verified", "of an older generation, whose paths name no account"],
    [422, "invalid_request_error", "last_active_secret"],
    [422, "invalid_request_error", "team_mismatch"],
    [429, "rate_limit_error", "rate_limit_exceeded"],
    [500, "api_error", "internal_error", ofOurs],
    [502, "api_error", "whatsapp_upstream_error"],
    [503, "api_error", "service_unavailable"],
];

test("every error of the contract was provoked, and no other", () => {
    const rows = new Set();
    for (const [status, type, code, reason] of errors) {
        const row = `${status} ${type} ${code}`;
        rows.add(row);
        assert.equal(kirim.told.has(row), !reason, reason ? `${row} came after all: ${reason}` : `${row} was never provoked`);
    }
    for (const told of kirim.told) assert.ok(rows.has(told), `${told} is no row of the table`);
});
