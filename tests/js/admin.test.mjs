// The operations of admin keys: every answer, success and error, validates against the served document; what is revoked is refused at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Contract, errorOf, ghost } from "./contract.mjs";
import { House, Receiver } from "./house.mjs";
import { until } from "./wait.mjs";

let contract;
let house;
let receiver;
let admin;
const call = (want, method, path, options = {}) => contract.call(want, method, path, { key: admin, ...options });
const ask = (method, path, options) => house.request(method, path, options);
const appOf = (id) => `/v1/organization/apps/${id}`;
const lapse = "/v1/phone-numbers"; // any operation of apps

let slugs = 0;
async function newApp(name = "An app") {
    return call(201, "POST", "/v1/organization/apps", { body: { name, slug: `app-${++slugs}` } });
}
async function keyOf(appId) {
    return call(201, "POST", "/v1/organization/app-keys", { body: { name: "a key", appId } });
}

before(async () => {
    process.env.AVIARY_EDGE_KEY_USES = "200ms";
    contract = await Contract.start();
    delete process.env.AVIARY_EDGE_KEY_USES;
    house = contract.house;
    admin = house.credentials.admin_key;
    receiver = await Receiver.start();
});
after(async () => {
    await receiver.stop();
    await contract.stop();
});

/** What each operation answers without an admin key. */
async function unauthorized(method, path, body) {
    for (const key of [null, "sk_admin_nobody", house.testKey, house.credentials.app.live_key])
        assert.equal((await call(401, method, path, { key, body })).error.type, "authentication_error");
}

test("admin keys", async () => {
    const path = "/v1/organization/admin-keys";
    const made = await call(201, "POST", path, { body: { name: "second" } });
    assert.match(made.key, /^sk_admin_[0-9A-Za-z]{40}$/);
    assert.equal((await ask("GET", path, { key: made.key })).status, 200);
    const listed = await call(200, "GET", path);
    assert.equal(listed.totalCount, 2);
    assert.deepEqual(listed.keys.map((k) => k.keyPreview), ["sk_admin_****", "sk_admin_****"]);
    assert.ok(!JSON.stringify(listed).includes(made.key.slice(9)));
    assert.equal((await call(200, "GET", `${path}?limit=1&offset=1`)).keys.length, 1);
    assert.equal((await call(400, "GET", `${path}?limit=0`)).error.param, "limit");
    assert.equal((await call(400, "POST", path, { body: {} })).error.param, "name");
    assert.equal((await call(400, "POST", path, { body: { name: "" } })).error.param, "name");
    await call(200, "DELETE", `${path}/${made.id}`);
    assert.equal((await ask("GET", path, { key: made.key })).status, 401);
    await call(404, "DELETE", `${path}/${made.id}`);
    await call(404, "DELETE", `${path}/key_admin_${ghost}`);
    const last = (await call(200, "GET", path)).keys[0];
    for (const alias of [last.id.replace("admin", "app"), last.id.replace("admin_", "admin_test_"), "x"]) await call(404, "DELETE", `${path}/${alias}`);
    assert.equal((await call(409, "DELETE", `${path}/${last.id}`)).error.type, "invalid_request_error");
    const headers = { "idempotency-key": "keys" };
    const once = await call(201, "POST", path, { body: { name: "once" }, headers });
    assert.deepEqual(await call(201, "POST", path, { body: { name: "once" }, headers }), once);
    await call(409, "POST", path, { body: { name: "twice" }, headers });
    await unauthorized("GET", path);
    await unauthorized("POST", path, { name: "x" });
    await unauthorized("DELETE", `${path}/${last.id}`);
});

