// Real carriers: a live app on `aviary up --simulate`. What goes out is compared with the carriers' own shapes as the simulator received it, field by field; what comes
// back arrives as webhooks that the standardwebhooks package verifies and the served document describes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { after, before, beforeEach, test } from "node:test";
import { deflateSync } from "node:zlib";
import { House, Receiver } from "./house.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const { Webhook } = require("standardwebhooks");
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

const words = { sms: ["received", "sent", "delivered", "failed"], whatsapp: ["received", "sent", "delivered", "read", "failed"] };
const events = Object.entries(words).flatMap(([channel, names]) => names.map((name) => `messages.${channel}.${name}`));
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

// ---- files: as small as their kind allows ----
const crcs = Array.from({ length: 256 }, (_, n) => Array.from({ length: 8 }).reduce((c) => (c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1), n));
const crc32 = (bytes) => (bytes.reduce((c, b) => crcs[(c ^ b) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
const be32 = (n) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n].map((b) => b & 255));
const le32 = (n) => be32(n).reverse();
const latin = (text) => Buffer.from(text, "latin1");
function chunk(kind, data) {
    const body = Buffer.concat([latin(kind), data]);
    return Buffer.concat([be32(data.length), body, be32(crc32(body))]);
}
const png = Buffer.concat([latin("\x89PNG\r\n\x1a\n"), chunk("IHDR", Buffer.concat([be32(2), be32(2), Buffer.from([8, 2, 0, 0, 0])])),
                           chunk("IDAT", deflateSync(Buffer.alloc(14))), chunk("IEND", Buffer.alloc(0))]);
const mp4 = Buffer.concat([be32(24), latin("ftypisom"), be32(512), latin("isommp42"), be32(16), latin("mdat"), Buffer.alloc(8)]);
const opus = Buffer.concat([latin("OpusHead\x01\x01"), Buffer.alloc(2), le32(48000), Buffer.alloc(3)]);
const ogg = Buffer.concat([latin("OggS\0\x02"), Buffer.alloc(20), Buffer.from([1, opus.length]), opus]);
const pdf = latin("%PDF-1.4\n%%EOF\n");
const vp8x = Buffer.concat([latin("VP8X"), le32(10), Buffer.from([0, 0, 0, 0, 255, 1, 0, 255, 1, 0]), latin("VP8L"), le32(4), Buffer.from([0x2f, 0xff, 0xc1, 0x7f])]);
const webp = Buffer.concat([latin("RIFF"), le32(vp8x.length + 4), latin("WEBP"), vp8x]);
const files = {
    image: { bytes: png, name: "a.png", mime: "image/png" }, video: { bytes: mp4, name: "a.mp4", mime: "video/mp4" },
    audio: { bytes: ogg, name: "a.ogg", mime: "audio/ogg" }, document: { bytes: pdf, name: "invoice.pdf", mime: "application/pdf" },
    sticker: { bytes: webp, name: "a.webp", mime: "image/webp" },
};
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

let house;
let receiver;
let hook;
let ajv;
let app;
let people = 0;

before(async () => {
    house = await House.start("--simulate", "--test-clock", "--rate-limits", "off");
    app = house.credentials.app;
    receiver = await Receiver.start();
    const made = await ask("POST", "/v1/webhooks", { url: receiver.url, events });
    assert.equal(made.status, 201, made.raw);
    hook = made.json;
    ajv = new Ajv({ strict: false });
    addFormats(ajv);
    ajv.addSchema((await house.request("GET", "/openapi.json")).json, "doc");
    await control("PUT", "/settings", { callback_delay_ms: 20 });
});
after(async () => {
    await receiver?.stop();
    await house?.stop();
});
beforeEach(async () => {
    await control("DELETE", "/rules");
});

const ask = (method, path, body, headers) => house.request(method, path, { key: app.live_key, body, headers });
const whatsapp = (body) => ask("POST", "/v1/whatsapp/messages", { from: app.whatsapp_number, ...body });
const errorOf = (answer) => [answer.status, answer.json.error.type, answer.json.error.code, answer.json.error.param];

const control = (...args) => house.control(...args);

/** A person that nobody has met. */
const stranger = () => `+1415777${String(++people).padStart(4, "0")}`;

/** One that has written, so that the window is open. */
async function person() {
    const from = stranger();
    const inbound = await writes({ from, type: "text", text: { body: "hi" } });
    return { to: from, digits: from.slice(1), inbound };
}

/** A person writes by WhatsApp; what the app was told of it. */
async function writes(body) {
    const { id } = await control("POST", "/inbound", { provider: "meta", to: app.whatsapp_number, ...body });
    const told = await heard((p) => p.event === "messages.whatsapp.received" && p.data.message.from === body.from && !writes.seen.has(p.eventId));
    writes.seen.add(told.eventId);
    return { wamid: id, ...told.data.message };
}
writes.seen = new Set();

/** A webhook as its receiver checks it: signature, and the document's schema of its event. */
function checked(request) {
    const payload = new Webhook(hook.secret).verify(request.raw, request.headers);
    const pointer = `doc#/webhooks/${payload.event}/post/requestBody/content/application~1json/schema`;
    const validate = ajv.getSchema(pointer);
    assert.ok(validate, pointer);
    assert.ok(validate(payload), `${JSON.stringify(validate.errors)} in ${request.raw}`);
    assert.equal(payload.data.app.id, app.id);
    return payload;
}

/** The first webhook that fits. */
async function heard(fits, what = "the webhook") {
    const [found] = await receiver.heard(1, (r) => fits(r.json), what);
    return checked(found);
}
const heardOf = (id, event) => heard((p) => p.data.message.id === id && p.event === event, `${event} of ${id}`);

/** Its receipts, in any order, each once. */
async function receipts(id, ...names) {
    const told = [];
    for (const name of names) told.push(await heardOf(id, name));
    return told;
}

/** What the simulator got, once there are `count`. */
async function received(count, query) {
    return until(`${count} requests ${JSON.stringify(query)}`, async () => {
        const all = await control("GET", `/requests?${new URLSearchParams(query)}`);
        return all.length >= count && all.every((r) => r.answered_status !== null) && all;
    });
}

async function upload(kind) {
    const form = new FormData();
    form.append("type", kind);
    form.append("file", new Blob([files[kind].bytes], { type: files[kind].mime }), files[kind].name);
    const answer = await ask("POST", "/v1/media", form);
    assert.equal(answer.status, 201, answer.raw);
    return answer.json.id;
}

const card = {
    core: { name: { formattedName: "Ada Byron", firstName: "Ada", lastName: "Byron" }, phones: [{ phone: "+442071234567", type: "WORK" }],
            emails: [{ email: "ada@example.org", type: "HOME" }], org: { company: "Engines", department: "R+D", title: "Analyst" },
            addresses: [{ street: "1 Main St", city: "London", zip: "N1", country: "UK", countryCode: "gb", type: "WORK" }],
            urls: [{ url: "https://example.org", type: "WORK" }], birthday: "1815-12-10" },
    meta: { name: { formatted_name: "Ada Byron", first_name: "Ada", last_name: "Byron" }, phones: [{ phone: "+442071234567", type: "WORK" }],
            emails: [{ email: "ada@example.org", type: "HOME" }], org: { company: "Engines", department: "R+D", title: "Analyst" },
            addresses: [{ street: "1 Main St", city: "London", zip: "N1", country: "UK", country_code: "gb", type: "WORK" }],
            urls: [{ url: "https://example.org", type: "WORK" }], birthday: "1815-12-10" },
};
const interactive = (content) => ({ type: "interactive", interactive: content });

/** name -> request of ours (of the person and uploaded files), and the members that Meta is to get. */
const sends = {
    text: (w) => [{ type: "text", text: { body: "Grüße 👍 https://example.org", previewUrl: true } }, { type: "text", text: { body: "Grüße 👍 https://example.org", preview_url: true } }],
    "text with a quote": (w) => [{ type: "text", text: { body: "yes" }, replyTo: w.inbound.id },
                                 { type: "text", text: { body: "yes" }, context: { message_id: w.inbound.wamid } }],
    image: (w) => [{ type: "image", media: { mediaId: w.image, caption: "the hinge" } }, { type: "image", image: { id: /^\d+$/, caption: "the hinge" } }],
    video: (w) => [{ type: "video", media: { mediaId: w.video, caption: "c" } }, { type: "video", video: { id: /^\d+$/, caption: "c" } }],
    audio: (w) => [{ type: "audio", media: { mediaId: w.audio } }, { type: "audio", audio: { id: /^\d+$/ } }],
    document: (w) => [{ type: "document", media: { mediaId: w.document, caption: "c", filename: "März.pdf" } },
                      { type: "document", document: { id: /^\d+$/, caption: "c", filename: "März.pdf" } }],
    "document under its own name": (w) => [{ type: "document", media: { mediaId: w.document } }, { type: "document", document: { id: /^\d+$/, filename: "invoice.pdf" } }],
    sticker: (w) => [{ type: "sticker", sticker: { mediaId: w.sticker } }, { type: "sticker", sticker: { id: /^\d+$/ } }],
    location: (w) => [{ type: "location", location: { latitude: 51.5, longitude: -0.125, name: "N", address: "A" } },
                      { type: "location", location: { latitude: 51.5, longitude: -0.125, name: "N", address: "A" } }],
    "location of nowhere": (w) => [{ type: "location", location: { latitude: 0, longitude: 0 } }, { type: "location", location: { latitude: 0, longitude: 0 } }],
    contacts: (w) => [{ type: "contacts", contacts: { contacts: [card.core] } }, { type: "contacts", contacts: [card.meta] }],
    reaction: (w) => [{ type: "reaction", reaction: { messageId: w.inbound.id, emoji: "👍" } }, { type: "reaction", reaction: { message_id: w.inbound.wamid, emoji: "👍" } }],
    "reaction taken back": (w) => [{ type: "reaction", reaction: { messageId: w.inbound.id, emoji: "" } }, { type: "reaction", reaction: { message_id: w.inbound.wamid, emoji: "" } }],
    buttons: (w) => [
        interactive({ type: "buttons", body: "Pick", header: { type: "text", text: "H" }, footer: "F", buttons: [{ id: "a", title: "A" }, { id: "b", title: "B" }] }),
        interactive({ type: "button", header: { type: "text", text: "H" }, body: { text: "Pick" }, footer: { text: "F" },
                      action: { buttons: [{ type: "reply", reply: { id: "a", title: "A" } }, { type: "reply", reply: { id: "b", title: "B" } }] } })],
    "buttons under an image": (w) => [
        interactive({ type: "buttons", body: "Pick", header: { type: "image", mediaId: w.image }, buttons: [{ id: "a", title: "A" }] }),
        interactive({ type: "button", header: { type: "image", image: { id: /^\d+$/ } }, body: { text: "Pick" }, action: { buttons: [{ type: "reply", reply: { id: "a", title: "A" } }] } })],
    list: (w) => [
        interactive({ type: "list", body: "Pick", buttonText: "Choose", sections: [{ title: "S", rows: [{ id: "r", title: "R", description: "D" }, { id: "q", title: "Q" }] }] }),
        interactive({ type: "list", body: { text: "Pick" }, action: { button: "Choose", sections: [{ title: "S", rows: [{ id: "r", title: "R", description: "D" }, { id: "q", title: "Q" }] }] } })],
    cta_url: (w) => [interactive({ type: "cta_url", body: "Go", buttonText: "Open", url: "https://example.org/a?b=c" }),
                     interactive({ type: "cta_url", body: { text: "Go" }, action: { name: "cta_url", parameters: { display_text: "Open", url: "https://example.org/a?b=c" } } })],
    location_request: (w) => [interactive({ type: "location_request", body: "Where?" }),
                              interactive({ type: "location_request_message", body: { text: "Where?" }, action: { name: "send_location" } })],
    flow: (w) => [
        interactive({ type: "flow", body: "Book", buttonText: "Open", flowId: "9001", flowToken: "t-1", flowAction: "navigate", flowActionPayload: { screen: "START", data: { k: ["v", 1] } } }),
        interactive({ type: "flow", body: { text: "Book" }, action: { name: "flow", parameters: {
            flow_message_version: "3", flow_id: "9001", flow_cta: "Open", flow_token: "t-1", flow_action: "navigate", flow_action_payload: { screen: "START", data: { k: ["v", 1] } } } } })],
    template: (w) => [{ type: "template", template: { name: "two_words", language: "en_US", variables: { 1: "Ada", 2: "today" } } },
                      { type: "template", template: { name: "two_words", language: { code: "en_US" },
                                                      components: [{ type: "body", parameters: [{ type: "text", text: "Ada" }, { type: "text", text: "today" }] }] } }],
};

/** Equal, but that a pattern stands for the text that it matches. */
function fits(got, want, path = "body") {
    if (want instanceof RegExp) return assert.match(String(got), want, path);
    if (want === null || typeof want !== "object") return assert.equal(got, want, path);
    assert.ok(got !== null && typeof got === "object", path);
    assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort(), `members of ${path}`);
    for (const key of Object.keys(want)) fits(got[key], want[key], `${path}.${key}`);
}

