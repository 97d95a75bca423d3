// The carriers' simulator, asked by the vendors' own SDKs, unchanged: Telnyx's and a WhatsApp Cloud API client from npm; signatures are checked by them
// and by node's crypto.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { bin } from "./house.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const Telnyx = require("telnyx").default ?? require("telnyx");
const { WhatsAppClient } = require("@kapso/whatsapp-cloud-api");
const { normalizeWebhook, verifySignature } = require("@kapso/whatsapp-cloud-api/server");

const run = promisify(execFile);
const PHONE = "106540352242922";
const WABA = "102290129340398";
const BUSINESS = "14155550100";
const SMS = "+14155550199";
const PERSON = "14155550123";
const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex");
const ogg = Buffer.concat([Buffer.from("OggS\0\x02", "latin1"), Buffer.alloc(200, 7)]);

class Sim {
    static async start(...flags) {
        const sim = new Sim();
        sim.child = spawn(join(bin, "aviary-sim"), ["--listen", "127.0.0.1:0", "--callback-delay", "5", ...flags]);
        sim.log = "";
        sim.ended = new Promise((resolve) => sim.child.once("exit", resolve));
        sim.child.stderr.on("data", (chunk) => (sim.log += chunk));
        sim.url = await new Promise((resolve, reject) => {
            let text = "";
            sim.child.stdout.on("data", (chunk) => {
                const found = /listening on (\S+)/.exec((text += chunk));
                if (found) resolve(found[1]);
            });
            sim.child.once("error", reject);
            sim.child.once("exit", (code) => reject(new Error(`aviary-sim ended with ${code}: ${sim.log}`)));
        });
        return sim;
    }

    async stop() {
        this.child.kill("SIGTERM");
        assert.equal(await this.ended, 0, this.log);
    }

    async control(method, path, body, want = [200, 201]) {
        const form = body instanceof FormData;
        const response = await fetch(`${this.url}/_sim${path}`, { method, body: body === undefined || form ? body : JSON.stringify(body) });
        const json = await response.json();
        assert.ok([want].flat().includes(response.status), `${method} ${path}: ${response.status} ${JSON.stringify(json)}`);
        return json;
    }

    rule(rule) {
        return this.control("POST", "/rules", rule, 201);
    }

    /** Until it has nothing more to say. */
    quiet() {
        return until("the last callback", async () => (await this.control("GET", "")).callbacks_pending === 0, { every: 5 });
    }

    /** The last requests of the log, with a recipient. */
    async requests(query) {
        return this.control("GET", `/requests?${new URLSearchParams(query)}`);
    }
}

/** What callbacks arrived; answers Meta's handshake. */
class Listener {
    static async start() {
        const self = new Listener();
        self.clear();
        self.token = "sim-verify-token";
        self.server = createServer((request, response) => self.serve(request, response));
        await new Promise((resolve) => self.server.listen(0, "127.0.0.1", resolve));
        self.url = `http://127.0.0.1:${self.server.address().port}`;
        return self;
    }

    clear() {
        this.all = [];
        this.statuses = [];
    }

    stop() {
        this.server.closeAllConnections();
        this.server.close();
    }

    async serve(request, response) {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const url = new URL(request.url, this.url);
        if (request.method === "GET") {
            const media = url.pathname === "/a.png";
            const good = url.searchParams.get("hub.mode") === "subscribe" && url.searchParams.get("hub.verify_token") === this.token;
            response.writeHead(media || good ? 200 : 403, { "content-type": media ? "image/png" : "text/plain" });
            return response.end(media ? png : good ? url.searchParams.get("hub.challenge") : "no");
        }
        const raw = Buffer.concat(chunks).toString();
        this.all.push({ path: url.pathname, query: url.search, headers: request.headers, raw, json: JSON.parse(raw) });
        response.writeHead(this.statuses.shift() ?? 200).end();
    }

    /** Wait until `count` callbacks fit. */
    async wait(count, fits = () => true) {
        const found = () => this.all.filter(fits);
        return until(`${count} callbacks`, () => found().length >= count && found(), { every: 10, tell: () => `${found().length} came: ${JSON.stringify(this.all.map((c) => c.json))}` });
    }

    /** Statuses of a WhatsApp message, in order of arrival. */
    async metaStatuses(id, count) {
        const of = (callback) => callback.json.entry?.[0].changes[0].value.statuses?.[0];
        const found = await this.wait(count, (callback) => of(callback)?.id === id);
        return found.map((callback) => ({ callback, ...of(callback) }));
    }

    async telnyxEvents(id, count) {
        return this.wait(count, (callback) => callback.json.data?.payload?.id === id);
    }
}

let sim;
let listener;
let whatsapp;
let telnyx;
let keys;

before(async () => {
    listener = await Listener.start();
    sim = await Sim.start();
    keys = await sim.control("GET", "/keys");
    await sim.control("PUT", "/settings", { meta_callback: `${listener.url}/meta`, telnyx_callback: `${listener.url}/telnyx` });
    whatsapp = new WhatsAppClient({ accessToken: "token", baseUrl: sim.url, graphVersion: "v24.0" });
    telnyx = new Telnyx({ apiKey: "KEY1", baseURL: `${sim.url}/v2`, publicKey: keys.telnyx.public_key, maxRetries: 0 });
});

after(async () => {
    listener?.stop();
    await sim?.stop();
});

beforeEach(async () => {
    await sim.control("POST", "/reset");
    await sim.quiet();
    listener.clear();
});

/** The person writes, so that free-form messages may go back for a day. */
async function openWindow() {
    const { id } = await sim.control("POST", "/inbound", { provider: "meta", from: PERSON, to: BUSINESS, type: "text", text: { body: "hello" } });
    listener.clear();
    return id;
}

