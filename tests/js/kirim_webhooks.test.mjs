// Kirim's webhooks as a customer meets them: a verifier written from the contract's text alone, with nothing but Node's crypto, accepts every delivery; rotation with
// overlap, the 31 hours, auto-disable, replay, pause, and that subscribers of both dialects hear of one event.
import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { after, before, test } from "node:test";
import { House, Receiver } from "./house.mjs";
import { until } from "./wait.mjs";

const names = ["message.received", "message.status", "message.created", "conversation.assigned", "conversation.closed", "contact.created", "contact.updated"];

let house;
let ahead = 0; // milliseconds that the house's clock was moved

before(async () => {
    house = await House.start("--test-clock", "--rate-limits", "off", "--loopback-delay", "10");
});
after(() => house.stop());

async function forward(text, ms) {
    await house.aviary("clock", `+${text}`);
    ahead += ms;
}

/** t and v1 of the header; any secret may match any v1; a skew over 300 s is refused. */
function verify({ rawBody, signatureHeader, secrets }) {
    const parts = signatureHeader.split(",").map((part) => part.split("="));
    const t = parts.find(([name]) => name === "t")[1];
    if (Math.abs((Date.now() + ahead) / 1000 - Number(t)) > 300) throw new Error(`skew: ${t}`);
    const given = parts.filter(([name]) => name === "v1").map(([, hex]) => Buffer.from(hex, "hex"));
    const wanted = secrets.map((secret) => createHmac("sha256", secret).update(`${t}.${rawBody}`).digest());
    if (!given.some((one) => wanted.some((want) => one.length === want.length && timingSafeEqual(one, want)))) throw new Error("no signature fits");
    return { t: Number(t), count: given.length, payload: JSON.parse(rawBody) };
}

const check = (request, ...secrets) => verify({ rawBody: request.raw, signatureHeader: request.headers["x-kirim-signature"], secrets });