async function putTemplate(name, status, text = "Hello {{1}}, it ships {{2}}.") {
    await control("PUT", "/templates", { name, language: "en_US", waba_id: "102290129340398", category: "UTILITY", status,
                                         components: [{ type: "BODY", text, example: { body_text: [["a", "b"]] } }] });
}

/** Send until the answer is the one that a change at Meta leads to: templates are read anew on Meta's callback. */
async function sendUntil(body, status) {
    let answer;
    await until(`${status}`, async () => (answer = await whatsapp(body)).status === status, { every: 50, tell: () => answer.raw });
    return answer;
}

test("each WhatsApp type arrives at Meta in Meta's shape, and its receipts come back", async (t) => {
    await putTemplate("two_words", "APPROVED");
    const who = await person();
    for (const kind of Object.keys(files)) who[kind] = await upload(kind);
    await sendUntil({ to: who.to, ...sends.template(who)[0] }, 201);
    await received(1, { provider: "meta", to: who.digits });
    for (const [name, make] of Object.entries(sends))
        await t.test(name, async () => {
            await control("DELETE", "/requests");
            const [body, content] = make(who);
            const sent = await whatsapp({ to: who.to, ...body });
            assert.equal(sent.status, 201, sent.raw);
            assert.deepEqual([sent.json.status, sent.json.type, sent.json.from, sent.json.to], ["queued", body.type, app.whatsapp_number, who.to]);
            assert.match(sent.json.id, /^msg_wa_[a-zA-Z0-9]{27}$/);
            const [got] = await received(1, { provider: "meta", to: who.digits });
            assert.deepEqual([got.method, got.path, got.answered_status], ["POST", `/v23.0/${app.meta_phone_number_id}/messages`, 200]);
            assert.match(got.headers.authorization, /^Bearer EAAsim/);
            assert.match(got.headers["content-type"], /^application\/json/);
            fits(got.body, { messaging_product: "whatsapp", recipient_type: "individual", to: who.digits, biz_opaque_callback_data: UUID, ...content });
            const told = await receipts(sent.json.id, "messages.whatsapp.sent", "messages.whatsapp.delivered", "messages.whatsapp.read");
            for (const { data: { message } } of told) {
                assert.deepEqual([message.direction, message.type, message.from, message.to], ["outbound", body.type, app.whatsapp_number, who.to]);
                assert.equal(message.failedAt, null);
            }
            const { message } = told[2].data;
            for (const at of ["sentAt", "deliveredAt", "readAt"]) assert.ok(message[at], at);
            if (files[body.type]) {
                const part = message[body.type === "audio" || body.type === "sticker" ? body.type : "media"];
                assert.deepEqual([part.id, message.mediaId, part.mimeType, part.fileSize], [who[body.type], who[body.type], files[body.type].mime, files[body.type].bytes.length]);
            }
        });
});