function checkMetaSignature({ headers, raw }) {
    const want = `sha256=${createHmac("sha256", keys.meta.app_secret).update(raw).digest("hex")}`;
    assert.equal(headers["x-hub-signature-256"], want);
    assert.ok(verifySignature({ appSecret: keys.meta.app_secret, rawBody: raw, signatureHeader: headers["x-hub-signature-256"] }));
}

/** The Graph error of a rejected call. */
async function graphError(promise) {
    const error = await promise.then(
        (value) => assert.fail(`no error, but ${JSON.stringify(value)}`),
        (reason) => reason,
    );
    return { status: error.httpStatus ?? error.status, code: error.code, text: JSON.stringify(error) + error.message };
}

async function graph(method, path, { body, token = "token" } = {}) {
    const headers = { authorization: `Bearer ${token}` };
    if (body && !(body instanceof FormData)) headers["content-type"] = "application/json";
    const response = await fetch(`${sim.url}/v24.0${path}`, { method, headers, body: body instanceof FormData || !body ? body : JSON.stringify(body) });
    return { status: response.status, json: await response.json() };
}

test("WhatsApp: the client sends each message type, and the log holds what it sent", async () => {
    const incoming = await openWindow();
    const to = PERSON;
    const base = { phoneNumberId: PHONE, to };
    const media = { link: "https://example.org/a" };
    const m = whatsapp.messages;
    const cards = [0, 1].map((cardIndex) => ({
        cardIndex,
        header: { type: "image", image: media },
        bodyText: "Card",
        action: { displayText: "View", url: "https://example.org/v" },
    }));
    const sends = {
        text: () => m.sendText({ ...base, body: "See https://example.org", previewUrl: true, contextMessageId: incoming }),
        image: () => m.sendImage({ ...base, image: { ...media, caption: "Grüße 👍" } }),
        video: () => m.sendVideo({ ...base, video: media }),
        audio: () => m.sendAudio({ ...base, audio: { ...media, voice: true } }),
        document: () => m.sendDocument({ ...base, document: { ...media, filename: "a.pdf", caption: "C" } }),
        sticker: () => m.sendSticker({ ...base, sticker: media }),
        location: () => m.sendLocation({ ...base, location: { latitude: 51.5, longitude: -0.1, name: "N", address: "A" } }),
        contacts: () => m.sendContacts({ ...base, contacts: [{ name: { formattedName: "Ada Byron", firstName: "Ada" }, phones: [{ phone: "+442071234567", type: "WORK" }] }] }),
        reaction: () => m.sendReaction({ ...base, reaction: { messageId: incoming, emoji: "👍" } }),
        template: () => m.sendTemplate({ ...base, template: { name: "hello_world", language: { code: "en_US" } } }),
        button: () => m.sendInteractiveButtons({ ...base, bodyText: "Pick", buttons: [{ id: "a", title: "A" }, { id: "b", title: "B" }] }),
        list: () => m.sendInteractiveList({ ...base, bodyText: "Pick", buttonText: "Choose", sections: [{ title: "S", rows: [{ id: "r", title: "R" }] }] }),
        cta_url: () => m.sendInteractiveCtaUrl({ ...base, bodyText: "Go", parameters: { displayText: "Open", url: "https://example.org" } }),
        flow: () => m.sendInteractiveFlow({ ...base, bodyText: "Book", parameters: { flowId: "9", flowCta: "Open", flowToken: "t" } }),
        location_request_message: () => m.sendInteractiveLocationRequest({ ...base, bodyText: "Where?", parameters: { requestMessage: "Where?" } }),
        carousel: () => m.sendInteractiveCarousel({ ...base, bodyText: "This week", cards }),
    };
    for (const [name, send] of Object.entries(sends)) {
        const answer = await send();
        assert.equal(answer.messagingProduct ?? answer.messaging_product, "whatsapp", name);
        assert.match(answer.messages[0].id, /^wamid\.[A-Za-z0-9+/=]+$/);
        const sent = (await sim.requests({ provider: "meta", to })).at(-1);
        assert.equal(sent.answered_status, 200);
        assert.equal(sent.path, `/v24.0/${PHONE}/messages`);
        assert.equal(sent.headers.authorization, "Bearer token");
        const type = sent.body.type === "interactive" ? sent.body.interactive.type : sent.body.type;
        assert.equal(type, name);
        assert.ok(sent.body[sent.body.type]);
        const statuses = await listener.metaStatuses(answer.messages[0].id, 3);
        assert.deepEqual(statuses.map((s) => s.status), ["sent", "delivered", "read"]);
        statuses.forEach((s) => checkMetaSignature(s.callback));
    }
});

test("WhatsApp: statuses carry our data, price, and the signature of the raw bytes", async () => {
    await openWindow();
    const answer = await whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "é👍", bizOpaqueCallbackData: "m-1/é" });
    const [sent, delivered, read] = await listener.metaStatuses(answer.messages[0].id, 3);
    for (const status of [sent, delivered, read]) {
        assert.equal(status.biz_opaque_callback_data, "m-1/é");
        assert.equal(status.recipient_id, PERSON);
        assert.match(status.timestamp, /^\d+$/);
        assert.equal(status.callback.path, "/meta");
        assert.match(status.callback.raw, /m-1\\\/\\u00e9/, "as Meta writes: ASCII only, slashes escaped");
        checkMetaSignature(status.callback);
    }
    assert.deepEqual(sent.pricing, { billable: false, pricing_model: "PMP", type: "free_customer_service", category: "service" });
    assert.equal(sent.conversation, undefined, "left out from v24 on");
    const old = new WhatsAppClient({ accessToken: "token", baseUrl: sim.url, graphVersion: "v23.0" });
    const { messages } = await old.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    assert.equal((await listener.metaStatuses(messages[0].id, 1))[0].conversation.origin.type, "service");
    assert.equal(normalizeWebhook(sent.callback.json).statuses[0].status, "sent");
});