async function ask(method, path, body, status = 200) {
    const answer = await house.request(method, path, { key: house.credentials.kirim.key, body });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.raw}`);
    assert.match(answer.json.request_id ?? answer.json.error.request_id, /^req_/);
    return answer.json.data ?? answer.json;
}

const subscribe = (url, events = names) => ask("POST", "/v1/webhook_subscriptions", { url, events });
const remove = (hook) => ask("DELETE", `/v1/webhook_subscriptions/${hook.id}`);

const isEvent = (name) => (request) => request.headers["x-kirim-event"] === name;

let people = 0;
const phone = () => `+62811${String(++people).padStart(7, "0")}`;
/** A contact whose making is told to everybody who is to hear of it: a subscription beside the others hears of it too. */
async function addContactTold() {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver.url, ["contact.created"]);
    const contact = await addContact();
    await receiver.heard(1, (r) => r.json.data.contact.id === contact.id);
    await remove(hook);
    await receiver.stop();
    return contact;
}
const addContact = () => ask("POST", `/v1/${house.credentials.kirim.phone_number_id}/contacts`, { phone_number: phone(), name: "Sari" });

async function whatsappNumber() {
    const answer = await house.request("POST", "/v1/playground/whatsapp/phone-numbers/system", { key: house.testKey });
    assert.equal(answer.status, 201, answer.raw);
    return answer.json.number;
}

test("every delivery verifies, its headers are those of the contract, and its id names it in the log", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver.url);
    assert.match(hook.id, /^wbs_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.match(hook.initial_secret, /^whsec_[A-Za-z0-9_-]{43}$/);
    assert.equal(hook.secrets[0].expires_at, null);
    assert.equal((await ask("GET", `/v1/webhook_subscriptions/${hook.id}`)).initial_secret, undefined);
    const contact = await addContact();
    const [request] = await receiver.heard(1, isEvent("contact.created"));
    const { payload } = check(request, hook.initial_secret);
    assert.equal(payload.data.contact.id, contact.id);
    assert.equal(payload.data.acquisition_source, "api");
    assert.equal(payload.id, request.headers["x-kirim-event-id"]);
    assert.equal(request.headers["x-kirim-source"], "kirim");
    assert.equal(request.headers["x-kirim-attempt"], "1");
    assert.equal(request.headers["user-agent"], "Kirim-Webhook/1.0");
    assert.equal(request.headers["content-type"], "application/json");
    assert.throws(() => check({ ...request, raw: `${request.raw} ` }, hook.initial_secret));
    assert.throws(() => check(request, "whsec_other"));
    const row = await ask("GET", `/v1/webhook_deliveries/${request.headers["x-kirim-delivery-id"]}`);
    assert.equal(row.subscription_id, hook.id);
    assert.deepEqual(row.payload, JSON.parse(request.raw));
    assert.equal(row.event_id, request.headers["x-kirim-event-id"]);
    assert.ok(JSON.parse(await house.aviary("deliveries", "list", "--json")).some((one) => one.id === row.id && one.webhook === hook.id));
    await remove(hook);
    await receiver.stop();
});

test("a message of a test app is told to both dialects, each in its form", async () => {
    const [ours, theirs] = [await Receiver.start(), await Receiver.start()];
    const hook = await subscribe(ours.url);
    const other = await house.request("POST", "/v1/webhooks", { key: house.testKey, body: { url: theirs.url, events: ["messages.whatsapp.sent", "messages.whatsapp.received", "messages.whatsapp.failed"] } });
    assert.equal(other.status, 201, other.raw);
    const [from, to] = [await whatsappNumber(), "+15551230001"];
    const reply = await house.request("POST", "/v1/playground/whatsapp/inbound", { key: house.testKey, body: { from: to, to: from, text: "Hi" } });
    assert.equal(reply.status, 202, reply.raw);
    const [received] = await ours.heard(1, isEvent("message.received"));
    const value = check(received, hook.initial_secret).payload.entry[0].changes[0].value;
    assert.equal(received.headers["x-kirim-source"], "meta");
    assert.equal(value.messaging_product, "whatsapp");
    assert.equal(value.metadata.display_phone_number, from.slice(1));
    assert.match(value.metadata.phone_number_id, /^\d{6,20}$/);
    assert.equal(value.contacts[0].wa_id, to.slice(1));
    assert.equal(value.messages[0].from, to.slice(1));
    assert.equal(value.messages[0].text.body, "Hi");
    assert.match(value.messages[0].timestamp, /^\d{10}$/);
    assert.equal(value.messages[0].id, received.headers["x-kirim-event-id"]);
    await theirs.wait(1, "messages.whatsapp.received");
    const sent = await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body: { from, to, type: "text", text: { body: "Hello" } } });
    assert.equal(sent.status, 201, sent.raw);
    const statuses = (await ours.heard(3, isEvent("message.status"))).map((r) => check(r, hook.initial_secret).payload.entry[0].changes[0].value.statuses[0]);
    assert.deepEqual(statuses.map((s) => s.status).sort(), ["delivered", "read", "sent"]);
    assert.ok(statuses.every((s) => s.recipient_id === to.slice(1) && s.id === statuses[0].id));
    const [created] = await ours.heard(1, isEvent("message.created"));
    assert.equal(check(created, hook.initial_secret).payload.data.message.status, "pending");
    await theirs.wait(1, "messages.whatsapp.sent");
    await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body: { from, to: "+9992131026", type: "text", text: { body: "x" } } });
    const failed = (r) => isEvent("message.status")(r) && r.raw.includes('"failed"');
    const [bad] = await ours.heard(1, failed);
    const status = check(bad, hook.initial_secret).payload.entry[0].changes[0].value.statuses[0];
    assert.equal(status.errors[0].code, 131026);
    assert.ok(status.errors[0].error_data.details);
    await remove(hook);
    await house.request("DELETE", `/v1/webhooks/${other.json.id}`, { key: house.testKey });
    await Promise.all([ours.stop(), theirs.stop()]);
});

test("a conversation that is closed is told, and what is erased leaves the log", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver.url);
    const [from, to] = [await whatsappNumber(), "+15551230002"];
    await house.request("POST", "/v1/playground/whatsapp/inbound", { key: house.testKey, body: { from: to, to: from, text: "Hi" } });
    const [received] = await receiver.heard(1, isEvent("message.received"));
    const number = JSON.parse(received.raw).entry[0].changes[0].value.metadata.phone_number_id;
    const [made] = await receiver.heard(1, isEvent("contact.created"));
    const contact = check(made, hook.initial_secret).payload.data;
    assert.equal(contact.acquisition_source, "inbound");
    assert.equal(contact.contact.phone_number, to);
    const [conversation] = (await house.request("GET", `/v1/${number}/conversations`, { key: house.credentials.kirim.key })).json.data;
    await ask("PATCH", `/v1/${number}/conversations/${conversation.id}`, { status: "resolved" });
    const [closed] = await receiver.heard(1, isEvent("conversation.closed"));
    assert.deepEqual(check(closed, hook.initial_secret).payload.data.conversation, { id: conversation.id, object: "conversation", status: "resolved", closed_by_user_id: null });
    await ask("DELETE", `/v1/${number}/contacts/${contact.contact.id}`);
    const gone = [made, closed].map((request) => request.headers["x-kirim-delivery-id"]);
    for (const id of gone) await until("its end in the log", async () => (await house.request("GET", `/v1/webhook_deliveries/${id}`, { key: house.credentials.kirim.key })).status === 404);
    await remove(hook);
    await receiver.stop();
});

test("during rotation both secrets verify, afterwards the one that is left", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver.url, ["contact.created"]);
    const path = `/v1/webhook_subscriptions/${hook.id}`;
    const added = await ask("POST", `${path}/secrets`, { expires_in_hours: 1 });
    assert.match(added.id, /^sec_/);
    assert.notEqual(added.expires_at, null);
    await addContact();
    const [during] = await receiver.heard(1);
    assert.equal(check(during, hook.initial_secret).count, 2);
    check(during, added.secret);
    await forward("61m", 61 * 60000);
    await addContact();
    const [, later] = await receiver.heard(2);
    assert.equal(check(later, hook.initial_secret).count, 1);
    assert.throws(() => check(later, added.secret));
    const kept = await ask("POST", `${path}/secrets`);
    assert.equal(kept.expires_at, null);
    assert.deepEqual(await ask("DELETE", `${path}/secrets/${hook.secrets[0].id}`), { id: hook.secrets[0].id, deleted: true });
    assert.equal((await ask("DELETE", `${path}/secrets/${kept.id}`, undefined, 422)).error.code, "last_active_secret");
    for (let i = 0; i < 4; i++) await ask("POST", `${path}/secrets`);
    assert.equal((await ask("POST", `${path}/secrets`, undefined, 409)).error.code, "secret_limit_reached");
    await addContact();
    const [, , last] = await receiver.heard(3);
    check(last, kept.secret);
    assert.throws(() => check(last, hook.initial_secret));
    await remove(hook);
    await receiver.stop();
});

test("eight attempts over about 31 hours, then dead; a replay brings it", async () => {
    const waits = [10, 30, 120, 600, 3600, 21600, 86400];
    let answer = 500;
    const receiver = await Receiver.start(() => answer);
    const hook = await subscribe(receiver.url, ["contact.created"]);
    await addContact();
    const times = [check((await receiver.heard(1))[0], hook.initial_secret).t];
    const id = receiver.requests[0].headers["x-kirim-delivery-id"];
    const row = () => ask("GET", `/v1/webhook_deliveries/${id}`);
    const settled = (attempts) => until(`attempt ${attempts}`, async () => {
        const now = await row();
        return now.attempt_count >= attempts && now;
    });
    for (const [i, wait] of waits.entries()) {
        const before = await settled(i + 1);
        assert.equal(before.status, "failed");
        assert.equal(before.response_status, 500);
        assert.equal(before.response_body_snippet, "taken");
        const due = Date.parse(before.next_attempt_at) - Date.parse(before.last_attempt_at);
        assert.ok(due >= wait * 800 && due <= wait * 1200, `${wait} s became ${due} ms`);
        await forward(`${Math.ceil(wait * 1.2)}s`, Math.ceil(wait * 1.2) * 1000);
        const request = (await receiver.heard(i + 2))[i + 1];
        assert.equal(request.headers["x-kirim-attempt"], String(i + 2));
        assert.equal(request.headers["x-kirim-delivery-id"], id);
        assert.equal(request.raw, receiver.requests[0].raw);
        times.push(check(request, hook.initial_secret).t);
    }
    assert.ok((times[7] - times[0]) / 3600 > 25 && (times[7] - times[0]) / 3600 < 39);
    const dead = await settled(8);
    assert.equal(dead.status, "dead");
    assert.equal(dead.next_attempt_at, null);
    assert.equal((await ask("GET", `/v1/webhook_subscriptions/${hook.id}`)).consecutive_failures, 1);
    answer = 200;
    const replay = await ask("POST", `/v1/webhook_deliveries/${id}/replay`);
    assert.deepEqual({ ...replay, id: 0 }, { id: 0, object: "webhook_delivery", replayed_from: id, status: "pending" });
    const again = (await receiver.heard(9))[8];
    assert.equal(again.raw, receiver.requests[0].raw);
    assert.equal(again.headers["x-kirim-event-id"], receiver.requests[0].headers["x-kirim-event-id"]);
    assert.equal(again.headers["x-kirim-delivery-id"], replay.id);
    await until("no failure in a row", async () => (await ask("GET", `/v1/webhook_subscriptions/${hook.id}`)).consecutive_failures === 0);
    assert.equal((await row()).status, "dead");
    await remove(hook);
    await receiver.stop();
});

test("24 failures in a row disable; active again brings it back, with its dead letters in bulk", async () => {
    let answer = 401;
    const receiver = await Receiver.start(() => answer);
    const hook = await subscribe(receiver.url, ["contact.created"]);
    const path = `/v1/webhook_subscriptions/${hook.id}`;
    for (let i = 0; i < 24; i++) await addContact();
    await until("the end of its activity", async () => (await ask("GET", path)).status !== "active");
    const off = await ask("GET", path);
    assert.equal(off.status, "disabled");
    assert.equal(off.disabled_reason, "consecutive_failures");
    assert.equal(off.consecutive_failures, 24);
    await addContactTold();
    const list = `/v1/webhook_deliveries?subscription_id=${hook.id}`;
    assert.equal((await house.request("GET", `${list}&limit=100`, { key: house.credentials.kirim.key })).json.data.length, 24);
    assert.equal((await ask("POST", "/v1/webhook_deliveries/bulk_replay", { subscription_id: hook.id }, 409)).error.code, "subscription_not_active");
    answer = 200;
    const on = await ask("PATCH", path, { status: "active" });
    assert.deepEqual([on.status, on.disabled_reason, on.consecutive_failures], ["active", null, 0]);
    assert.deepEqual(await ask("POST", "/v1/webhook_deliveries/bulk_replay", { subscription_id: hook.id }), { enqueued: 24, capped: false });
    await receiver.heard(48);
    await until("24 successes", async () => (await house.request("GET", `${list}&status=succeeded&limit=100`, { key: house.credentials.kirim.key })).json.data.length === 24);
    const first = await house.request("GET", `${list}&status=succeeded&limit=20`, { key: house.credentials.kirim.key });
    assert.equal(first.json.has_more, true);
    const rest = await house.request("GET", `${list}&status=succeeded&limit=20&cursor=${first.json.next_cursor}`, { key: house.credentials.kirim.key });
    assert.deepEqual([first.json.data.length, rest.json.data.length, rest.json.has_more, rest.json.next_cursor], [20, 4, false, null]);
    assert.ok([...first.json.data, ...rest.json.data].every((one) => /^wbd_/.test(one.replayed_from) && one.payload === undefined));
    const altered = await house.request("GET", `${list}&status=dead&cursor=${first.json.next_cursor}`, { key: house.credentials.kirim.key });
    assert.deepEqual([altered.status, altered.json.error.code], [400, "invalid_cursor"]);
    await remove(hook);
    await receiver.stop();
});

test("paused ones hear of nothing, resumed ones of what comes then", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver.url, ["contact.created"]);
    assert.equal((await ask("PATCH", `/v1/webhook_subscriptions/${hook.id}`, { status: "paused" })).status, "paused");
    await addContactTold();
    assert.equal((await ask("PATCH", `/v1/webhook_subscriptions/${hook.id}`, { status: "active", description: "ours" })).description, "ours");
    const contact = await addContactTold();
    const [request] = await receiver.heard(1);
    assert.equal(check(request, hook.initial_secret).payload.data.contact.id, contact.id);
    assert.equal(receiver.requests.length, 1);
    await remove(hook);
    await receiver.stop();
});

test("what a subscription may be is checked, and the field is named", async () => {
    const rows = [
        [{ events: names }, "missing_required_field", "url"],
        [{ url: "https://example.com/" }, "missing_required_field", "events"],
        [{ url: "ftp://example.com/", events: names }, "invalid_webhook_url", "url"],
        [{ url: "https://169.254.169.254/", events: names }, "invalid_webhook_url", "url"],
        [{ url: "https://10.1.2.3/", events: names }, "invalid_webhook_url", "url"],
        [{ url: "https://u:p@example.com/", events: names }, "invalid_webhook_url", "url"],
        [{ url: "https://example.com/", events: ["message.sent"] }, "invalid_field_value", "events[0]"],
        [{ url: "https://example.com/", events: [] }, "invalid_field_value", "events"],
    ];
    for (const [body, code, param] of rows) {
        const { error } = await ask("POST", "/v1/webhook_subscriptions", body, 400);
        assert.deepEqual([error.type, error.code, error.param], ["invalid_request_error", code, param], JSON.stringify(body));
    }
    assert.equal((await ask("GET", "/v1/webhook_subscriptions/wbs_00000000000000000000000001", undefined, 404)).error.code, "resource_not_found");
    assert.equal((await ask("GET", "/v1/webhook_subscriptions/wbs_1", undefined, 400)).error.param, "id");
    assert.equal((await ask("GET", "/v1/webhook_deliveries?limit=101", undefined, 400)).error.code, "invalid_limit");
});
