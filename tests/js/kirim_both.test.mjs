// One message, two dialects: what is sent or comes in by one shows in the other under the same id, and is told to the subscribers of both, each in its form; on a number of a test app and on one that goes
// through the simulated carrier. And what goes on while a service is stopped.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Receiver } from "./house.mjs";
import { Kirim, spelledAs, verified } from "./kirim.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const { Webhook } = require("standardwebhooks");

let kirim;
let app;
let accounts; // {name: {id, number, key, chirp id of the app, comes (from, text)}}

before(async () => {
    kirim = await Kirim.start(["--simulate", "--rate-limits", "off", "--frozen-after", "60000"]);
    app = kirim.house.credentials.app;
    const us = await kirim.furnish();
    const inbound = (from, text) => post("/v1/playground/whatsapp/inbound", us.testKey, { from, to: us.number, text }, 202);
    const live = (from, text) => control("POST", "/inbound", { provider: "meta", to: app.whatsapp_number, from, type: "text", text: { body: text } });
    accounts = {
        "a test number": { id: us.account, number: us.number, key: app.test_key, app: app.test_app_id, comes: inbound },
        "a live number": { id: kirim.house.credentials.kirim.phone_number_id, number: app.whatsapp_number, key: app.live_key, app: app.id, comes: live },
    };
    await control("PUT", "/settings", { callback_delay_ms: 20 });
});
after(() => kirim?.stop());

const control = (...args) => kirim.house.control(...args);

async function post(path, key, body, status = 201) {
    const answer = await kirim.house.request("POST", path, { key, body });
    assert.equal(answer.status, status, answer.raw);
    return answer.json;
}

const data = async (method, path, body) => (await kirim.call(200, method, path, { body })).json.data;
const text = (to, body) => ({ messaging_product: "whatsapp", to, type: "text", text: { body } });

/** Both kinds of subscribers of one account: `chirp (event, fits)` and `kirim (event, fits)` give the first payload that fits, checked. */
async function listeners(account) {
    const [hers, his] = [await Receiver.start(), await Receiver.start()];
    const events = ["sent", "delivered", "read", "failed", "received"].map((name) => `messages.whatsapp.${name}`);
    const chirp = await post("/v1/webhooks", account.key, { url: hers.url, events });
    const hook = await data("POST", "/webhook_subscriptions", { url: his.url, events: ["message.received", "message.status", "message.created"] });
    const heard = async (receiver, fits, check) => {
        const [found] = await receiver.heard(1, (r) => fits(r.json, r));
        return { ...check(found), request: found };
    };
    return {
        chirp: (event, fits) => heard(hers, (p) => p.event === event && fits(p.data), (r) => {
            const payload = new Webhook(chirp.secret).verify(r.raw, r.headers);
            assert.equal(payload.data.app.id, account.app);
            return payload.data;
        }),
        kirim: (event, fits) => heard(his, (p, r) => r.headers["x-kirim-event"] === event && fits(p.entry ? p.entry[0].changes[0].value : p.data), (r) => {
            const payload = verified(r, hook.initial_secret);
            assert.equal(r.headers["x-kirim-source"], payload.entry ? "meta" : "kirim");
            if (payload.entry) assert.equal(payload.entry[0].changes[0].value.metadata.phone_number_id, account.id);
            return payload.entry ? payload.entry[0].changes[0].value : payload.data;
        }),
        stop: async () => {
            await kirim.house.request("DELETE", `/v1/webhooks/${chirp.id}`, { key: account.key });
            await data("DELETE", `/webhook_subscriptions/${hook.id}`);
            await Promise.all([hers.stop(), his.stop()]);
        },
    };
}

/** The organization's log as Chirp has it: the row of a message, by either spelling of its id. */
async function logged(id) {
    const { json } = await kirim.house.request("GET", "/v1/organization/whatsapp/messages?limit=100", { key: kirim.house.credentials.admin_key });
    return json.messages.find((m) => spelledAs(m.id, id));
}