test("WhatsApp: bad messages are refused with Meta's codes and the member", async () => {
    await openWindow();
    const send = (body) => graph("POST", `/${PHONE}/messages`, { body: { messaging_product: "whatsapp", to: PERSON, ...body } });
    const text = { type: "text", text: { body: "x" } };
    const rows = [
        [{ type: "text" }, 131008, "text"],
        [{ type: "text", text: {} }, 131008, "body"],
        [{ type: "text", text: { body: "x".repeat(4097) } }, 131009, "4096"],
        [{ type: "text", text: { body: "x", bold: true } }, 100, "bold"],
        [{ type: "telegram" }, 100, "type"],
        [{ type: "image", image: {} }, 131008, "image"],
        [{ type: "image", image: { id: "1", link: "https://example.org" } }, 100, "image"],
        [{ type: "image", image: { id: "1" } }, 100, "attachment ID"],
        [{ type: "location", location: { latitude: 91, longitude: 0 } }, 131009, "location"],
        [{ type: "reaction", reaction: { message_id: "wamid.none", emoji: "👍" } }, 131009, "message_id"],
        [{ type: "interactive", interactive: { type: "button", body: { text: "x" }, action: { buttons: [] } } }, 131009, "buttons"],
        [{ type: "template", template: { name: "nope", language: { code: "en_US" } } }, 132001, "nope"],
        [{ ...text, to: "abc" }, 131009, "to"],
        [{ ...text, to: BUSINESS }, 131021, ""],
        [{ ...text, messaging_product: "sms" }, 100, "messaging_product"],
        [{ ...text, biz_opaque_callback_data: "x".repeat(513) }, 131009, "512"],
        [{ ...text, extra: 1 }, 100, "extra"],
    ];
    for (const [body, code, words] of rows) {
        const { status, json } = await send(body);
        assert.equal(json.error?.code, code, JSON.stringify([body, json]));
        assert.ok(status === 400 || code === 132001, `${status}`);
        assert.ok((json.error.error_data?.details ?? json.error.message).includes(words), JSON.stringify(json));
        assert.equal(json.error.type, "OAuthException");
        assert.ok(json.error.fbtrace_id);
    }
    assert.equal((await graph("POST", "/1/messages", { body: {} })).json.error.error_subcode, 33);
    assert.equal((await graph("GET", "/nothing/at/all")).json.error.code, 2500);
});