test("app keys", async () => {
    const path = "/v1/organization/app-keys";
    const app = await newApp();
    const live = await keyOf(app.id);
    const test = await keyOf(app.testApp.id);
    assert.match(live.key, /^sk_live_app_/);
    assert.match(test.key, /^sk_test_app_/);
    assert.deepEqual([live.appId, test.appId], [app.id, app.testApp.id]);
    assert.match(test.id, /^key_app_test_/);
    for (const key of [live.key, test.key]) assert.equal((await ask("GET", lapse, { key })).status, 200);
    const ofApp = await call(200, "GET", `${path}?appId=${app.id}`);
    assert.deepEqual([ofApp.totalCount, ofApp.keys[0].id, ofApp.keys[0].keyPreview], [1, live.id, "sk_live_app_****"]);
    assert.deepEqual((await call(200, "GET", `${appOf(app.testApp.id)}/keys`)).keys.map((k) => k.id), [test.id]);
    assert.equal((await call(200, "GET", path)).totalCount, 4);
    assert.equal((await call(200, "GET", `${path}?appId=app_${ghost}`)).totalCount, 0);
    assert.equal((await call(400, "GET", `${path}?appId=x`)).error.param, "appId");
    await call(400, "GET", `${path}?offset=-1`);
    assert.equal((await call(400, "POST", path, { body: { name: "x" } })).error.param, "appId");
    assert.equal((await call(404, "POST", path, { body: { name: "x", appId: `app_${ghost}` } })).error.param, "appId");
    assert.equal((await call(404, "POST", path, { body: { name: "x", appId: app.id.replace("app_", "app_test_") } })).error.param, "appId");
    await call(404, "GET", `${appOf(`app_${ghost}`)}/keys`);
    await call(400, "GET", `${appOf(app.id)}/keys?limit=x`);
    await call(404, "DELETE", `${path}/${live.id.replace("app_", "app_test_")}`);
    await call(200, "DELETE", `${path}/${live.id}`);
    assert.equal((await ask("GET", lapse, { key: live.key })).status, 401);
    assert.equal((await ask("GET", lapse, { key: test.key })).status, 200);
    await call(404, "DELETE", `${path}/${live.id}`);
    const headers = { "idempotency-key": "app-keys" };
    await call(201, "POST", path, { body: { name: "once", appId: app.id }, headers });
    await call(409, "POST", path, { body: { name: "twice", appId: app.id }, headers });
    await until("the last use", async () => (await call(200, "GET", `${appOf(app.testApp.id)}/keys`)).keys[0].lastUsedAt);
    await unauthorized("GET", path);
    await unauthorized("POST", path, { name: "x", appId: app.id });
    await unauthorized("DELETE", `${path}/${test.id}`);
    await unauthorized("GET", `${appOf(app.id)}/keys`);
});

test("apps", async () => {
    const path = "/v1/organization/apps";
    const before = (await call(200, "GET", path)).totalCount;
    const app = await call(201, "POST", path, { body: { slug: "my-app", name: "My App" } });
    assert.deepEqual([app.slug, app.name, app.status], ["my-app", "My App", "active"]);
    assert.deepEqual(errorOf(await call(409, "POST", path, { body: { slug: "my-app", name: "x" } })), ["invalid_request_error", "resource_already_exists", "slug"]);
    const listed = await call(200, "GET", path);
    assert.equal(listed.totalCount, before + 1);
    assert.deepEqual(listed.apps[0], app);
    assert.ok(listed.apps.every((a) => !a.id.startsWith("app_test_")));
    await call(400, "GET", `${path}?limit=101`);
    assert.deepEqual(await call(200, "GET", `${path}/check-slug?slug=my-app`), { available: false, slug: "my-app" });
    assert.deepEqual(await call(200, "GET", `${path}/check-slug?slug=My-App`), { available: true, slug: "My-App" });
    assert.equal((await call(400, "GET", `${path}/check-slug`)).error.param, "slug");
    assert.equal((await call(400, "POST", path, { body: { slug: "", name: "x" } })).error.param, "slug");
    assert.equal((await call(400, "POST", path, { body: { slug: "x" } })).error.param, "name");
    const renamed = await call(200, "PUT", `${path}/${app.id}`, { body: { name: "Other", slug: "not-taken" } });
    assert.deepEqual([renamed.name, renamed.slug], ["Other", "my-app"]);
    assert.deepEqual((await call(200, "PUT", `${path}/${app.id}`, { body: {} })).name, "Other");
    await call(400, "PUT", `${path}/${app.id}`, { body: { name: "" } });
    for (const id of [`app_${ghost}`, app.testApp.id, app.id.replace("app_", "app_test_"), "x"]) {
        await call(404, "PUT", `${path}/${id}`, { body: { name: "x" } });
        await call(404, "DELETE", `${path}/${id}`);
    }
    await call(200, "DELETE", `${path}/${app.id}`);
    await call(404, "DELETE", `${path}/${app.id}`);
    assert.equal((await call(200, "GET", `${path}/check-slug?slug=my-app`)).available, true);
    await unauthorized("GET", path);
    await unauthorized("POST", path, { slug: "x", name: "x" });
    await unauthorized("GET", `${path}/check-slug?slug=x`);
    await unauthorized("PUT", `${path}/${app.id}`, { name: "x" });
    await unauthorized("DELETE", `${path}/${app.id}`);
});