test("a file goes to Meta once, as a multipart upload, and is named by Meta's id from then on", async () => {
    const who = await person();
    await control("DELETE", "/requests");
    const image = await upload("image");
    const body = { to: who.to, type: "image", media: { mediaId: image, caption: "one" } };
    const ids = [];
    for (const caption of ["one", "two"]) {
        const sent = await whatsapp({ ...body, media: { mediaId: image, caption } });
        await heardOf(sent.json.id, "messages.whatsapp.delivered");
    }
    const uploads = (await received(1, { provider: "meta", path: "/media" })).filter((r) => r.method === "POST");
    assert.equal(uploads.length, 1);
    assert.equal(uploads[0].path, `/v23.0/${app.meta_phone_number_id}/media`);
    fits(uploads[0].body, { messaging_product: "whatsapp", type: "image/png", file: { filename: /\.png$/, content_type: "image/png", size: png.length, sha256: sha256(png) } });
    for (const r of await received(2, { provider: "meta", to: who.digits })) ids.push(r.body.image.id);
    assert.equal(new Set(ids).size, 1);
});

test("what people send arrives with its content", async (t) => {
    const who = await person();
    const out = await whatsapp({ to: who.to, type: "text", text: { body: "a question" } });
    await heardOf(out.json.id, "messages.whatsapp.read");
    const [request] = await received(1, { provider: "meta", to: who.digits });
    const wamid = (await control("GET", `/callbacks?provider=meta`)).filter((c) => c.body.includes(request.body.biz_opaque_callback_data)).at(-1).message_id;
    const context = { from: app.whatsapp_number.slice(1), id: wamid };
    const quoted = { messageId: out.json.id, metaMessageId: wamid, from: app.whatsapp_number, forwarded: false, frequentlyForwarded: false };
    const rows = {
        text: [{ type: "text", text: { body: "é👍" } }, { type: "text", text: "é👍", context: null }],
        "a reply": [{ type: "text", text: { body: "yes" }, context }, { type: "text", text: "yes", context: quoted }],
        location: [{ type: "location", location: { latitude: 51.5, longitude: -0.1, name: "N", address: "A" } },
                   { type: "location", location: { latitude: 51.5, longitude: -0.1, name: "N", address: "A" } }],
        contacts: [{ type: "contacts", contacts: [card.meta] }, { type: "contacts", contacts: [card.core] }],
        reaction: [{ type: "reaction", reaction: { message_id: wamid, emoji: "👍" } }, { type: "reaction", reaction: { messageId: wamid, chirpMessageId: out.json.id, emoji: "👍" } }],
        "reaction taken back": [{ type: "reaction", reaction: { message_id: wamid } }, { type: "reaction", reaction: { messageId: wamid, chirpMessageId: out.json.id, emoji: "" } }],
        button: [{ type: "button", button: { text: "Yes", payload: "P" }, context }, { type: "button", button: { text: "Yes", payload: "P" }, context: quoted }],
        button_reply: [{ type: "interactive", interactive: { type: "button_reply", button_reply: { id: "yes", title: "Yes" } }, context },
                       { type: "interactive", interactive: { type: "button_reply", buttonReply: { id: "yes", title: "Yes" } }, context: quoted }],
        list_reply: [{ type: "interactive", interactive: { type: "list_reply", list_reply: { id: "r", title: "R", description: "D" } } },
                     { type: "interactive", interactive: { type: "list_reply", listReply: { id: "r", title: "R", description: "D" } } }],
        nfm_reply: [{ type: "interactive", interactive: { type: "nfm_reply", nfm_reply: { name: "flow", body: "Sent", response_json: "{\"slot\":\"10\"}" } } },
                    { type: "interactive", interactive: { type: "nfm_reply", nfmReply: { name: "flow", body: "Sent", responseJson: "{\"slot\":\"10\"}" } } }],
        order: [{ type: "order", order: { catalog_id: "c1", text: "t", product_items: [{ product_retailer_id: "p", quantity: 2, item_price: 9.5, currency: "USD" }] } },
                { type: "order", order: { catalogId: "c1", text: "t", productItems: [{ productRetailerId: "p", quantity: 2, itemPrice: 9.5, currency: "USD" }] } }],
        system: [{ type: "system", system: { body: "changed", type: "user_changed_number", wa_id: "14157770999" } },
                 { type: "system", system: { type: "user_changed_number", body: "changed", waId: "14157770999", newPhoneNumber: "+14157770999" } }],
        referral: [{ type: "text", text: { body: "ad" }, referral: { source_url: "https://fb.me/x", source_id: "1", source_type: "ad", headline: "H", body: "B", media_type: "image", image_url: "https://e.org/i", ctwa_clid: "c" } },
                   { type: "text", text: "ad", referral: { sourceUrl: "https://fb.me/x", sourceId: "1", sourceType: "ad", headline: "H", body: "B", mediaType: "image", imageUrl: "https://e.org/i", ctwaClid: "c" } }],
        unsupported: [{ type: "unsupported", unsupported: { type: "poll" }, errors: [{ code: 131051, title: "Unsupported" }] }, { type: "unsupported", text: null }],
        edit: [{ type: "edit", edit: { original_message_id: wamid, message: { type: "text", text: { body: "x" } } } }, { type: "unsupported" }],
        revoke: [{ type: "revoke", revoke: { original_message_id: wamid } }, { type: "unsupported" }],
        request_welcome: [{ type: "request_welcome", request_welcome: {} }, { type: "unsupported" }],
    };
    for (const [name, [body, want]] of Object.entries(rows))
        await t.test(name, async () => {
            const message = await writes({ from: who.to, profile_name: "Ada", ...body });
            assert.deepEqual([message.direction, message.from, message.to, message.source], ["inbound", who.to, app.whatsapp_number, "cloud_api"]);
            assert.ok(message.receivedAt && message.occurredAt);
            for (const [key, value] of Object.entries(want)) {
                const got = key === "context" && message.context ? Object.fromEntries(Object.entries(message.context).filter(([, v]) => v !== null)) : message[key];
                assert.deepEqual(got, value, key);
            }
            if (want.type === "system") return;
            assert.ok(Date.parse(message.conversationWindow.expiresAt) > Date.now() + 23 * 3600 * 1000);
            assert.equal(message.contactName, "Ada");
        });
});

