// Numbers, playground and message logs of an organization: every answer, success and error, validates against the served document.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { House } from "./house.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

let house;
let document;
let ajv;
let admin;
let testApp;
let liveApp;
const ghost = "2DbBs7GWhGvVNJGrDXr5RG0mBWI";
const org = "/v1/organization";
const seen = new Map();
const errorOf = (json) => [json.error.type, json.error.code, json.error.param];

before(async () => {
    house = await House.start("--rate-limits", "off", "--loopback-delay", "10");
    document = (await house.request("GET", "/openapi.json")).json;
    ajv = new Ajv({ strict: false });
    addFormats(ajv);
    ajv.addSchema(document, "doc");
    admin = house.credentials.admin_key;
    const { apps } = (await house.request("GET", `${org}/apps`, { key: admin })).json;
    [liveApp, testApp] = [apps[0].id, apps[0].testApp.id];
});
after(() => house.stop());

/** The document's path for a request; literal paths before those with parameters. */
function template(method, path) {
    const bare = path.split("?")[0];
    const all = Object.keys(document.paths).sort((a, b) => a.split("{").length - b.split("{").length);
    return all.find((one) => document.paths[one][method] && new RegExp(`^${one.replace(/\{[^}]+\}/g, "[^/]+")}$`).test(bare));
}

/** Ask with the admin key, and hold the answer against the document. */
async function call(want, method, path, options = {}) {
    const answer = await house.request(method, path, { key: admin, ...options });
    assert.equal(answer.status, want, `${method} ${path}: ${answer.raw}`);
    const verb = method.toLowerCase();
    const found = template(verb, path);
    assert.ok(found, `${method} ${path} is not in the document`);
    const responses = document.paths[found][verb].responses;
    const name = String(want) in responses ? String(want) : "default";
    const pointer = responses[name].$ref ?? `#/paths/${found.replaceAll("/", "~1")}/${verb}/responses/${name}`;
    const validate = ajv.getSchema(`doc${encodeURI(pointer)}/content/application~1json/schema`);
    assert.ok(validate, `${pointer} has no schema`);
    assert.ok(validate(answer.json), `${method} ${path}: ${JSON.stringify(validate.errors)} in ${answer.raw}`);
    const key = document.paths[found][verb].operationId;
    seen.set(key, (seen.get(key) ?? new Set()).add(want));
    return answer.json;
}

/** What each operation of admin keys answers without one. */
async function unauthorized(method, path, body) {
    for (const key of [undefined, house.testKey, "sk_admin_nobody"])
        assert.equal((await call(401, method, path, { key, body })).error.type, "authentication_error");
}

for (const [kind, prefix] of [["", "ph"], ["whatsapp/", "wapn"]]) {
    const path = `${org}/playground/${kind}phone-numbers`;

    test(`system numbers of ${path}`, async () => {
        const headers = { "x-app-id": testApp };
        const first = (await call(200, "GET", `${path}/system`, { headers })).phoneNumbers.map((n) => n.id); // what the first start gave it
        const drawn = await call(201, "POST", `${path}/system`, { headers });
        assert.match(drawn.id, new RegExp(`^${prefix}_test_`));
        assert.deepEqual([drawn.phoneNumberId, drawn.role, drawn.appId], [drawn.id, "system", testApp]);
        const chosen = await call(201, "POST", `${path}/system`, { headers, body: { number: "+15550160099" } });
        assert.equal(chosen.number, "+15550160099");
        assert.equal((await call(409, "POST", `${path}/system`, { headers, body: { number: "+15550160099" } })).error.code, "resource_already_exists");
        await call(400, "POST", `${path}/system`, { headers, body: { number: "0160" } });
        const { phoneNumbers } = await call(200, "GET", `${path}/system`, { headers });
        assert.deepEqual(phoneNumbers.map((n) => n.id), [chosen.id, drawn.id, ...first]);
        const own = await house.request("GET", path.replace("/organization", "") + "/system", { key: house.testKey });
        assert.deepEqual(own.json.phoneNumbers.map((n) => n.id), [chosen.id, drawn.id, ...first]); // the app sees them
        for (const method of ["GET", "POST"]) {
            await unauthorized(method, `${path}/system`);
            for (const bad of [{}, { "x-app-id": "app_x" }, { "x-app-id": "" }])
                assert.equal((await call(400, method, `${path}/system`, { headers: bad })).error.param, "x-app-id");
            await call(404, method, `${path}/system`, { headers: { "x-app-id": `app_${ghost}` } });
            await call(404, method, `${path}/system`, { headers: { "x-app-id": `app_test_${ghost}` } });
            await call(404, method, `${path}/system`, { headers: { "x-app-id": testApp.replace("test_", "") } });
            assert.equal((await call(403, method, `${path}/system`, { headers: { "x-app-id": liveApp } })).error.code, "test_app_required");
        }
    });

    test(`user numbers of ${path}`, async () => {
        const app = path.replace("/organization", "");
        const ofApp = (await house.request("POST", `${app}/user`, { key: house.testKey })).json;
        const drawn = await call(201, "POST", `${path}/user`);
        assert.deepEqual([drawn.appId, drawn.role], [null, "user"]);
        assert.notEqual(drawn.number, ofApp.number);
        const { phoneNumbers } = await call(200, "GET", `${path}/user`);
        assert.deepEqual(phoneNumbers.map((n) => n.number), [drawn.number, ofApp.number]);
        for (const method of ["GET", "POST"]) await unauthorized(method, `${path}/user`);
    });
}