for (const [name, person] of [["a test number", "+14155550161"], ["a live number", "+14155550162"]])
    test(`on ${name}, both dialects have and tell the same messages`, async () => {
        const account = accounts[name];
        const on = await listeners(account);
        // somebody writes
        await account.comes(person, "Who is there?");
        const [told, relayed] = [await on.chirp("messages.whatsapp.received", (d) => d.message.from === person), await on.kirim("message.received", (v) => v.messages[0].from === person.slice(1))];
        assert.equal(relayed.messages[0].text.body, "Who is there?");
        const [listed] = await data("GET", `/${account.id}/messages?direction=inbound&limit=1`);
        assert.ok(spelledAs(listed.id, told.message.id));
        assert.deepEqual([listed.content, listed.to], ["Who is there?", null]);
        const received = await data("GET", `/${account.id}/messages/${listed.id}`);
        assert.equal(received.message_id, relayed.messages[0].id);
        assert.equal((await logged(listed.id)).textBody, "Who is there?");
        if (name === "a live number") { // byte for byte what the carrier sent
            const callbacks = await control("GET", "/callbacks?provider=meta");
            assert.ok(callbacks.some((c) => c.body === relayed.request.raw));
        }
        // we answer through Kirim
        const sent = await data("POST", `/${account.id}/messages`, text(person, "By Kirim"));
        assert.equal(sent.conversation_id, listed.conversation_id);
        for (const step of ["sent", "delivered"]) {
            assert.equal((await on.chirp(`messages.whatsapp.${step}`, (d) => spelledAs(d.message.id, sent.id))).message.to, person);
            const wamid = (await data("GET", `/${account.id}/messages/${sent.id}`)).message_id;
            const { statuses, request } = await on.kirim("message.status", (v) => v.statuses[0].id === wamid && v.statuses[0].status === step);
            assert.equal(statuses[0].recipient_id, person.slice(1));
            assert.equal(request.headers["x-kirim-event-id"], wamid);
        }
        assert.equal((await on.kirim("message.created", (d) => d.message.id === sent.id)).message.conversation_id, sent.conversation_id);
        const row = await logged(sent.id);
        assert.deepEqual([row.textBody, row.direction, row.fromPhoneNumber, row.toPhoneNumber], ["By Kirim", "OUTBOUND", account.number, person]);
        assert.match(row.id, name === "a live number" ? /^msg_wa_[0-9A-Za-z]{27}$/ : /^msg_wa_test_/);
        // and through Chirp
        const other = await post("/v1/whatsapp/messages", account.key, { from: account.number, to: person, type: "text", text: { body: "By Chirp" } });
        const [newest] = await data("GET", `/${account.id}/messages?conversation_id=${sent.conversation_id}&limit=1`);
        assert.ok(spelledAs(newest.id, other.id));
        assert.deepEqual([newest.content, newest.to, newest.direction], ["By Chirp", person, "outbound"]);
        assert.equal((await on.kirim("message.created", (d) => d.message.id === newest.id)).message.conversation_id, sent.conversation_id);
        assert.ok(spelledAs((await on.chirp("messages.whatsapp.delivered", (d) => d.message.id === other.id)).message.id, newest.id));
        const { message_id: wamid } = await data("GET", `/${account.id}/messages/${newest.id}`);
        await on.kirim("message.status", (v) => v.statuses[0].id === wamid && v.statuses[0].status === "delivered");
        await on.stop();
    });

test("without inbox, templates and webhooks, sends answer with the id that the conversation will have; what the stopped ones answer for is 503", async () => {
    const { id } = accounts["a test number"];
    const receiver = await Receiver.start();
    const hook = await data("POST", "/webhook_subscriptions", { url: receiver.url, events: ["message.created", "contact.created"] });
    const [first, second] = ["+14155550171", "+14155550172"];
    const promised = [];
    await kirim.house.stopped(["inbox", "templates", "webhooks"], async () => {
        promised.push(await data("POST", `/${id}/messages`, text(first, "Are you there?")), await data("POST", `/${id}/messages`, text(second, "And you?")));
        promised.push(await data("POST", `/${id}/messages`, text(first, "Again")));
        const template = { messaging_product: "whatsapp", to: first, type: "template", template: { name: "hello_world", language: "en_US" } };
        promised.push(await data("POST", `/${id}/messages`, template));
        assert.equal((await data("GET", `/${id}/messages?conversation_id=${promised[0].conversation_id}`)).length, 3);
        const away = [["GET", `/${id}/conversations`], ["GET", `/${id}/conversations/${promised[0].conversation_id}`], ["GET", `/${id}/contacts`], ["POST", `/${id}/contacts`, { phone_number: first }],
                      ["GET", "/labels"], ["POST", "/labels", { name: "x" }], ["GET", `/${id}/templates`], ["GET", `/${id}/templates/hello_world`], ["GET", "/webhook_subscriptions"],
                      ["GET", "/webhook_deliveries"], ["POST", "/webhook_subscriptions", { url: receiver.url, events: ["message.created"] }]];
        const answers = await Promise.all(away.map(([method, path, body]) => kirim.call(503, method, path, { body, code: "service_unavailable" })));
        for (const answer of answers) {
            assert.equal(answer.json.error.type, "api_error");
            assert.match(answer.headers.get("retry-after"), /^\d+$/);
        }
        assert.equal((await kirim.send("GET", "/health")).status, 200);
    });
    assert.equal(promised[0].conversation_id, promised[2].conversation_id);
    for (const [who, sent, count] of [[first, promised[0], 3], [second, promised[1], 1]]) {
        const conversation = await until("the conversation", async () => {
            const answer = await kirim.send("GET", `/${id}/conversations/${sent.conversation_id}`, { key: kirim.key });
            return answer.status === 200 && answer.json.data;
        });
        assert.deepEqual([conversation.contact.phone_number, conversation.unread_count, conversation.status], [who, 0, "open"]);
        const messages = await data("GET", `/${id}/messages?conversation_id=${sent.conversation_id}`);
        assert.equal(messages.length, count);
        await until("the newest message's time", async () => (await data("GET", `/${id}/conversations/${sent.conversation_id}`)).last_message_at === messages[0].created_at);
    }
    const told = await until("what was missed", () => {
        const all = receiver.requests.map((r) => verified(r, hook.initial_secret));
        return promised.every((sent) => all.some((p) => p.type === "message.created" && p.data.message.id === sent.id)) && all.filter((p) => p.type === "contact.created").length === 2 && all;
    });
    assert.deepEqual(told.filter((p) => p.type === "contact.created").map((p) => p.data.contact.phone_number).sort(), [first, second]);
    await receiver.stop();
});