test("what people send as files can be downloaded by its media id", async (t) => {
    const who = await person();
    for (const [kind, { bytes, name, mime }] of Object.entries(files))
        await t.test(kind, async () => {
            const content = kind === "image" || kind === "document" ? { caption: "look" } : {};
            const message = await writes({ from: who.to, type: kind, [kind]: content, media: { base64: bytes.toString("base64"), mime_type: mime, filename: name } });
            const part = message[kind === "audio" || kind === "sticker" ? kind : "media"];
            assert.deepEqual([message.type, part.id, part.url, part.mimeType, part.fileSize, part.sha256], [kind, message.mediaId, message.mediaUrl, mime, bytes.length, sha256(bytes)]);
            if (kind === "audio") assert.equal(part.isVoiceNote, true);
            if (kind === "sticker") assert.equal(part.isAnimated, false);
            if (content.caption) assert.equal(part.caption, "look");
            if (kind === "document") assert.equal(part.filename, name);
            const found = await ask("GET", `/v1/media/${message.mediaId}`);
            assert.equal(found.status, 200, found.raw);
            assert.deepEqual([found.json.id, found.json.mimeType, found.json.fileSize, found.json.sha256], [message.mediaId, mime, bytes.length, sha256(bytes)]);
            for (const url of [found.json.url, message.mediaUrl]) {
                const file = await fetch(url);
                assert.deepEqual([file.status, file.headers.get("content-type"), Buffer.from(await file.arrayBuffer())], [200, mime, bytes]);
                assert.equal((await fetch(url.replace(/signature=./, (s) => s.slice(0, -1) + (s.endsWith("A") ? "B" : "A")))).status, 403);
            }
            assert.equal((await house.request("GET", `/v1/media/${message.mediaId}`, { key: app.test_key })).status, 404);
        });
});