test("WhatsApp: outside of 24 hours free-form fails, templates pass", async () => {
    const late = await whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    const [failed] = await listener.metaStatuses(late.messages[0].id, 1);
    assert.equal(failed.status, "failed");
    assert.equal(failed.errors[0].code, 131047);
    assert.match(failed.errors[0].error_data.details, /24 hours/);
    const template = await whatsapp.messages.sendTemplate({ phoneNumberId: PHONE, to: PERSON, template: { name: "hello_world", language: { code: "en_US" } } });
    assert.equal((await listener.metaStatuses(template.messages[0].id, 3))[2].status, "read");
    await openWindow();
    await sim.control("POST", "/clock", { advance_ms: 86_400_000 });
    await sim.control("PUT", "/settings", { window: "answer" });
    const error = await graphError(whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" }));
    await sim.control("PUT", "/settings", { window: "callback" });
    assert.equal(error.code, 131047);
});

test("WhatsApp: media is uploaded, found, downloaded with the token while its URL lives, sent and deleted", async () => {
    await openWindow();
    const { id } = await whatsapp.media.upload({ phoneNumberId: PHONE, type: "image/png", file: new Blob([png], { type: "image/png" }), fileName: "a.png" });
    const uploaded = (await sim.requests({ path: "/media" })).at(-1);
    assert.equal(uploaded.body.file.filename, "a.png");
    assert.equal(uploaded.body.file.size, png.length);
    const found = await whatsapp.media.get({ mediaId: id, phoneNumberId: PHONE });
    assert.equal(found.mimeType ?? found.mime_type, "image/png");
    assert.equal(found.fileSize ?? found.file_size, png.length);
    const bytes = await whatsapp.media.download({ mediaId: id, auth: "always" });
    assert.deepEqual(Buffer.from(bytes), png);
    assert.equal((await fetch(found.url)).status, 401, "the token is needed");
    const sent = await whatsapp.messages.sendImage({ phoneNumberId: PHONE, to: PERSON, image: { id } });
    await listener.metaStatuses(sent.messages[0].id, 3);
    assert.equal((await graphError(whatsapp.messages.sendAudio({ phoneNumberId: PHONE, to: PERSON, audio: { id } }))).code, 131053);
    await sim.control("POST", "/clock", { advance_ms: 301_000 });
    assert.equal((await fetch(found.url, { headers: { authorization: "Bearer token" } })).status, 404, "five minutes are over");
    assert.equal((await whatsapp.media.delete({ mediaId: id })).success, true);
    assert.equal((await graphError(whatsapp.media.get({ mediaId: id }))).code, 100);
    const html = whatsapp.media.upload({ phoneNumberId: PHONE, type: "text/html", file: new Blob(["<p>"], { type: "text/html" }), fileName: "a.html" });
    assert.equal((await graphError(html)).code, 100);
    const broken = await fetch(`${sim.url}/v24.0/${PHONE}/media`, { method: "POST", body: "--x\r\n", headers: { authorization: "Bearer t", "content-type": "multipart/form-data; boundary=x" } });
    assert.equal(broken.status, 400);
    assert.equal((await broken.json()).error.code, 100);
});

test("WhatsApp: templates are reviewed, used with the right parameters, paused and deleted", async () => {
    const updates = (name) => (c) => c.json.entry?.[0].changes[0].field === "message_template_status_update" && c.json.entry[0].changes[0].value.message_template_name === name;
    const created = await whatsapp.templates.create({
        businessAccountId: WABA,
        name: "order_update",
        language: "en_US",
        category: "UTILITY",
        components: [
            { type: "HEADER", format: "TEXT", text: "Order {{1}}", example: { header_text: ["A-17"] } },
            { type: "BODY", text: "Hello {{1}}, it ships {{2}}.", example: { body_text: [["Ada", "today"]] } },
            { type: "BUTTONS", buttons: [{ type: "URL", text: "Track", url: "https://example.org/{{1}}", example: ["https://example.org/a"] }] },
        ],
    });
    assert.equal(created.status, "PENDING");
    const [approved] = await listener.wait(1, updates("order_update"));
    const value = approved.json.entry[0].changes[0].value;
    assert.equal(value.event, "APPROVED");
    assert.equal(String(value.message_template_id), created.id);
    assert.equal(typeof approved.json.entry[0].time, "number");
    const send = (components) => whatsapp.messages.sendTemplate({ phoneNumberId: PHONE, to: PERSON, template: { name: "order_update", language: { code: "en_US" }, components } });
    const text = (...all) => all.map((one) => ({ type: "text", text: one }));
    const right = [
        { type: "header", parameters: text("17") },
        { type: "body", parameters: text("Ada", "today") },
        { type: "button", subType: "url", index: "0", parameters: text("abc") },
    ];
    const sent = await send(right);
    assert.equal(sent.messages[0].messageStatus ?? sent.messages[0].message_status, "accepted");
    assert.equal((await listener.metaStatuses(sent.messages[0].id, 1))[0].pricing.category, "utility");
    assert.equal((await graphError(send([right[0], { type: "body", parameters: text("Ada") }, right[2]]))).code, 132000);
    assert.equal((await graphError(send([right[0], right[1]]))).code, 132000);
    assert.equal((await graphError(send([{ type: "header", parameters: [{ type: "image", image: { link: "https://example.org/a" } }] }, right[1], right[2]]))).code, 132012);
    await sim.control("PUT", "/templates", { name: "order_update", status: "PAUSED" });
    assert.equal((await listener.wait(2, updates("order_update")))[1].json.entry[0].changes[0].value.event, "PAUSED");
    assert.equal((await graphError(send(right))).code, 132015);
    const listed = await whatsapp.templates.list({ businessAccountId: WABA, name: "order_update" });
    assert.equal(listed.data[0].status, "PAUSED");
    await whatsapp.templates.delete({ businessAccountId: WABA, name: "order_update" });
    assert.equal((await graphError(send(right))).code, 132001);
    await whatsapp.templates.create({ businessAccountId: WABA, name: "reject_me", language: "en", category: "MARKETING", components: [{ type: "BODY", text: "Buy" }] });
    assert.equal((await listener.wait(1, updates("reject_me")))[0].json.entry[0].changes[0].value.event, "REJECTED");
    await sim.control("DELETE", "/templates?name=reject_me");
    const page = await graph("GET", `/${WABA}/message_templates?limit=1&fields=name`);
    assert.equal(page.json.data[0].name, "hello_world");
    assert.ok(page.json.paging.cursors.after);
});

test("WhatsApp: each inbound type arrives in Meta's shape; media of it can be fetched", async () => {
    const rows = {
        text: { text: { body: "Grüße" } },
        location: { location: { latitude: 51.5, longitude: -0.1, name: "N" } },
        contacts: { contacts: [{ name: { formatted_name: "Ada" } }] },
        reaction: { reaction: { message_id: "wamid.X", emoji: "👍" } },
        button: { button: { payload: "P", text: "T" }, context: { from: BUSINESS, id: "wamid.X" } },
        interactive: { interactive: { type: "button_reply", button_reply: { id: "yes", title: "Yes" } } },
        order: { order: { catalog_id: "1", product_items: [] } },
        system: { system: { body: "changed", type: "user_changed_number", wa_id: "14155550124" } },
        edit: { edit: { original_message_id: "wamid.X", message: { type: "text", text: { body: "y" } } } },
        revoke: { revoke: { original_message_id: "wamid.X" } },
        unsupported: { errors: [{ code: 131051, title: "Unsupported message type" }] },
        request_welcome: {},
        image: { image: { caption: "C" }, media: png.toString("base64") },
        video: { media: { base64: Buffer.from("\0\0\0\x18ftypmp42").toString("base64") } },
        document: { media: { base64: Buffer.from("%PDF-1.7").toString("base64"), filename: "a.pdf" } },
        sticker: { media: { base64: Buffer.from("RIFF\0\0\0\0WEBPVP8 ").toString("base64") } },
        audio: { media: ogg.toString("base64") },
    };
    for (const [type, content] of Object.entries(rows)) {
        const { id } = await sim.control("POST", "/inbound", { provider: "meta", from: `+${PERSON}`, to: BUSINESS, type, profile_name: "Ada", ...content });
        const callback = listener.all.at(-1);
        checkMetaSignature(callback);
        const { value, field } = callback.json.entry[0].changes[0];
        assert.equal(field, "messages");
        assert.deepEqual(value.metadata, { display_phone_number: BUSINESS, phone_number_id: PHONE });
        const [message] = value.messages;
        assert.deepEqual([message.id, message.type, message.from], [id, type, PERSON]);
        if (content[type] && !content.media) assert.deepEqual(message[type], content[type]);
        if (type !== "system") assert.equal(value.contacts[0].profile.name, "Ada");
        if (content.media) {
            const bytes = Buffer.from(await whatsapp.media.download({ mediaId: message[type].id, auth: "always" }));
            assert.equal(bytes.toString("base64"), content.media.base64 ?? content.media);
            assert.equal(Buffer.from(message[type].sha256, "base64").length, 32);
        }
    }
    const voice = listener.all.at(-1).json.entry[0].changes[0].value.messages[0].audio;
    assert.deepEqual([voice.voice, voice.mime_type], [true, "audio/ogg; codecs=opus"]);
    const form = new FormData();
    for (const [name, value] of Object.entries({ provider: "meta", from: PERSON, to: PHONE, type: "image", image: '{"caption":"form"}' })) form.set(name, value);
    form.set("media", new Blob([png], { type: "image/png" }), "b.png");
    await sim.control("POST", "/inbound", form);
    assert.equal(listener.all.at(-1).json.entry[0].changes[0].value.messages[0].image.caption, "form");
    for (const [body, field] of [
        [{ provider: "meta", from: PERSON, to: BUSINESS, type: "text", text: { body: "x" }, txt: 1 }, "txt"],
        [{ provider: "meta", from: PERSON, to: "1", type: "text", text: { body: "x" } }, "to"],
        [{ provider: "viber" }, "provider"],
        [{ provider: "telnyx", from: `+${PERSON}`, to: SMS, body: "x" }, "body"],
    ])
        assert.equal((await sim.control("POST", "/inbound", body, 400)).field, field);
});

test("WhatsApp: read receipts and typing need a message that came in", async () => {
    const id = await openWindow();
    const answer = await whatsapp.messages.markRead({ phoneNumberId: PHONE, messageId: id, typingIndicator: { type: "text" } });
    assert.equal(answer.success, true);
    assert.equal((await graphError(whatsapp.messages.markRead({ phoneNumberId: PHONE, messageId: "wamid.none" }))).code, 131009);
});

test("WhatsApp: number, profile, registration, subscription with handshake, code exchange", async () => {
    const number = await graph("GET", `/${PHONE}?fields=display_phone_number,status,webhook_configuration`);
    assert.deepEqual(number.json, {
        id: PHONE,
        display_phone_number: "+1 415-555-0100",
        status: "CONNECTED",
        webhook_configuration: { application: `${listener.url}/meta` },
    });
    assert.equal((await graph("GET", `/${WABA}/phone_numbers`)).json.data[0].id, PHONE);
    await whatsapp.phoneNumbers.businessProfile.update({ phoneNumberId: PHONE, about: "Open", websites: ["https://example.org/"] });
    const profile = await whatsapp.phoneNumbers.businessProfile.get({ phoneNumberId: PHONE, fields: "about,websites" });
    assert.equal(profile.data[0].about, "Open");
    const created = await graph("POST", `/${WABA}/phone_numbers`, { body: { cc: "1", phone_number: "4155550177", verified_name: "New" } });
    const phoneNumberId = created.json.id;
    assert.equal((await graphError(whatsapp.phoneNumbers.register({ phoneNumberId, pin: "123456" }))).code, 133006);
    await whatsapp.phoneNumbers.requestCode({ phoneNumberId, codeMethod: "SMS", language: "en_US" });
    await whatsapp.phoneNumbers.verifyCode({ phoneNumberId, code: "123123" });
    assert.equal((await whatsapp.phoneNumbers.register({ phoneNumberId, pin: "123456" })).success, true);
    assert.equal((await graphError(whatsapp.phoneNumbers.register({ phoneNumberId, pin: "654321" }))).code, 133005);
    await sim.control("DELETE", `/numbers/${phoneNumberId}`);

    const subscribe = (verify_token) => graph("POST", `/${WABA}/subscribed_apps`, { body: { override_callback_uri: `${listener.url}/waba`, verify_token } });
    const refused = await subscribe("wrong");
    assert.equal(refused.json.error.code, 2200);
    assert.equal((await subscribe("sim-verify-token")).json.success, true);
    const handshake = (await sim.control("GET", "/callbacks?provider=meta")).filter((c) => c.event === "handshake");
    assert.deepEqual(handshake.map((c) => c.answered_status), [403, 200]);
    await openWindow();
    const sent = await whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    assert.equal((await listener.metaStatuses(sent.messages[0].id, 1))[0].callback.path, "/waba");
    const apps = await graph("GET", `/${WABA}/subscribed_apps`);
    assert.equal(apps.json.data[0].override_callback_uri, `${listener.url}/waba`);
    assert.equal((await graph("POST", `/${WABA}/subscribed_apps`)).json.success, true);

    const code = new URLSearchParams({ client_id: keys.meta.app_id, client_secret: keys.meta.app_secret, code: "AQ1" });
    const exchanged = await fetch(`${sim.url}/v24.0/oauth/access_token?${code}`).then((r) => r.json());
    assert.match(exchanged.access_token, /^EAAG/);
    const debug = await graph("GET", `/debug_token?input_token=${exchanged.access_token}`);
    assert.ok(debug.json.data.granular_scopes[0].target_ids.includes(WABA));
});

test("Rules: what a test asks for happens, as often as it says", async () => {
    await openWindow();
    const send = () => whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    for (const [rule, field] of [
        [{ action: { status: 503 }, time: 1 }, "time"],
        [{ action: { statuss: 503 } }, "action.statuss"],
        [{ action: {} }, "action"],
        [{ provider: "sms", action: { status: 503 } }, "provider"],
        [{ times: 0, action: { status: 503 } }, "times"],
        [{ action: { status: 99 } }, "action.status"],
    ])
        assert.equal((await sim.control("POST", "/rules", rule, 400)).field, field);

    const once = await sim.rule({ provider: "meta", path: "/messages", times: 1, action: { status: 503 } });
    assert.equal((await graphError(send())).status, 503);
    await send();
    assert.equal((await sim.control("GET", "/rules"))[0].matches, 1);
    await sim.control("DELETE", `/rules/${once.id}`);
    await sim.control("DELETE", `/rules/${once.id}`, undefined, 404);

    await sim.rule({ provider: "meta", to: `*${PERSON.slice(-4)}`, times: 1, action: { error_code: 131056 } });
    const limited = await graphError(send());
    assert.deepEqual([limited.status, limited.code], [429, 131056]);

    await sim.rule({ provider: "meta", times: 1, action: { fail_with_code: 131026 } });
    const failed = await send();
    const [status] = await listener.metaStatuses(failed.messages[0].id, 1);
    assert.deepEqual([status.status, status.errors[0].code, status.errors[0].title], ["failed", 131026, "Message undeliverable"]);

    await sim.rule({ provider: "meta", times: 1, action: { duplicate_callbacks: true } });
    const doubled = await send();
    assert.deepEqual((await listener.metaStatuses(doubled.messages[0].id, 6)).map((s) => s.status), ["sent", "sent", "delivered", "delivered", "read", "read"]);

    await sim.rule({ provider: "meta", times: 1, action: { reorder_callbacks: true } });
    const mixed = await send();
    assert.deepEqual((await listener.metaStatuses(mixed.messages[0].id, 3)).map((s) => s.status), ["read", "delivered", "sent"]);

    await sim.rule({ provider: "meta", times: 1, action: { no_callbacks: true } });
    const silent = await send();
    await listener.metaStatuses((await send()).messages[0].id, 3);
    assert.ok(!listener.all.some((c) => c.raw.includes(silent.messages[0].id)));

    listener.clear();
    await sim.rule({ provider: "meta", times: 1, action: { drop_answer: true } });
    await assert.rejects(whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x", bizOpaqueCallbackData: "lost" }));
    const [taken] = await listener.wait(1, (c) => c.raw.includes("lost"));
    assert.equal(taken.json.entry[0].changes[0].value.statuses[0].status, "sent", "it was accepted");
    assert.equal((await sim.requests({ to: PERSON })).at(-1).answered_status, null);

    await sim.rule({ provider: "meta", times: 1, action: { delay_ms: 500 } });
    const [began, before] = [Date.now(), (await sim.requests({ to: PERSON })).length];
    const late = send();
    const asked = await until("the request", async () => {
        const now = await sim.requests({ to: PERSON });
        return now.length > before && now.at(-1);
    }, { every: 5 });
    assert.equal(asked.answered_status, null, "not answered yet");
    await late;
    assert.ok(Date.now() - began >= 495);
    assert.equal((await sim.requests({ to: PERSON })).at(-1).answered_status, 200);
    assert.deepEqual(await sim.control("DELETE", "/rules"), { deleted: 6 + 1 });
});

test("Limits: throughput and pair rate, when they are set", async () => {
    await openWindow();
    await sim.control("PUT", "/settings", { pair_burst: 2, pair_interval_ms: 60000 });
    const send = () => whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    await send();
    await send();
    assert.equal((await graphError(send())).code, 131056);
    await sim.control("POST", "/clock", { advance_ms: 60000 });
    await send();
    await sim.control("PUT", "/settings", { pair_burst: 0 });
    assert.equal((await sim.control("PUT", "/settings", { pair_bursts: 0 }, 400)).field, "pair_bursts");
});

test("Callbacks: raw ones with right and wrong signatures; unanswered ones are repeated and listed", async () => {
    const body = { object: "whatsapp_business_account", entry: [{ id: WABA, changes: [] }] };
    const right = await sim.control("POST", "/callbacks", { provider: "meta", body });
    assert.equal(right.answered_status, 200);
    checkMetaSignature(listener.all.at(-1));
    await sim.control("POST", "/callbacks", { provider: "meta", body, signature: "wrong" });
    assert.throws(() => checkMetaSignature(listener.all.at(-1)));
    await sim.control("POST", "/callbacks", { provider: "meta", body: '{"a":1}', signature: "none" });
    assert.equal(listener.all.at(-1).headers["x-hub-signature-256"], undefined);
    assert.equal(listener.all.at(-1).raw, '{"a":1}');
    await sim.control("POST", "/callbacks", { provider: "telnyx", body: { data: {} }, signature: "wrong" });
    const wrong = listener.all.at(-1);
    await assert.rejects(telnyx.webhooks.unwrap(wrong.raw, { headers: wrong.headers }));
    await sim.control("POST", "/callbacks", { provider: "telnyx", body: { data: {} }, timestamp: 1760000000 });
    const stale = listener.all.at(-1);
    await assert.rejects(telnyx.webhooks.unwrap(stale.raw, { headers: stale.headers }), /too old/);
    assert.equal((await sim.control("POST", "/callbacks", { provider: "meta", body, sig: 1 }, 400)).field, "sig");

    await sim.control("PUT", "/settings", { callback_retry_ms: 5 });
    await openWindow();
    listener.statuses = [500, 404];
    const sent = await whatsapp.messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: "x" });
    await listener.metaStatuses(sent.messages[0].id, 5);
    await sim.quiet();
    const listed = (await sim.control("GET", "/callbacks")).filter((c) => c.message_id === sent.messages[0].id);
    assert.deepEqual(listed.map((c) => c.event).sort(), ["delivered", "read", "sent"]);
    assert.deepEqual(listed.flatMap((c) => c.answers.map((a) => a.status)).sort(), [200, 200, 200, 404, 500]);
    await sim.control("PUT", "/settings", { callback_retry_ms: null });
    await sim.control("POST", "/inbound", { provider: "meta", from: PERSON, to: BUSINESS, text: { body: "x" } });
    listener.statuses = [503];
    const refused = await sim.control("POST", "/inbound", { provider: "meta", from: PERSON, to: BUSINESS, text: { body: "x" } }, 502);
    assert.equal(refused.callback.status, 503);
});

