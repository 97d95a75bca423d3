// Many clients at the same thing at once: one wins, the others get the documented conflict; and the end of an app while its keys send.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { House } from "./house.mjs";
import { until } from "./wait.mjs";

const org = "/v1/organization";
let house;
let admin;
let liveApp;
let testApp;

before(async () => {
    house = await House.start("--simulate", "--rate-limits", "off", "--loopback-delay", "1s");
    admin = house.credentials.admin_key;
    liveApp = (await ask(200, "GET", `${org}/apps`)).apps[0];
    testApp = liveApp.testApp.id;
});
after(() => house?.stop());

const request = (method, path, body, key = admin) => house.request(method, path, { key, body });
async function ask(want, method, path, body, key) {
    const answer = await request(method, path, body, key);
    assert.equal(answer.status, want, `${method} ${path}: ${answer.raw}`);
    return answer.json;
}
/** `count` clients at once; `one` makes the request of the i-th. */
const together = (count, one) => Promise.all(Array.from({ length: count }, (_, i) => one(i)));

/** One was answered `won`, all others with the conflict; returns the winner. */
function oneWins(answers, won, lost, code) {
    const winners = answers.filter((a) => a.status === won);
    assert.equal(winners.length, 1, answers.map((a) => a.raw).join("\n"));
    for (const loser of answers.filter((a) => a !== winners[0])) {
        assert.equal(loser.status, lost, loser.raw);
        assert.equal(loser.json.error.type, "invalid_request_error");
        if (code) assert.equal(loser.json.error.code, code);
    }
    return winners[0].json;
}

const control = (...args) => house.control(...args);
const asked = async (method, part) => (await control("GET", `/requests?provider=telnyx&path=${part}`)).filter((r) => r.method === method).length;

/** Numbers that the carrier offers, for as many as are wanted. */
const offers = async (limit) => (await ask(200, "GET", `${org}/phone-numbers/available?countryCode=US&limit=${limit}`)).phoneNumbers;
const purchase = (offer) => request("POST", `${org}/phone-numbers/${liveApp.id}/purchase`, { phoneNumber: offer.phoneNumber, numberType: offer.numberType });
const numbers = async () => (await ask(200, "GET", `${org}/phone-numbers?limit=100`)).phoneNumbers.map((n) => n.phoneNumberId);

test("one slug is taken once", async () => {
    const made = oneWins(await together(30, (i) => request("POST", `${org}/apps`, { slug: "raced", name: `n${i}` })), 201, 409, "resource_already_exists");
    const { apps } = await ask(200, "GET", `${org}/apps?limit=100`);
    assert.deepEqual(apps.filter((a) => a.slug === "raced").map((a) => [a.id, a.name]), [[made.id, made.name]]);
});

test("one number is assigned to an app once, and its set of apps is one of those asked for", async () => {
    const { id } = await house.request("POST", `${org}/playground/phone-numbers/system`, { key: admin, headers: { "x-app-id": testApp } }).then((a) => a.json);
    const apps = await together(4, (i) => ask(201, "POST", `${org}/apps`, { slug: `set-${i}`, name: "x" }).then((a) => a.testApp.id));
    const path = `${org}/apps/${apps[0]}/phone-numbers`;
    oneWins(await together(24, () => request("POST", path, { phoneNumberId: id })), 201, 409);
    assert.equal((await ask(200, "GET", path)).totalCount, 1);
    const sets = Array.from({ length: 16 }, (_, i) => apps.filter((_, bit) => (i >> bit) & 1));
    const answers = await together(sets.length, (i) => request("PUT", `${org}/phone-numbers/${id}/apps`, { appIds: sets[i] }));
    for (const [i, a] of answers.entries()) assert.deepEqual([a.status, a.json.apps.map((one) => one.appId).sort()], [200, sets[i].sort()], a.raw);
    const left = (await ask(200, "GET", `${org}/phone-numbers?limit=100`)).phoneNumbers.find((n) => n.phoneNumberId === id);
    assert.ok(sets.some((set) => set.join() === left.apps.map((a) => a.appId).sort().join()), JSON.stringify(left));
});