test("outside of the window only templates go, and nothing is stored or sent", async () => {
    await putTemplate("two_words", "APPROVED");
    const to = stranger();
    const image = await upload("image");
    for (const body of [{ type: "text", text: { body: "x" } }, { type: "image", media: { mediaId: image, caption: "c" } }]) {
        const refused = await whatsapp({ to, ...body });
        assert.deepEqual(errorOf(refused).slice(0, 3), [402, "provider_error", "conversation_window_expired"], refused.raw);
    }
    assert.deepEqual(await control("GET", `/requests?provider=meta&to=${to.slice(1)}`), []);
    const sent = await sendUntil({ to, ...sends.template({})[0] }, 201);
    await heardOf(sent.json.id, "messages.whatsapp.delivered");
    assert.equal((await whatsapp({ to, type: "text", text: { body: "x" } })).status, 402, "a template opens no window");
    await writes({ from: to, type: "text", text: { body: "hi" } });
    const open = await whatsapp({ to, type: "text", text: { body: "x" } });
    assert.equal(open.status, 201, open.raw);
    await heardOf(open.json.id, "messages.whatsapp.read");
});

test("read receipts and typing reach Meta, and Meta's refusals the caller", async () => {
    const who = await person();
    for (const [path, more] of [["read", {}], ["typing", { typing_indicator: { type: "text" } }]]) {
        await control("DELETE", "/requests");
        const answer = await ask("POST", `/v1/whatsapp/messages/${path}`, { messageId: who.inbound.id });
        assert.deepEqual([answer.status, answer.json], [200, { success: true }], answer.raw);
        const [got] = await received(1, { provider: "meta", path: "/messages" });
        fits(got.body, { messaging_product: "whatsapp", status: "read", message_id: who.inbound.wamid, ...more });
    }
    const read = (messageId) => ask("POST", "/v1/whatsapp/messages/read", { messageId });
    const rows = [[{ error_code: 131026 }, [402, "provider_error", "message_undeliverable"]], [{ error_code: 368 }, [403, "provider_error", "account_restricted"]],
                  [{ status: 503 }, [424, "api_error", "meta_api_unavailable"]], [{ error_code: 190 }, [424, "provider_error", undefined]],
                  [{ error_code: 130429 }, [429, "provider_error", "whatsapp_rate_limited"]]];
    for (const [action, want] of rows) {
        await control("DELETE", "/rules");
        await control("POST", "/rules", { provider: "meta", path: "/messages", action });
        const answer = await read(who.inbound.id);
        assert.deepEqual(errorOf(answer).slice(0, 3), want, `${JSON.stringify(action)}: ${answer.raw}`);
    }
    await control("DELETE", "/rules");
    const out = await whatsapp({ to: who.to, type: "text", text: { body: "x" } });
    assert.equal((await read(out.json.id)).status, 400, "an outbound message");
    assert.equal((await read("wamid.HBgL")).status, 400, "Meta's id");
    assert.equal((await read("msg_wa_2DbBs7GWhGvVNJGrDXr5RG0mBWI")).status, 404);
    assert.equal((await house.request("POST", "/v1/whatsapp/messages/read", { key: app.test_key, body: { messageId: who.inbound.id } })).status, 404);
});

