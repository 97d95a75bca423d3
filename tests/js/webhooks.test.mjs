// Webhooks as a customer meets them: the standardwebhooks package verifies every delivery, payloads fit the served document, retries keep bytes and id.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { House, Receiver } from "./house.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const { Webhook } = require("standardwebhooks");
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

const events = ["received", "sent", "delivered", "failed"].flatMap((w) => [`messages.sms.${w}`, `messages.whatsapp.${w}`]).concat("messages.whatsapp.read");

let house;
let document;
let ajv;

before(async () => {
    house = await House.start("--loopback-delay", "20");
    document = (await house.request("GET", "/openapi.json")).json;
    ajv = new Ajv({ strict: false });
    addFormats(ajv);
    ajv.addSchema(document, "doc");
});
after(() => house.stop());

async function draw(kind, role = "system") {
    const path = kind === "sms" ? `/v1/playground/phone-numbers/${role}` : `/v1/playground/whatsapp/phone-numbers/${role}`;
    const answer = await house.request("POST", path, { key: house.testKey });
    assert.equal(answer.status, 201, answer.raw);
    return answer.json.number;
}

async function subscribe(receiver, names = events, headers = undefined) {
    const answer = await house.request("POST", "/v1/webhooks", { key: house.testKey, body: { url: receiver.url, events: names, headers } });
    assert.equal(answer.status, 201, answer.raw);
    assert.match(answer.json.secret, /^whsec_/);
    return answer.json;
}

function check(request, secret) {
    const payload = new Webhook(secret).verify(request.raw, request.headers);
    const schema = document.webhooks[payload.event].post.requestBody.content["application/json"].schema;
    const pointer = schema.$ref ? `doc${schema.$ref}` : `doc#/webhooks/${payload.event}/post/requestBody/content/application~1json/schema`;
    const validate = ajv.getSchema(pointer);
    assert.ok(validate, pointer);
    assert.ok(validate(payload), JSON.stringify(validate.errors));
    assert.equal(request.headers["webhook-id"], payload.eventId);
    return payload;
}

test("an SMS tells sent and delivered, a reply tells received", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver, events, { "x-our-check": "yes" });
    const from = await draw("sms");
    const sent = await house.request("POST", "/v1/sms", { key: house.testKey, body: { from, to: ["+15551234567", "+15551234568"], text: "Hello" } });
    assert.equal(sent.status, 201, sent.raw);
    const told = (await receiver.wait(4)).map((r) => check(r, hook.secret));
    for (const name of ["messages.sms.sent", "messages.sms.delivered"]) {
        const of = told.filter((p) => p.event === name);
        assert.deepEqual(of.map((p) => p.data.message.to).sort(), ["+15551234567", "+15551234568"]);
        assert.equal(new Set(of.map((p) => p.data.message.recipientId)).size, 2);
        for (const p of of) assert.equal(p.data.message.id, sent.json.id);
    }
    assert.ok(receiver.requests.every((r) => r.headers["x-our-check"] === "yes"));
    const reply = await house.request("POST", "/v1/playground/sms/inbound", { key: house.testKey, body: { from: "+15551234567", to: from, text: "Hi back" } });
    assert.equal(reply.status, 202, reply.raw);
    const received = check((await receiver.wait(1, "messages.sms.received"))[0], hook.secret);
    assert.equal(received.data.message.text, "Hi back");
    assert.equal(received.data.app.id, house.credentials.app.test_app_id);
    await house.request("DELETE", `/v1/webhooks/${hook.id}`, { key: house.testKey });
    await receiver.stop();
});

test("a WhatsApp text tells sent, delivered and read", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver);
    const from = await draw("whatsapp");
    const body = { from, to: "+15551234567", type: "text", text: { body: "Hello" } };
    const sent = await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body });
    assert.equal(sent.status, 201, sent.raw);
    const told = (await receiver.wait(3)).map((r) => check(r, hook.secret));
    assert.deepEqual(told.map((p) => p.event).sort(), ["messages.whatsapp.delivered", "messages.whatsapp.read", "messages.whatsapp.sent"]);
    await house.request("DELETE", `/v1/webhooks/${hook.id}`, { key: house.testKey });
    await receiver.stop();
});