test("an app goes while its key sends", async () => {
    const app = await ask(201, "POST", `${org}/apps`, { slug: "ends", name: "Ends" });
    const twin = app.testApp.id;
    const { key } = await ask(201, "POST", `${org}/app-keys`, { name: "k", appId: twin });
    const { number } = await house.request("POST", `${org}/playground/phone-numbers/system`, { key: admin, headers: { "x-app-id": twin } }).then((a) => a.json);
    const accepted = new Set();
    const refused = [];
    let gone = false;
    /* All go to one person, and loopback takes a second for each: nearly everything is still queued at the end. */
    const client = async () => {
        for (let last = false; !last;) {
            last = gone;
            const answer = await house.request("POST", "/v1/sms", { key, body: { from: number, to: ["+15551234567"], text: "x" } });
            if (answer.status === 201) accepted.add(answer.json.id);
            else refused.push([answer.status, answer.json.error.code]);
            if (answer.status === 201) assert.ok(!last, "accepted though the app was deleted before it was sent");
        }
    };
    const clients = together(12, client);
    await until("60 accepted sends", () => accepted.size >= 60, { seconds: 60 });
    await ask(200, "DELETE", `${org}/apps/${app.id}`);
    gone = true;
    await clients;
    assert.ok(refused.length >= 12);
    for (const [status, code] of refused) assert.ok(status === 401 || code === "phone_number_not_assigned", `${status} ${code}`);
    let log;
    const began = Date.now();
    do {
        await sleep(100);
        log = [];
        for (let cursor = null; ;) {
            const page = await ask(200, "GET", `${org}/sms/messages?limit=100${cursor ? `&cursor=${cursor}` : ""}`);
            log.push(...page.messages.filter((m) => accepted.has(m.id)));
            cursor = page.nextCursor;
            if (cursor === null) break;
        }
        assert.equal(log.length, accepted.size);
    } while (!log.every((m) => m.recipients.every((r) => ["DELIVERED", "FAILED"].includes(r.status))) && Date.now() - began < 20000);
    const words = log.map((m) => m.recipients[0].status);
    assert.deepEqual([...new Set(words)].filter((w) => !["DELIVERED", "FAILED"].includes(w)), []);
    assert.ok(words.filter((w) => w === "FAILED").length > accepted.size / 2, words.join()); // a second each would have taken longer
});

test("one number is bought once", async () => {
    const [offer] = await offers(1);
    const bought = oneWins(await together(12, () => purchase(offer)), 201, 409, "resource_already_exists");
    assert.equal(await asked("POST", "/number_orders"), 1);
    assert.ok((await numbers()).includes(bought.phoneNumberId));
    const stdout = await house.aviary("explain", bought.purchaseHistoryId);
    for (const part of [/purchase accepted/, /number_order /, /carrier answered +order: HTTP 200, the order is pending/, /bought/]) assert.match(stdout, part);
    const order = stdout.match(/, order ([0-9a-f-]{36})/)[1];
    assert.match(await house.aviary("explain", order), /purchase accepted/);
});

test("one number is given up once, at the carrier first", async () => {
    await control("DELETE", "/requests");
    const [one, other] = await offers(2);
    const bought = [(await purchase(one)).json, (await purchase(other)).json];
    const path = (i) => `${org}/phone-numbers/${bought[i].phoneNumberId}`;
    /* The carrier does not do it: nothing changes here. */
    await control("POST", "/rules", { provider: "telnyx", path: "/v2/phone_numbers/*", action: { status: 403 } });
    assert.match((await request("DELETE", path(0))).json.error.type, /provider_error|api_error/);
    await control("DELETE", "/rules");
    await control("POST", "/rules", { provider: "telnyx", path: "/phone_numbers", action: { status: 503 } });
    assert.deepEqual([424, "telnyx_api_unavailable"], await request("DELETE", path(0)).then((a) => [a.status, a.json.error.code]));
    await control("DELETE", "/rules");
    assert.ok((await numbers()).includes(bought[0].phoneNumberId));
    await control("DELETE", "/requests");
    const gone = oneWins(await together(10, () => request("DELETE", path(0))), 200, 404);
    assert.deepEqual([gone.success, gone.affectedApps.map((a) => a.appId)], [true, [liveApp.id]]);
    assert.equal(await asked("DELETE", "/phone_numbers/"), 1);
    /* Its answer gets lost, also that of the repeat that a kept connection's end allows: then it is looked for. */
    await control("POST", "/rules", { provider: "telnyx", path: "/v2/phone_numbers/*", times: 2, action: { drop_answer: true } });
    assert.equal((await ask(200, "DELETE", path(1))).success, true);
    const left = await numbers();
    for (const one of bought) assert.ok(!left.includes(one.phoneNumberId));
    const stdout = await house.aviary("explain", bought[1].phoneNumberId);
    for (const part of [/release accepted/, /look for the number: HTTP 200, the account has the number/, /release: no answer/,
                        /look for the number: HTTP 200, the account does not have the number/, /released/]) assert.match(stdout, part);
});

test("of all admin keys one stays", async () => {
    const made = await together(8, (i) => ask(201, "POST", `${org}/admin-keys`, { name: `k${i}` }));
    const first = (await ask(200, "GET", `${org}/admin-keys?limit=100`)).keys.find((k) => !made.some((m) => m.id === k.id));
    const keys = [{ id: first.id, key: admin }, ...made];
    /* Each deletes itself, so none is refused because of another. */
    const answers = await together(keys.length, (i) => request("DELETE", `${org}/admin-keys/${keys[i].id}`, undefined, keys[i].key));
    assert.deepEqual(answers.map((a) => a.status).sort(), [...Array(8).fill(200), 409], answers.map((a) => a.raw).join("\n"));
    for (const [i, { key }] of keys.entries()) {
        const answer = await request("GET", `${org}/admin-keys`, undefined, key);
        assert.equal(answer.status, answers[i].status === 409 ? 200 : 401);
        if (answer.status === 200) assert.deepEqual(answer.json.keys.map((k) => k.id), [keys[i].id]);
    }
});