test("a template approved, paused and deleted at Meta shows in the next send", async () => {
    const to = stranger();
    const body = (variables = { 1: "a", 2: "b" }, name = "lifecycle") => ({ to, type: "template", template: { name, language: "en_US", variables } });
    const missing = ["invalid_request_error", "template_not_found"];
    await sendUntil(body(), 404);
    await putTemplate("lifecycle", "PENDING");
    await putTemplate("lifecycle", "APPROVED");
    const sent = await sendUntil(body(), 201);
    await heardOf(sent.json.id, "messages.whatsapp.delivered");
    for (const variables of [{ 1: "a" }, { 1: "a", 2: "b", 3: "c" }, undefined])
        assert.deepEqual(errorOf(await whatsapp({ ...body(), template: { name: "lifecycle", language: "en_US", variables } })).slice(0, 3),
                         [400, "invalid_request_error", "template_parameter_mismatch"]);
    assert.deepEqual(errorOf(await whatsapp({ ...body(), template: { name: "lifecycle", language: "de", variables: { 1: "a", 2: "b" } } })).slice(0, 3), [404, ...missing]);
    await control("DELETE", "/requests");
    for (const status of ["PAUSED", "REJECTED", "DISABLED"]) {
        await putTemplate("lifecycle", status);
        const refused = await sendUntil(body(), 404);
        assert.deepEqual(errorOf(refused), [404, ...missing, "template.name"]);
        await putTemplate("lifecycle", "APPROVED");
        await sendUntil(body(), 201);
    }
    await putTemplate("lifecycle", "APPROVED", "Only {{1}}.");
    await putTemplate("lifecycle", "PAUSED", "Only {{1}}.");
    await putTemplate("lifecycle", "APPROVED", "Only {{1}}.");
    await sendUntil(body({ 1: "a" }), 201);
    assert.equal((await whatsapp(body())).json.error.code, "template_parameter_mismatch", "what it takes has changed too");
    await control("DELETE", "/templates?name=lifecycle&language=en_US");
    assert.deepEqual(errorOf(await sendUntil(body({ 1: "a" }), 404)).slice(1, 3), missing);
});