test("one of many takes a slug", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => ask("POST", "/v1/organization/apps", { key: admin, body: { slug: "raced", name: `n${i}` } })));
    assert.deepEqual(answers.map((a) => a.status).sort(), [201, ...Array(11).fill(409)]);
});

test("webhooks of an app", async () => {
    const app = await newApp();
    const other = await newApp();
    const key = (await keyOf(app.id)).key;
    const path = `${appOf(app.id)}/webhooks`;
    const body = { url: receiver.url, events: ["messages.sms.sent"], headers: { "X-A": "b" } };
    const made = await call(201, "POST", path, { body });
    assert.equal(made.appId, app.id);
    assert.deepEqual(await call(200, "GET", `${path}/${made.id}`), (await ask("GET", `/v1/webhooks/${made.id}`, { key })).json);
    const own = (await ask("POST", "/v1/webhooks", { key, body })).json;
    assert.deepEqual((await call(200, "GET", path)).webhooks.map((w) => w.id), [own.id, made.id]);
    const changed = await call(200, "PUT", `${path}/${own.id}`, { body: { headers: {} } });
    assert.deepEqual([changed.url, changed.headers], [body.url, {}]);
    assert.equal((await call(400, "PUT", `${path}/${own.id}`, { body: { url: "ftp://x" } })).error.param, "url");
    assert.equal((await call(400, "POST", path, { body: { ...body, events: [] } })).error.param, "events");
    assert.equal((await call(400, "GET", `${path}?limit=x`)).error.param, "limit");
    for (const wrong of [`${appOf(other.id)}/webhooks/${made.id}`, `${path}/whk_${ghost}`, `${path}/${made.id.replace("whk_", "whk_test_")}`,
                         `${appOf(app.testApp.id)}/webhooks/${made.id}`, `${appOf(`app_${ghost}`)}/webhooks/${made.id}`]) {
        await call(404, "GET", wrong);
        await call(404, "PUT", wrong, { body: {} });
        await call(404, "DELETE", wrong);
    }
    await call(404, "GET", `${appOf(`app_${ghost}`)}/webhooks`);
    await call(404, "POST", `${appOf(`app_${ghost}`)}/webhooks`, { body });
    assert.match((await call(201, "POST", `${appOf(app.testApp.id)}/webhooks`, { body })).id, /^whk_test_/);
    const headers = { "idempotency-key": "hooks" };
    await call(201, "POST", path, { body, headers });
    await call(409, "POST", path, { body: { ...body, headers: {} }, headers });
    await call(200, "DELETE", `${path}/${made.id}`);
    assert.equal((await ask("GET", `/v1/webhooks/${made.id}`, { key })).status, 404);
    await unauthorized("GET", path);
    await unauthorized("POST", path, body);
    for (const method of ["GET", "DELETE"]) await unauthorized(method, `${path}/${own.id}`);
    await unauthorized("PUT", `${path}/${own.id}`, {});
});