test("Telnyx: the SDK sends, reads back, and verifies the callbacks", async () => {
    const { data } = await telnyx.messages.send({ from: SMS, to: `+${PERSON}`, text: "hello €", webhook_url: `${listener.url}/mine?token=t-1`, use_profile_webhooks: false });
    assert.equal(data.to[0].status, "queued");
    assert.deepEqual([data.type, data.encoding, data.parts, data.cost], ["SMS", "GSM-7", 1, null]);
    const events = await listener.telnyxEvents(data.id, 2);
    assert.deepEqual(events.map((e) => e.json.data.event_type), ["message.sent", "message.finalized"]);
    for (const event of events) {
        const unwrapped = await telnyx.webhooks.unwrap(event.raw, { headers: event.headers });
        assert.equal(unwrapped.data.payload.id, data.id);
        assert.deepEqual([event.path, event.query], ["/mine", "?token=t-1"]);
        assert.deepEqual(event.json.meta, { attempt: 1, delivered_to: `${listener.url}/mine?token=t-1` });
    }
    assert.deepEqual(events[1].json.data.payload.to[0].status, "delivered");
    assert.equal(events[1].json.data.payload.cost.amount, "0.0051");
    const again = await telnyx.messages.retrieve(data.id);
    assert.equal(again.data.to[0].status, "delivered");
    const [logged] = await sim.requests({ provider: "telnyx", to: `+${PERSON}` });
    assert.deepEqual([logged.method, logged.path, logged.body.text, logged.answered_status], ["POST", "/v2/messages", "hello €", 200]);
});