test("test apps have two templates", async () => {
    const drawn = await house.request("POST", "/v1/playground/whatsapp/phone-numbers/system", { key: app.test_key });
    const send = (template) => house.request("POST", "/v1/whatsapp/messages", { key: app.test_key, body: { from: drawn.json.number, to: "+15551234567", type: "template", template } });
    assert.equal((await send({ name: "hello_world", language: "en_US" })).status, 201);
    assert.equal((await send({ name: "order_update", language: "en_US", variables: { 1: "A", 2: "B" } })).status, 201);
    assert.equal((await send({ name: "order_update", language: "en_US" })).json.error.code, "template_parameter_mismatch");
    assert.equal((await send({ name: "two_words", language: "en_US", variables: { 1: "A", 2: "B" } })).json.error.code, "template_not_found");
});

const telnyxPath = "/v2/messages";

test("an SMS to two people: one request each in Telnyx's shape, receipts for each", async () => {
    const to = [stranger(), stranger()];
    await control("DELETE", "/requests");
    const sent = await ask("POST", "/v1/sms", { from: app.sms_number, to, text: "Grüße 👍" });
    assert.equal(sent.status, 201, sent.raw);
    assert.deepEqual([sent.json.type, sent.json.transport, sent.json.status, sent.json.segments], ["SMS", "sms", "QUEUED", 1]);
    const got = await received(2, { provider: "telnyx" });
    assert.deepEqual(got.map((r) => r.body.to).sort(), to);
    const tokens = new Set();
    for (const r of got) {
        assert.deepEqual([r.method, r.path, r.answered_status], ["POST", telnyxPath, 200]);
        assert.match(r.headers.authorization, /^Bearer KEYsim/);
        fits(r.body, { from: app.sms_number, to: /^\+1415777/, type: "SMS", text: "Grüße 👍", webhook_url: /^http:\/\/127.0.0.1:\d+\/callbacks\/telnyx\/[0-9a-f-]{36}\?t=/, use_profile_webhooks: false });
        const token = new URL(r.body.webhook_url).searchParams.get("t");
        assert.match(token, UUID);
        tokens.add(token);
    }
    assert.equal(tokens.size, 2);
    const recipients = new Set();
    for (const person of to)
        for (const word of ["sent", "delivered"]) {
            const told = await heard((p) => p.event === `messages.sms.${word}` && p.data.message.id === sent.json.id && p.data.message.to === person);
            recipients.add(told.data.message.recipientId);
            assert.deepEqual([told.data.message.text, told.data.message.type, told.data.message.from], ["Grüße 👍", "sms", app.sms_number]);
        }
    assert.equal(recipients.size, 2);
});