test("phone numbers of the organization", async () => {
    const path = `${org}/phone-numbers`;
    const headers = { "x-app-id": testApp };
    const { id, number } = await call(201, "POST", `${org}/playground/phone-numbers/system`, { headers });
    const app = await call(201, "POST", `${org}/apps`, { body: { name: "Second", slug: "second" } });
    const listed = await call(200, "GET", `${path}?limit=1`);
    assert.deepEqual([listed.phoneNumbers[0].phoneNumberId, listed.phoneNumbers[0].number], [id, number]);
    assert.deepEqual(listed.phoneNumbers[0].apps.map((a) => a.appId), [testApp]);
    assert.ok(listed.totalCount >= 1);
    const set = await call(200, "PUT", `${path}/${id}/apps`, { body: { appIds: [testApp, app.testApp.id] } });
    assert.deepEqual(set.apps.map((a) => a.appId), [testApp, app.testApp.id]);
    for (const [unknown, status] of [[`app_test_${ghost}`, 404], [`app_${ghost}`, 404], [liveApp, 400], ["x", 400]])
        assert.match((await call(status, "PUT", `${path}/${id}/apps`, { body: { appIds: [unknown, app.testApp.id] } })).error.param, /^appIds/);
    assert.equal((await call(200, "GET", path)).phoneNumbers[0].apps.length, 2);
    const one = await call(200, "PUT", `${path}/${id}/apps`, { body: { appIds: [app.testApp.id] } });
    assert.deepEqual(one.apps, [{ appId: app.testApp.id, appName: "Second", appSlug: "second" }]);
    const send = { key: house.testKey, body: { from: number, to: ["+15551234567"], text: "x" } };
    assert.equal((await house.request("POST", "/v1/sms", send)).json.error.code, "phone_number_not_assigned"); // at once
    assert.deepEqual((await call(200, "PUT", `${path}/${id}/apps`, { body: { appIds: [] } })).apps, []);
    await call(200, "PUT", `${path}/${id}/apps`, { body: { appIds: [testApp] } });
    await call(400, "PUT", `${path}/${id}/apps`, { body: {} });
    await call(400, "GET", `${path}?limit=0`);
    await call(400, "GET", `${path}?offset=x`);

    const gone = await call(200, "DELETE", `${path}/${id}`);
    assert.deepEqual([gone.success, gone.phoneNumberId, gone.affectedApps.map((a) => a.appId)], [true, id, [testApp]]);
    assert.equal((await house.request("POST", "/v1/sms", send)).json.error.code, "phone_number_not_assigned");
    for (const unknown of [id, `ph_${ghost}`, `ph_test_${ghost}`, "nothing"]) {
        await call(404, "DELETE", `${path}/${unknown}`);
        await call(404, "PUT", `${path}/${unknown}/apps`, { body: { appIds: [] } });
    }
    await unauthorized("GET", path);
    await unauthorized("DELETE", `${path}/${id}`);
    await unauthorized("PUT", `${path}/${id}/apps`, { appIds: [] });
});

/** A log, once `count` messages are in it and are at their end. */
async function logged(path, count, ended) {
    let log;
    await until(`${count} messages`, async () => {
        log = await call(200, "GET", path);
        return log.totalCount === count && log.messages.every(ended);
    }, { tell: () => JSON.stringify(log) });
    return log;
}

/** All pages by cursor. */
async function pages(path, limit) {
    const ids = [];
    for (let cursor = null, at = `${path}limit=${limit}`; ; at = `${path}limit=${limit}&cursor=${cursor}`) {
        const page = await call(200, "GET", at);
        ids.push(...page.messages.map((m) => m.id));
        cursor = page.nextCursor;
        if (cursor === null) return { ids, total: page.totalCount };
    }
}