test("Telnyx: profiles' webhooks, MMS, groups, segments, opt-out", async () => {
    const { data: profile } = await telnyx.messagingProfiles.create({ name: "app-1", whitelisted_destinations: ["*"], webhook_url: `${listener.url}/profile` });
    await sim.control("PUT", "/numbers", { provider: "telnyx", phone_number: "+14155550188", messaging_profile_id: profile.id });
    const from = "+14155550188";
    const numbers = await telnyx.messagingProfiles.listPhoneNumbers(profile.id);
    assert.deepEqual(numbers.data.map((n) => n.phone_number), [from]);

    const long = await telnyx.messages.send({ from, to: `+${PERSON}`, text: "é".repeat(160) + "x" });
    assert.deepEqual([long.data.encoding, long.data.parts], ["GSM-7", 2]);
    assert.equal((await listener.telnyxEvents(long.data.id, 1))[0].path, "/profile");
    const wide = await telnyx.messages.send({ from, to: `+${PERSON}`, text: "😀".repeat(36) });
    assert.deepEqual([wide.data.encoding, wide.data.parts], ["UCS-2", 2]);

    await sim.control("PUT", "/settings", { fetch_media: true });
    const mms = await telnyx.messages.send({ from, to: `+${PERSON}`, media_urls: [`${listener.url}/a.png`] });
    assert.equal(mms.data.type, "MMS");
    assert.deepEqual([mms.data.media[0].content_type, mms.data.media[0].size], ["image/png", png.length]);
    await assert.rejects(telnyx.messages.send({ from, to: `+${PERSON}`, media_urls: [`${listener.url}/gone.png`] }), /40317/);
    await sim.control("PUT", "/settings", { fetch_media: false });

    await sim.rule({ provider: "telnyx", to: "+14155550125", times: 1, action: { fail_with_code: 40008 } });
    const group = await telnyx.messages.sendGroupMms({ from, to: [`+${PERSON}`, "+14155550125"], text: "x", media_urls: ["https://example.org/a.png"] });
    const [, last] = await listener.telnyxEvents(group.data.id, 2);
    assert.deepEqual(last.json.data.payload.to.map((t) => t.status), ["delivered", "delivery_failed"]);
    assert.deepEqual(last.json.data.payload.errors.map((e) => e.code), ["40008"]);

    const stop = await sim.control("POST", "/inbound", { provider: "telnyx", from: `+${PERSON}`, to: from, text: " stop " });
    const [event] = await listener.telnyxEvents(stop.id, 1);
    assert.equal(event.json.data.payload.autoresponse_type, "STOP");
    await assert.rejects(telnyx.messages.send({ from, to: `+${PERSON}`, text: "x" }), /40300/);
    await sim.control("POST", "/inbound", { provider: "telnyx", from: `+${PERSON}`, to: from, text: "START" });
    await telnyx.messages.send({ from, to: `+${PERSON}`, text: "x" });

    const { id } = await sim.control("POST", "/inbound", { provider: "telnyx", from: `+${PERSON}`, to: from, text: "photo", media: [{ base64: png.toString("base64") }] });
    const [received] = await listener.telnyxEvents(id, 1);
    const unwrapped = await telnyx.webhooks.unwrap(received.raw, { headers: received.headers });
    assert.equal(unwrapped.data.event_type, "message.received");
    const [media] = unwrapped.data.payload.media;
    assert.deepEqual([media.content_type, media.size], ["image/png", png.length]);
    assert.deepEqual(Buffer.from(await fetch(media.url).then((r) => r.arrayBuffer())), png);
});