test("an MMS: Telnyx gets the addresses of its files, and one person of two fails", async () => {
    const to = [stranger(), stranger()];
    const store = await Receiver.start();
    const mediaUrls = [`${store.url}/a.png`];
    await control("DELETE", "/requests");
    await control("POST", "/rules", { provider: "telnyx", to: to[1], action: { fail_with_code: 40008 } });
    const sent = await ask("POST", "/v1/sms", { from: app.sms_number, to, text: "photo", subject: "S", mediaUrls });
    assert.equal(sent.status, 201, sent.raw);
    assert.deepEqual([sent.json.type, sent.json.transport, sent.json.mediaUrls, sent.json.subject], ["MMS", "mms", mediaUrls, "S"]);
    for (const r of await received(2, { provider: "telnyx" }))
        fits(r.body, { from: app.sms_number, to: /^\+1415777/, type: "MMS", text: "photo", subject: "S", media_urls: mediaUrls, webhook_url: /\?t=/, use_profile_webhooks: false });
    const delivered = await heard((p) => p.event === "messages.sms.delivered" && p.data.message.id === sent.json.id);
    const failed = await heard((p) => p.event === "messages.sms.failed" && p.data.message.id === sent.json.id);
    assert.deepEqual([delivered.data.message.to, failed.data.message.to], to);
    const { error } = failed.data;
    assert.deepEqual([error.type, error.code, error.provider.source, error.provider.code], ["provider_error", "message_undeliverable", "telnyx", "40008"]);
    assert.deepEqual(failed.data.message.error, error);
    await store.stop();
});

test("SMS and MMS that people send", async () => {
    const from = stranger();
    await control("POST", "/inbound", { provider: "telnyx", from, to: app.sms_number, text: "é👍" });
    const sms = (await heard((p) => p.event === "messages.sms.received" && p.data.message.from === from)).data.message;
    assert.deepEqual([sms.direction, sms.type, sms.to, sms.text, sms.mediaUrl], ["inbound", "sms", app.sms_number, "é👍", null]);
    const media = [{ base64: png.toString("base64") }, { base64: pdf.toString("base64") }];
    await control("POST", "/inbound", { provider: "telnyx", from, to: app.sms_number, text: "photo", subject: "S", media });
    const mms = (await heard((p) => p.event === "messages.sms.received" && p.data.message.from === from && p.data.message.type === "mms")).data.message;
    assert.deepEqual([mms.text, mms.subject, mms.mediaUrls.length, mms.mediaUrls[0]], ["photo", "S", 2, mms.mediaUrl]);
    const bytes = await Promise.all(mms.mediaUrls.map(async (url) => Buffer.from(await (await fetch(url)).arrayBuffer())));
    assert.deepEqual(bytes, [png, pdf]);
    assert.equal((await ask("GET", `/v1/media/${mms.mediaId}`)).json.sha256, sha256(png));
});

test("STOP ends messages to a person, START lets them through again", async () => {
    const from = stranger();
    const text = (words) => control("POST", "/inbound", { provider: "telnyx", from, to: app.sms_number, text: words });
    const send = () => ask("POST", "/v1/sms", { from: app.sms_number, to: [from], text: "x" });
    await text("Stop");
    await heard((p) => p.event === "messages.sms.received" && p.data.message.from === from && p.data.message.text === "Stop");
    await control("DELETE", "/requests");
    const held = await send();
    const { error } = (await heardOf(held.json.id, "messages.sms.failed")).data;
    assert.deepEqual([error.code, error.provider.code], ["message_undeliverable", "40300"]);
    assert.deepEqual(await control("GET", "/requests?provider=telnyx"), []);
    const listed = await house.aviary("optout", "list", "--json");
    assert.ok(listed.includes(from), listed);
    await text("START");
    await heard((p) => p.event === "messages.sms.received" && p.data.message.from === from && p.data.message.text === "START");
    const lifted = await send();
    await heardOf(lifted.json.id, "messages.sms.delivered");
});

test("a day later the window is closed and links are over", async () => {
    const who = await person();
    assert.equal((await whatsapp({ to: who.to, type: "text", text: { body: "x" } })).status, 201);
    const message = await writes({ from: who.to, type: "audio", media: { base64: ogg.toString("base64"), mime_type: "audio/ogg" } });
    await house.aviary("clock", "+25h");
    const late = await whatsapp({ to: who.to, type: "text", text: { body: "x" } });
    assert.equal(late.json.error?.code, "conversation_window_expired", late.raw);
    assert.equal((await fetch(message.mediaUrl)).status, 403);
    const fresh = await ask("GET", `/v1/media/${message.mediaId}`);
    assert.deepEqual(Buffer.from(await (await fetch(fresh.json.url)).arrayBuffer()), ogg);
});