test("sms log", async () => {
    const path = `${org}/sms/messages`;
    const { number, id } = await call(201, "POST", `${org}/playground/phone-numbers/system`, { headers: { "x-app-id": testApp } });
    const key = house.testKey;
    const sent = [];
    for (let i = 0; i < 5; i++)
        sent.unshift((await house.request("POST", "/v1/sms", { key, body: { from: number, to: ["+15551234567", "+999140008"], text: `n ${i}` } })).json.id);
    await house.request("POST", "/v1/playground/sms/inbound", { key, body: { from: "+15551234567", to: number, text: "Hello" } });
    const log = await logged(path, 6, (m) => m.completedAt);
    const [inbound] = log.messages.filter((m) => m.direction === "INBOUND");
    assert.deepEqual([inbound.fromPhoneNumber, inbound.systemPhoneNumber, inbound.systemPhoneNumberId, inbound.text], ["+15551234567", number, id, "Hello"]);
    assert.deepEqual(inbound.recipients.map((r) => r.status), ["RECEIVED"]);
    const [outbound] = log.messages.filter((m) => m.id === sent[0]);
    assert.deepEqual([outbound.type, outbound.transport, outbound.systemPhoneNumber, outbound.receivedAt], ["SMS", "sms", number, null]);
    assert.deepEqual(outbound.recipients.map((r) => [r.phoneNumber, r.status]), [["+15551234567", "DELIVERED"], ["+999140008", "FAILED"]]);
    const all = log.messages.map((m) => m.id);
    assert.deepEqual(await pages(`${path}?`, 4), { ids: all, total: 6 });
    assert.deepEqual(await pages(`${path}?direction=OUTBOUND&`, 2), { ids: sent, total: 5 });
    assert.deepEqual(await pages(`${path}?direction=INBOUND&appId=${testApp}&`, 1), { ids: [inbound.id], total: 1 });
    assert.deepEqual(await pages(`${path}?appId=${liveApp}&`, 1), { ids: [], total: 0 });
    assert.deepEqual(await pages(`${path}?appId=app_${ghost}&`, 1), { ids: [], total: 0 });
    assert.deepEqual((await call(200, "GET", `${path}?offset=2&limit=2`)).messages.map((m) => m.id), all.slice(2, 4));
    const far = await call(400, "GET", `${path}?offset=10001`);
    assert.equal(far.error.param, "offset");
    assert.match(far.error.message, /cursor/);
    for (const bad of ["limit=0", "limit=101", "limit=x", "offset=-1", "direction=inbound", "appId=x", "cursor=x"])
        assert.equal((await call(400, "GET", `${path}?${bad}`)).error.param, bad.split("=")[0]);
    await unauthorized("GET", path);
});

test("whatsapp log", async () => {
    const path = `${org}/whatsapp/messages`;
    const { number, id } = await call(201, "POST", `${org}/playground/whatsapp/phone-numbers/system`, { headers: { "x-app-id": testApp } });
    const key = house.testKey;
    await house.request("POST", "/v1/playground/whatsapp/inbound", { key, body: { from: "+15551234567", to: number, text: "Hello" } });
    const place = { type: "location", location: { latitude: 1.5, longitude: -2.25, name: "Here" } };
    for (const more of [{ type: "text", text: { body: "Hi" } }, place])
        assert.equal((await house.request("POST", "/v1/whatsapp/messages", { key, body: { from: number, to: "+15551234567", ...more } })).status, 201);
    const log = await logged(path, 3, (m) => m.deliveredAt);
    const of = (type, direction) => log.messages.find((m) => m.type === type && m.direction === direction);
    const sent = of("location", "OUTBOUND");
    assert.deepEqual([sent.locationLatitude, sent.locationLongitude, sent.locationName, sent.textBody], ["1.5", "-2.25", "Here", null]);
    assert.equal(of("text", "OUTBOUND").textBody, "Hi");
    assert.deepEqual([sent.whatsappPhoneNumberId, sent.displayPhoneNumber, sent.toPhoneNumber], [id, number, "+15551234567"]);
    const inbound = of("text", "INBOUND");
    assert.deepEqual([inbound.fromPhoneNumber, inbound.textBody, inbound.displayPhoneNumber], ["+15551234567", "Hello", number]);
    assert.equal((await pages(`${path}?`, 2)).ids.length, 3);
    assert.deepEqual(await pages(`${path}?direction=INBOUND&appId=${testApp}&`, 2), { ids: [inbound.id], total: 1 });
    assert.equal((await call(400, "GET", `${path}?offset=10001`)).error.param, "offset");
    const one = await call(200, "GET", `${path}/${inbound.id}`);
    assert.deepEqual({ ...one, referral: undefined }, { ...inbound, referral: undefined });
    assert.equal(one.referral, null);
    for (const unknown of [`msg_wa_${ghost}`, `msg_wa_test_${ghost}`, inbound.id.replace("test_", ""), "x"]) await call(404, "GET", `${path}/${unknown}`);
    await unauthorized("GET", path);
    await unauthorized("GET", `${path}/${inbound.id}`);
});