test("every type of WhatsApp message fits the document and shows what was sent", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver, ["messages.whatsapp.sent", "messages.whatsapp.received"]);
    const [from, to] = [await draw("whatsapp"), "+15551234567"];
    const ask = (path, body) => house.request("POST", path, { key: house.testKey, body });
    await ask("/v1/playground/whatsapp/inbound", { from: to, to: from, text: "Hi" });
    const heard = check((await receiver.wait(1, "messages.whatsapp.received"))[0], hook.secret).data.message;
    assert.equal(heard.context, null);
    const interactive = (type, rest) => [{ type: "interactive", interactive: { type, body: "b", ...rest } }, (m) => m.interactiveContent.type === type];
    const rows = [
        [{ type: "text", text: { body: "Hello" }, replyTo: heard.id }, (m) => m.text === "Hello" && m.context.messageId === heard.id],
        [{ type: "location", location: { latitude: 0, longitude: 12.5, name: "Here" } }, (m) => m.location.latitude === 0 && m.location.name === "Here"],
        [{ type: "contacts", contacts: { contacts: [{ name: { formattedName: "Ada Byron" }, phones: [{ phone: "+1", type: "CELL" }] }] } }, (m) => m.contacts[0].phones[0].type === "CELL"],
        [{ type: "reaction", reaction: { messageId: heard.id, emoji: "\u2764\ufe0f" } }, (m) => m.reaction.chirpMessageId === heard.id],
        interactive("buttons", { buttons: [{ id: "a", title: "A" }], header: { type: "text", text: "h" }, footer: "f" }),
        interactive("list", { buttonText: "Choose", sections: [{ rows: [{ id: "a", title: "A", description: "d" }] }] }),
        interactive("cta_url", { buttonText: "Open", url: "https://example.org/" }),
        interactive("location_request", {}),
        interactive("flow", { buttonText: "Open", flowId: "1", flowActionPayload: { screen: "S", data: { k: "v" } } }),
    ];
    let count = 0;
    for (const [body, holds] of rows) {
        const sent = await ask("/v1/whatsapp/messages", { from, to, ...body });
        assert.equal(sent.status, 201, sent.raw);
        const told = (await receiver.wait(++count, "messages.whatsapp.sent")).map((r) => check(r, hook.secret).data.message);
        const message = told.find((m) => m.id === sent.json.id);
        assert.equal(message.type, body.type);
        assert.ok(holds(message), JSON.stringify(message));
    }
    await house.request("DELETE", `/v1/webhooks/${hook.id}`, { key: house.testKey });
    await receiver.stop();
});

test("a failure carries the error in both places", async () => {
    const receiver = await Receiver.start();
    const hook = await subscribe(receiver, ["messages.sms.failed", "messages.whatsapp.failed"]);
    const [sms, whatsapp] = [await draw("sms"), await draw("whatsapp")];
    await house.request("POST", "/v1/sms", { key: house.testKey, body: { from: sms, to: ["+999140008"], text: "x" } });
    await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body: { from: whatsapp, to: "+9992131026", type: "text", text: { body: "x" } } });
    const told = (await receiver.wait(2)).map((r) => check(r, hook.secret));
    for (const p of told) {
        assert.equal(p.data.error.code, "message_undeliverable");
        assert.deepEqual(p.data.message.error, p.data.error);
    }
    const byEvent = Object.fromEntries(told.map((p) => [p.event, p.data.error.provider]));
    assert.deepEqual(byEvent["messages.sms.failed"].code, "40008");
    assert.deepEqual(byEvent["messages.whatsapp.failed"].code, 131026);
    await house.request("DELETE", `/v1/webhooks/${hook.id}`, { key: house.testKey });
    await receiver.stop();
});