test("phone numbers of an app", async () => {
    const app = await newApp();
    const key = (await keyOf(app.testApp.id)).key;
    const path = `${appOf(app.testApp.id)}/phone-numbers`;
    const drawn = (await ask("POST", "/v1/playground/phone-numbers/system", { key })).json;
    const listed = await call(200, "GET", path);
    assert.deepEqual([listed.totalCount, listed.phoneNumbers[0].phoneNumberId, listed.phoneNumbers[0].numberType], [1, drawn.id, "local"]);
    assert.deepEqual(listed.phoneNumbers[0].features, ["SMS", "MMS"]);
    assert.equal((await call(409, "POST", path, { body: { phoneNumberId: drawn.id } })).error.param, "phoneNumberId");
    const set = await call(200, "PUT", `${path}/${drawn.id}`, { body: { telnyxMessagingProfile: "p2" } });
    assert.equal(set.telnyxMessagingProfile, "p2");
    assert.equal((await call(200, "PUT", `${path}/${drawn.id}`, { body: {} })).telnyxMessagingProfile, "p2");
    await call(400, "PUT", `${path}/${drawn.id}`, { body: { telnyxMessagingProfile: 5 } });
    await call(200, "DELETE", `${path}/${drawn.id}`);
    assert.equal((await ask("GET", "/v1/phone-numbers", { key })).json.totalCount, 0);
    await call(404, "DELETE", `${path}/${drawn.id}`);
    await call(404, "PUT", `${path}/${drawn.id}`, { body: {} });
    assert.equal((await call(201, "POST", path, { body: { phoneNumberId: drawn.id } })).telnyxMessagingProfile, null);
    await call(404, "POST", path, { body: { phoneNumberId: `ph_test_${ghost}` } });
    await call(404, "POST", path, { body: { phoneNumberId: drawn.id.replace("_test", "") } });
    await call(404, "POST", `${appOf(app.id)}/phone-numbers`, { body: { phoneNumberId: drawn.id } });
    const whatsapp = (await ask("POST", "/v1/playground/whatsapp/phone-numbers/system", { key })).json.id.replace("wapn_", "ph_"); // no id that we would write
    await call(404, "POST", path, { body: { phoneNumberId: whatsapp } });
    await call(404, "PUT", `${path}/${whatsapp}`, { body: {} });
    await call(404, "DELETE", `${path}/${whatsapp}`);
    for (const [method, at] of [["POST", ""], ["DELETE", `/${whatsapp}`]])
        assert.equal((await ask(method, `/v1/phone-numbers${at}`, { key, body: method === "POST" ? { phoneNumberId: whatsapp } : undefined })).status, 404);
    await call(400, "POST", path, { body: {} });
    await call(400, "GET", `${path}?limit=0`);
    await call(404, "GET", `${appOf(`app_${ghost}`)}/phone-numbers`);
    await unauthorized("GET", path);
    await unauthorized("POST", path, { phoneNumberId: drawn.id });
    await unauthorized("PUT", `${path}/${drawn.id}`, {});
    await unauthorized("DELETE", `${path}/${drawn.id}`);
});

test("calling configuration", async () => {
    const app = await newApp();
    const path = `${appOf(app.id)}/calling`;
    const initial = await call(200, "GET", path);
    const { id, organizationId, createdAt, updatedAt, ...rest } = initial;
    assert.equal(organizationId, house.credentials.organization_id);
    assert.ok(id && createdAt && updatedAt);
    assert.deepEqual(rest, { appId: app.id, voicemailEnabled: false, voicemailGreetingUrl: null, voicemailMaxDuration: 120, autoRecordEnabled: false, recordingFormat: "mp4",
                             defaultAnswerBehavior: "webhook", maxConcurrentCalls: 100, whatsappCallingEnabled: false, whatsappSipEnabled: false });
    const set = await call(200, "PUT", path, { body: { voicemailEnabled: true, voicemailGreetingUrl: "https://example.org/hi.mp3", defaultAnswerBehavior: "reject", maxConcurrentCalls: 1 } });
    assert.deepEqual([set.id, set.voicemailEnabled, set.voicemailGreetingUrl, set.defaultAnswerBehavior, set.recordingFormat],
                     [id, true, "https://example.org/hi.mp3", "reject", "mp4"]);
    const kept = await call(200, "PUT", path, { body: { recordingFormat: "ogg" } });
    assert.deepEqual([kept.voicemailEnabled, kept.voicemailGreetingUrl, kept.recordingFormat], [true, "https://example.org/hi.mp3", "ogg"]);
    const off = await call(200, "PUT", path, { body: { voicemailEnabled: false, voicemailGreetingUrl: null } });
    assert.deepEqual([off.voicemailEnabled, off.voicemailGreetingUrl], [false, null]);
    assert.deepEqual(await call(200, "GET", path), off);
    for (const [field, value] of [["voicemailMaxDuration", 9], ["voicemailMaxDuration", 601], ["recordingFormat", "wav"], ["defaultAnswerBehavior", "ring"],
                                  ["maxConcurrentCalls", 0], ["voicemailGreetingUrl", "greeting"], ["voicemailGreetingUrl", ""], ["autoRecordEnabled", null]])
        assert.equal((await call(400, "PUT", path, { body: { [field]: value } })).error.param, field);
    assert.match((await call(200, "GET", `${appOf(app.testApp.id)}/calling`)).id, /^cc_test_/);
    await call(404, "GET", `${appOf(`app_${ghost}`)}/calling`);
    await call(404, "PUT", `${appOf(`app_${ghost}`)}/calling`, { body: {} });
    await unauthorized("GET", path);
    await unauthorized("PUT", path, {});
});