test("without a carrier nothing is on offer", async () => {
    const path = `${org}/phone-numbers`;
    const body = { phoneNumber: "+13125550101", numberType: "local" };
    assert.deepEqual(await call(200, "GET", `${path}/available?countryCode=US&numberType=local&areaCode=312&contains=55&locality=Chicago&limit=5`), { phoneNumbers: [], totalCount: 0 });
    for (const bad of ["countryCode=us", "areaCode=x", "contains=x", "limit=0", "numberType=toll"])
        assert.equal((await call(400, "GET", `${path}/available?${bad}`)).error.param, bad.split("=")[0]);
    assert.equal((await call(424, "POST", `${path}/${liveApp}/purchase`, { body })).error.code, "telnyx_api_unavailable");
    await call(400, "POST", `${path}/${liveApp}/purchase`, { body: { ...body, numberType: "toll" } });
    await call(400, "POST", `${path}/${testApp}/purchase`, { body });
    for (const unknown of [`app_${ghost}`, "x"]) await call(404, "POST", `${path}/${unknown}/purchase`, { body });
    await unauthorized("GET", `${path}/available`);
    await unauthorized("POST", `${path}/${liveApp}/purchase`, body);
});

test("numbers are bought at the carrier once", async () => {
    const own = house;
    house = await House.start("--simulate", "--rate-limits", "off");
    const key = house.credentials.admin_key;
    try {
        const path = `${org}/phone-numbers`;
        const app = (await house.request("GET", `${org}/apps`, { key })).json.apps[0].id;
        const { phoneNumbers } = await call(200, "GET", `${path}/available?countryCode=US&numberType=local&limit=3`, { key });
        assert.equal(phoneNumbers.length, 3);
        const [{ phoneNumber, numberType, location, features, purchaseFee, currency }] = phoneNumbers;
        assert.deepEqual([numberType, purchaseFee, currency], ["local", "1.00000", "USD"]);
        assert.deepEqual([location !== "", features], [true, ["SMS", "MMS", "Voice"]]);
        const body = { phoneNumber, numberType };
        const both = await Promise.all([1, 2].map(() => house.request("POST", `${path}/${app}/purchase`, { key, body })));
        assert.deepEqual(both.map((a) => a.status).sort(), [201, 409], both.map((a) => a.raw).join());
        const bought = both.find((a) => a.status === 201).json;
        assert.deepEqual([bought.appId, bought.number], [app, phoneNumber]);
        assert.match(bought.purchaseHistoryId, /^ph_purch_[a-zA-Z0-9]{27}$/);
        const listed = (await call(200, "GET", path, { key })).phoneNumbers.find((n) => n.number === phoneNumber);
        assert.deepEqual([listed.phoneNumberId, listed.numberType, listed.apps.map((a) => a.appId)], [bought.phoneNumberId, "local", [app]]);
        const [its] = (await call(200, "GET", `${org}/apps/${app}/phone-numbers`, { key })).phoneNumbers;
        for (const shown of [listed, its]) assert.deepEqual([shown.number, shown.location, shown.features], [phoneNumber, location, features]);
        const sms = await house.request("POST", "/v1/sms", { key: house.credentials.app.live_key, body: { from: phoneNumber, to: ["+15551234567"], text: "Hi" } });
        assert.equal(sms.status, 201, sms.raw);
        assert.equal((await call(409, "POST", `${path}/${app}/purchase`, { key, body })).error.code, "resource_already_exists");
        await house.aviary("app", "pause", app);
        await call(403, "POST", `${path}/${app}/purchase`, { key, body: { phoneNumber: phoneNumbers[1].phoneNumber, numberType } });
        await house.aviary("app", "resume", app);
        await call(201, "POST", `${path}/${app}/purchase`, { key, body: { phoneNumber: phoneNumbers[1].phoneNumber, numberType } });
    } finally {
        await house.stop();
        house = own;
    }
});

test("every operation of numbers and logs was asked", () => {
    const wanted = Object.values(document.paths).flatMap((item) => Object.values(item))
        .filter((op) => op.tags?.some((tag) => ["Phone numbers", "Playground SMS numbers", "Playground WhatsApp numbers", "Messages"].includes(tag)));
    assert.equal(wanted.length, 16);
    for (const { operationId, responses } of wanted)
        for (const status of Object.keys(responses).filter((s) => !["default", "429", "424"].includes(s)))
            assert.ok(seen.get(operationId)?.has(Number(status)), `${operationId} was never answered ${status}`);
});