test("Telnyx: numbers are searched, ordered and listed by the SDK", async () => {
    await assert.rejects(telnyx.numberOrders.create({ phone_numbers: [{ phone_number: "+14165550100" }] }), /85000/);
    const found = await telnyx.availablePhoneNumbers.list({ filter: { country_code: "US", national_destination_code: "312", features: ["sms"], limit: 3 } });
    assert.equal(found.data.length, 3);
    assert.match(found.data[0].phone_number, /^\+1312555\d{4}$/);
    const wanted = found.data[1].phone_number;
    const profile = (await telnyx.messagingProfiles.list()).data[0];
    const order = await telnyx.numberOrders.create({ phone_numbers: [{ phone_number: wanted }], messaging_profile_id: profile.id, customer_reference: "app-1" });
    assert.equal(order.data.status, "pending");
    const [done] = await listener.wait(1, (c) => c.json.data?.event_type === "number_order.complete");
    assert.equal(done.json.data.payload.id, order.data.id);
    assert.equal((await telnyx.numberOrders.retrieve(order.data.id)).data.status, "success");
    const names = [];
    for await (const number of telnyx.phoneNumbers.list({ "page[size]": 1 })) names.push(number.phone_number);
    assert.ok(names.includes(wanted) && names.includes(SMS), "every page was read");
    await telnyx.messages.send({ from: wanted, to: `+${PERSON}`, text: "from the new one" });
    const own = (await telnyx.phoneNumbers.list({ filter: { phone_number: wanted } })).data[0];
    assert.equal((await telnyx.phoneNumbers.messaging.retrieve(own.id)).data.messaging_profile_id, profile.id);
    await telnyx.phoneNumbers.delete(own.id);
    await assert.rejects(telnyx.messages.send({ from: wanted, to: `+${PERSON}`, text: "x" }), /40305/);
});