test("settings", async () => {
    const path = "/v1/organization/settings";
    assert.deepEqual(await call(200, "GET", path), { mediaRetentionDays: 90 });
    assert.deepEqual(await call(200, "PATCH", path, { body: { mediaRetentionDays: 7 } }), { mediaRetentionDays: 7 });
    assert.deepEqual(await call(200, "PATCH", path, { body: {} }), { mediaRetentionDays: 7 });
    assert.deepEqual(await call(200, "PATCH", path, { body: { mediaRetentionDays: null } }), { mediaRetentionDays: null });
    assert.deepEqual(await call(200, "GET", path), { mediaRetentionDays: null });
    for (const bad of [0, -1, 1.5, "7"]) assert.equal((await call(400, "PATCH", path, { body: { mediaRetentionDays: bad } })).error.param, "mediaRetentionDays");
    await unauthorized("GET", path);
    await unauthorized("PATCH", path, {});
});

test("stats", async () => {
    const app = await newApp();
    const key = (await keyOf(app.testApp.id)).key;
    const path = `/v1/organization/stats?appId=${app.testApp.id}`;
    const zero = { appId: app.testApp.id, messagesSent: 0, messagesReceived: 0, messagesDelivered: 0, messagesFailed: 0, phoneNumbers: 0, webhooks: 0 };
    assert.deepEqual(await call(200, "GET", path), zero);
    const { number } = (await ask("POST", "/v1/playground/phone-numbers/system", { key })).json;
    await call(201, "POST", `${appOf(app.testApp.id)}/webhooks`, { body: { url: receiver.url, events: ["messages.sms.sent"] } });
    assert.equal((await ask("POST", "/v1/sms", { key, body: { from: number, to: ["+15551234567", "+15551234568"], text: "Hi" } })).status, 201);
    assert.equal((await ask("POST", "/v1/playground/sms/inbound", { key, body: { from: "+15551230000", to: number, text: "Hi" } })).status, 202);
    const want = { ...zero, messagesSent: 2, messagesReceived: 1, messagesDelivered: 2, phoneNumbers: 1, webhooks: 1 };
    await until("all counters", async () => JSON.stringify((await ask("GET", path, { key: admin })).json) === JSON.stringify(want));
    assert.deepEqual(await call(200, "GET", "/v1/organization/stats", { headers: { "x-app-id": app.testApp.id } }), want);
    assert.equal((await call(400, "GET", "/v1/organization/stats")).error.param, "appId");
    assert.equal((await call(400, "GET", "/v1/organization/stats?appId=x")).error.param, "appId");
    assert.equal((await call(400, "GET", "/v1/organization/stats", { headers: { "x-app-id": "x" } })).error.param, "x-app-id");
    await call(404, "GET", `/v1/organization/stats?appId=app_${ghost}`);
    await unauthorized("GET", path);
});

test("a deleted app is gone from the answer on", async () => {
    const app = await newApp();
    const test = app.testApp.id;
    const keys = [(await keyOf(app.id)).key, (await keyOf(test)).key];
    const stuck = await Receiver.start(() => 500);
    const { number } = (await ask("POST", "/v1/playground/phone-numbers/system", { key: keys[1] })).json;
    await call(201, "POST", `${appOf(test)}/webhooks`, { body: { url: stuck.url, events: ["messages.sms.sent", "messages.sms.delivered", "messages.sms.failed"] } });
    const to = Array.from({ length: 60 }, (_, i) => `+155512300${String(i).padStart(2, "0")}`);
    const sends = await Promise.all(Array.from({ length: 4 }, () => ask("POST", "/v1/sms", { key: keys[1], body: { from: number, to, text: "Hi" } })));
    assert.ok(sends.every((s) => s.status === 201));
    await call(200, "DELETE", appOf(app.id));
    let begun = -1; // requests that had: whatever waits starts as soon as one ends, so half a second without any is the end
    await until("the end of those that had begun", () => begun === (begun = stuck.requests.length), { every: 500 });
    for (const key of keys) assert.equal((await ask("GET", lapse, { key })).status, 401);
    for (const path of ["webhooks", "phone-numbers", "keys", "calling"]) await call(404, "GET", `${appOf(test)}/${path}`);
    await sleep(1500);
    assert.equal(stuck.requests.length, begun, "no delivery starts");
    await stuck.stop();
});

test("a paused app reads but does not send", async () => {
    const app = await newApp();
    const key = (await keyOf(app.testApp.id)).key;
    const { number } = (await ask("POST", "/v1/playground/phone-numbers/system", { key })).json;
    const body = { from: number, to: ["+15551234567"], text: "Hi" };
    await house.aviary("app", "pause", app.testApp.id);
    assert.equal((await ask("POST", "/v1/sms", { key, body })).status, 403);
    assert.equal((await ask("GET", lapse, { key })).status, 200);
    assert.equal((await ask("POST", "/v1/playground/sms/inbound", { key, body: { from: "+15551234567", to: number, text: "Hi" } })).status, 202); // people go on writing
    await house.aviary("app", "resume", app.testApp.id);
    assert.equal((await ask("POST", "/v1/sms", { key, body })).status, 201);
    await house.aviary("app", "pause", app.id);
    assert.equal((await call(200, "GET", "/v1/organization/apps")).apps.find((a) => a.id === app.id).status, "billing_paused");
    const listed = JSON.parse(await house.aviary("app", "list", "--json"));
    assert.equal(listed.find((a) => a.id === app.id).status, "paused");
});

test("a suspended organization is refused from the answer on", async () => {
    const org = JSON.parse(await house.aviary("org", "create", "--name", "Other", "--json"));
    const path = "/v1/organization/apps";
    assert.equal((await ask("GET", path, { key: org.admin_key })).json.totalCount, 1);
    assert.equal((await ask("GET", `${path}/check-slug?slug=my-app`, { key: org.admin_key })).json.available, true);
    await house.aviary("org", "suspend", org.organization_id);
    for (const [method, at, key] of [["GET", path, org.admin_key], ["GET", lapse, org.test_key]]) assert.equal((await ask(method, at, { key })).status, 403);
    await call(200, "GET", path);
    assert.deepEqual(JSON.parse(await house.aviary("org", "list", "--json")).map((o) => o.status), ["active", "suspended"]);
    await house.aviary("org", "resume", org.organization_id);
    assert.equal((await ask("GET", path, { key: org.admin_key })).status, 200);
});

test("admin keys have buckets of their own", async () => {
    const limited = await House.start();
    try {
        for (const [path, limit] of [["apps", 60], ["settings", 60], ["app-keys", 120]]) {
            const answer = await limited.request("GET", `/v1/organization/${path}`, { key: limited.credentials.admin_key });
            assert.deepEqual([answer.status, answer.headers.get("x-ratelimit-limit")], [200, String(limit)]);
        }
    } finally {
        await limited.stop();
    }
});

test("no operation of admin keys went unasked, nor any of its statuses", () => {
    // Numbers, their playground and the message logs are asked in admin_numbers.test.mjs.
    const isOurs = (path) => path.startsWith("/v1/organization") && !path.match(/^\/v1\/organization\/(phone-numbers|playground|sms|whatsapp)/);
    contract.assertAllAsked(isOurs);
    contract.assertAllStatuses(isOurs);
});