test("Telnyx: errors in its envelope, faults by rule", async () => {
    const status = (promise) => promise.then(() => 200, (error) => [error.status, error.error?.errors?.[0].code ?? error.error?.[0]?.code]);
    const send = (more) => telnyx.messages.send({ from: SMS, to: `+${PERSON}`, text: "x", ...more });
    assert.deepEqual(await status(send({ to: "123" })), [400, "40310"]);
    assert.deepEqual(await status(send({ from: "+14155559999" })), [400, "40305"]);
    assert.deepEqual(await status(send({ text: undefined })), [400, "40316"]);
    assert.deepEqual(await status(telnyx.messages.retrieve("none")), [404, "10005"]);
    await sim.rule({ provider: "telnyx", times: 1, action: { status: 429 } });
    assert.deepEqual(await status(send()), [429, "10011"]);
    await sim.rule({ provider: "telnyx", times: 1, action: { error_code: "40318" } });
    assert.deepEqual(await status(send()), [400, "40318"]);
    await sim.rule({ provider: "telnyx", to: PERSON, times: 1, action: { drop_answer: true } });
    await assert.rejects(send({ webhook_url: `${listener.url}/lost` }));
    await listener.wait(2, (c) => c.path === "/lost");
    await sim.rule({ provider: "telnyx", times: 1, action: { reorder_callbacks: true, duplicate_callbacks: true } });
    const { data } = await send();
    const events = await listener.telnyxEvents(data.id, 4);
    assert.deepEqual(events.map((e) => e.json.data.event_type), ["message.finalized", "message.finalized", "message.sent", "message.sent"]);
    assert.equal(events[0].json.data.id, events[1].json.data.id, "a duplicate has the same id");
});

test("The examples of docs/simulators.md work", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sim-"));
    writeFileSync(join(folder, "voice.ogg"), ogg);
    const walk = /^<!-- walk: .*?^```sh\n.*?^```/ms; // needs a whole house: tests/system/test_walk3.py runs it
    const docs = readFileSync(new URL("../../docs/simulators.md", import.meta.url), "utf8").replace(walk, "");
    const blocks = [...docs.matchAll(/^```sh\n(.*?)^```/gms)].map((m) => m[1]).join("");
    const examples = blocks.split(/^(?=curl )/m).filter((line) => line.startsWith("curl "));
    assert.ok(examples.length >= 15);
    const settings = await sim.control("GET", "/settings");
    listener.token = "mine";
    try {
        for (const example of examples) {
            const command = example.replaceAll("http://127.0.0.1:8090", sim.url).replaceAll("http://127.0.0.1:3000", listener.url).replace(/^curl/, "curl -sS --fail-with-body");
            const { stdout } = await run("bash", ["-c", command], { cwd: folder });
            assert.ok(JSON.parse(stdout), example);
        }
    } finally {
        listener.token = settings.meta_verify_token;
        await sim.control("PUT", "/settings", { ...settings, verify: false });
        rmSync(folder, { recursive: true });
    }
});

test("Keys: one token and one key only, when they are set", async () => {
    const strict = await Sim.start("--meta-token", "secret", "--telnyx-key", "KEY2", "--seed", "s");
    try {
        const get = async (path, token) => {
            const response = await fetch(strict.url + path, { headers: token ? { authorization: `Bearer ${token}` } : {} });
            return [response.status, await response.json()];
        };
        assert.equal((await get(`/v24.0/${PHONE}`, "secret"))[0], 200);
        assert.deepEqual((await get(`/v24.0/${PHONE}`, "other"))[1].error.code, 190);
        assert.deepEqual((await get(`/v24.0/${PHONE}`))[1].error.code, 104);
        assert.equal((await get("/v2/phone_numbers", "KEY2"))[0], 200);
        assert.equal((await get("/v2/phone_numbers", "KEY1"))[1].errors[0].code, "10009");
        assert.equal((await strict.control("GET", "/keys")).telnyx.public_key, "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
        assert.equal((await strict.control("POST", "/inbound", { provider: "meta", from: PERSON, to: BUSINESS, text: { body: "x" } }, 409)).error.includes("meta_callback"), true);
    } finally {
        await strict.stop();
    }
});
