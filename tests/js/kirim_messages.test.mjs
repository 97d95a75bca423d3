// Messages and templates through Kirim: each type on a test number, each refusal, receipts, lists, files, and that Chirp beside it shows the same messages. A Cloud API client from npm sends
// each type with nothing changed but its base URL.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { House, Receiver } from "./house.mjs";
import { until } from "./wait.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const { WhatsAppClient } = require("@kapso/whatsapp-cloud-api");
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

const PERSON = "+15551234567";
const LINK = "https://files.example/photo.jpg";
const ghost = "01HXYZABCDEFGHJKMNPQRSTVWX";
let house, key, number, ours, document, ajv;

before(async () => {
    house = await House.start("--rate-limits", "off", "--loopback-delay", "10");
    ({ key, phone_number_id: number } = house.credentials.kirim);
    document = (await house.request("GET", "/kirim/v1/openapi.json")).json;
    ajv = new Ajv({ strict: false });
    addFormats(ajv);
    ajv.addSchema(document, "doc");
    const accounts = await house.request("GET", "/kirim/v1/accounts", { key });
    ours = accounts.json.data.find((x) => x.phone_number_id === number).phone_number;
});
after(() => house.stop());

/** Ask, and hold the answer against the document. */
async function call(want, method, path, body, headers) {
    const answer = await house.request(method, `/kirim/v1${path}`, { key, body, headers });
    assert.equal(answer.status, want, `${method} ${path}: ${answer.raw}`);
    const template = path.split("?")[0].replace(/^\/\d+/, "/{phone_number_id}").replace(/\/messages\/[^/]+/, "/messages/{id}").replace(/\/templates\/.+/, "/templates/{name}");
    const responses = document.paths[template][method.toLowerCase()].responses;
    const pointer = responses[want]?.$ref ?? `#/paths/${template.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${want}`;
    assert.ok(responses[want], `${method} ${template}: ${want} is not in the document`);
    const validate = ajv.getSchema(`${encodeURI(`doc${pointer}`)}/content/application~1json/schema`);
    assert.ok(validate(answer.json), `${method} ${path}: ${JSON.stringify(validate.errors)} in ${answer.raw}`);
    return answer.json;
}

const messages = () => `/${number}/messages`;
const send = (body, want = 200, headers) => call(want, "POST", messages(), { messaging_product: "whatsapp", to: PERSON, ...body }, headers);
const get = async (id) => (await call(200, "GET", `${messages()}/${id}`)).data;

async function settled(id, ...statuses) {
    let message;
    await until(`${statuses} of ${id}`, async () => statuses.includes((message = await get(id)).status), { tell: () => JSON.stringify(message) });
    return message;
}

/** Somebody writes to our number; resolves to the message as listed. */
async function personWrites(text, from = PERSON) {
    const asked = await house.request("POST", "/v1/playground/whatsapp/inbound", { key: house.testKey, body: { from, to: ours, text } });
    assert.ok(asked.status < 300, asked.raw);
    return until("what was written", async () => (await call(200, "GET", `${messages()}?direction=inbound`)).data.find((x) => x.content === text));
}

const card = (index, action) => ({
    card_index: index, type: "cta_url", header: { type: "image", image: { link: LINK } }, body: { text: `Card ${index}` },
    action: action ?? { name: "cta_url", parameters: { display_text: "See", url: "https://shop.example/" } },
});
const quick = { buttons: [{ type: "quick_reply", quick_reply: { id: "q", title: "Quick" } }] };
const types = {
    text: { type: "text", text: { body: "Halo", preview_url: true } },
    "image by link": { type: "image", image: { link: LINK, caption: "Look" } },
    "document by link": { type: "document", document: { link: "https://files.example/a.pdf", filename: "a.pdf" } },
    "video by Meta's id": { type: "video", video: { id: "1234567890123456" } },
    "audio with a caption": { type: "audio", audio: { link: "https://files.example/a.ogg", caption: "not shown" } },
    "template with a language": { type: "template", template: { name: "hello_world", language: "en_US" } },
    "template with an object": {
        type: "template",
        template: {
            name: "order_update", language: { code: "en_US", policy: "deterministic" },
            components: [{ type: "body", parameters: [{ type: "text", text: "Ann" }, { type: "text", text: "42" }] }],
        },
    },
    "a link": { type: "interactive", interactive: { type: "cta_url", body: { text: "B" }, action: { name: "cta_url", parameters: { display_text: "Go", url: "https://shop.example/" } } } },
    "a list": {
        type: "interactive",
        interactive: {
            type: "list", header: { type: "text", text: "H" }, body: { text: "B" }, footer: { text: "F" },
            action: { button: "Open", sections: [{ title: "S", rows: [{ id: "1", title: "One", description: "d" }] }] },
        },
    },
    "a carousel": { type: "interactive", interactive: { type: "carousel", body: { text: "B" }, action: { cards: [card(0), card(1, quick)] } } },
    buttons: {
        type: "interactive",
        interactive: {
            type: "button", header: { type: "image", image: { link: LINK } }, body: { text: "B" },
            action: { buttons: [{ type: "reply", reply: { id: "y", title: "Yes" } }] },
        },
    },
    "a quote": { type: "text", text: { body: "As you said" }, context: { message_id: "wamid.somewhere" } },
};

for (const [name, body] of Object.entries(types))
    test(`${name} is taken, delivered and read`, async () => {
        const sent = (await send(body)).data;
        assert.deepEqual(Object.keys(sent).sort(), ["conversation_id", "created_at", "id", "object", "status", "to", "type"]);
        assert.equal(sent.status, "pending");
        assert.equal(sent.to, PERSON);
        assert.equal(sent.type, body.type);
        assert.match(sent.id, /^msg_[0-9A-HJKMNP-TV-Z]{26}$/);
        assert.match(sent.conversation_id, /^cnv_[0-9A-HJKMNP-TV-Z]{26}$/);
        const read = await settled(sent.id, "read");
        assert.ok(read.message_id);
        assert.equal(read.conversation_id, sent.conversation_id);
    });

test("a number goes with and without its +, to the same conversation", async () => {
    const one = await send({ ...types.text, to: "+628111222333" });
    const two = await send({ ...types.text, to: "628111222333" });
    assert.equal(two.data.to, "+628111222333");
    assert.equal(one.data.conversation_id, two.data.conversation_id);
});

const text = { body: "x" };
const refusals = [
    ["no type and no status", { text }, 400, "missing_required_field", "type"],
    ["type and status", { type: "text", text, status: "read", message_id: "x" }, 400, "invalid_field_value", "type"],
    ["another product", { messaging_product: "telegram", type: "text", text }, 400, "invalid_field_value", "messaging_product"],
    ["no product", { messaging_product: undefined, type: "text", text }, 400, "missing_required_field", "messaging_product"],
    ["no recipient", { to: undefined, type: "text", text }, 400, "missing_required_field", "to"],
    ["a recipient that is no number", { to: "hello", type: "text", text }, 400, "invalid_phone_number", "to"],
    ["an unknown type", { type: "fax", fax: {} }, 400, "invalid_field_value", "type"],
    ["no content", { type: "text" }, 400, "missing_required_field", "text"],
    ["an empty text", { type: "text", text: { body: "" } }, 400, "invalid_field_value", "text.body"],
    ["link and id", { type: "image", image: { link: LINK, id: "1" } }, 400, "invalid_field_value", "image"],
    ["neither link nor id", { type: "image", image: { caption: "x" } }, 400, "invalid_field_value", "image"],
    ["a link by ftp", { type: "image", image: { link: "ftp://files.example/a" } }, 400, "invalid_field_value", "image.link"],
    ["an unknown template", { type: "template", template: { name: "nobody", language: "en_US" } }, 400, "invalid_template_name", "template.name"],
    ["no language", { type: "template", template: { name: "hello_world" } }, 400, "missing_required_field", "template.language"],
    ["one card", { type: "interactive", interactive: { type: "carousel", body: { text: "B" }, action: { cards: [card(0)] } } }, 400, "invalid_field_value"],
    ["a list without a button", { type: "interactive", interactive: { type: "list", body: { text: "B" }, action: { sections: [{ rows: [{ id: "1", title: "1" }] }] } } }, 400, "missing_required_field", "interactive.action.button"],
    ["a receipt of what nobody knows", { status: "read", message_id: "wamid.none" }, 404, "resource_not_found", "message_id"],
];
for (const [name, body, status, code, param] of refusals)
    test(`${name} is refused`, async () => {
        const { error } = await send(body, status);
        assert.equal(error.code, code, JSON.stringify(error));
        if (param) assert.equal(error.param, param);
        else assert.ok(error.param);
    });

test("a number that is not ours, and bodies that are none", async () => {
    assert.equal((await call(404, "POST", "/999999999999/messages", { messaging_product: "whatsapp", to: PERSON, ...types.text })).error.code, "resource_not_found");
    assert.equal((await call(404, "GET", "/999999999999/messages")).error.code, "resource_not_found");
    assert.equal((await call(400, "POST", messages(), "no json")).error.code, "invalid_request");
    assert.equal((await call(400, "GET", `${messages()}/msg_short`)).error.code, "invalid_field_value");
    assert.equal((await call(404, "GET", `${messages()}/msg_${ghost}`)).error.code, "resource_not_found");
});

const failures = [["131047", "outside_24h_window"], ["132015", "template_paused"], ["132016", "template_disabled"], ["132000", "template_param_count_mismatch"],
                  ["132001", "template_param_format_mismatch"], ["132012", "template_param_format_mismatch"], ["131026", "recipient_not_on_whatsapp"], ["131052", "media_download_failed"],
                  ["131053", "media_download_failed"], ["130429", "rate_limited"], ["131031", "account_restricted"], ["368", "account_restricted"], ["131051", "unknown_error"]];
for (const [native, code] of failures)
    test(`WhatsApp's ${native} fails the message later as ${code}`, async () => {
        const sent = (await send({ ...types.text, to: `+9992${native.padStart(6, "0")}`.replace("+9992000368", "+9992368") })).data;
        const failed = await settled(sent.id, "failed");
        assert.equal(failed.error.code, code);
        assert.equal(failed.error.provider_code, Number(native));
        assert.ok(failed.error.message);
    });

test("the same key sends once; another body under it is refused", async () => {
    const headers = { "idempotency-key": "once" };
    const first = await send(types.text, 200, headers);
    const again = await send(types.text, 200, headers);
    assert.equal(again.data.id, first.data.id);
    assert.equal((await send({ type: "text", text: { body: "other" } }, 422, headers)).error.code, "idempotency_key_reuse");
});

test("a message that came in is marked read, once", async () => {
    const came = await personWrites("Mark me");
    assert.equal(came.status, "pending");
    assert.equal(came.to, null);
    const { message_id } = await get(came.id);
    const receipt = { messaging_product: "whatsapp", status: "read", message_id };
    for (const body of [receipt, receipt, { ...receipt, typing_indicator: { type: "text" } }]) {
        const { data } = await call(200, "POST", messages(), body);
        assert.equal(data.id, came.id);
        assert.equal(data.status, "read");
        assert.equal(data.object, "message");
        assert.equal(data.message_id, message_id);
    }
    assert.equal((await get(came.id)).status, "read");
    const sent = await settled((await send(types.text)).data.id, "read");
    assert.equal((await call(400, "POST", messages(), { ...receipt, message_id: sent.message_id })).error.code, "invalid_field_value");
});

test("lists go by filters and cursors, newest first", async () => {
    const to = "+15557770001";
    const ids = [];
    for (let i = 0; i < 7; i++) ids.push((await send({ ...types.text, to })).data);
    const conversation = ids[0].conversation_id;
    await personWrites("And back", to);
    const seen = [];
    let cursor = "";
    do {
        const page = await call(200, "GET", `${messages()}?conversation_id=${conversation}&limit=3${cursor}`);
        assert.ok(page.data.length <= 3);
        assert.equal(page.has_more, page.next_cursor !== null);
        seen.push(...page.data);
        cursor = page.next_cursor ? `&cursor=${encodeURIComponent(page.next_cursor)}` : "";
    } while (cursor);
    assert.equal(seen.length, 8);
    assert.deepEqual(seen.map((x) => x.direction), ["inbound", ...Array(7).fill("outbound")]);
    assert.deepEqual(seen.slice(1).map((x) => x.id), ids.map((x) => x.id).reverse());
    assert.equal(seen[1].content, "Halo");
    for (const x of ids) await settled(x.id, "read");
    const list = async (query) => (await call(200, "GET", `${messages()}?conversation_id=${conversation}&${query}`)).data;
    assert.equal((await list("status=read&direction=outbound")).length, 7);
    assert.equal((await list("status=pending")).length, 1);
    assert.equal((await list("direction=inbound")).length, 1);
    assert.equal((await list(`created_after=${encodeURIComponent(ids[3].created_at)}&direction=outbound`)).length, 3);
    assert.equal((await list(`created_before=${encodeURIComponent(ids[3].created_at)}`)).length, 3);
    assert.deepEqual((await call(200, "GET", `${messages()}?conversation_id=cnv_${ghost}`)).data, []);
    const first = await call(200, "GET", `${messages()}?limit=1`);
    assert.equal((await call(400, "GET", `${messages()}?limit=1&direction=inbound&cursor=${first.next_cursor}`)).error.code, "invalid_cursor");
    assert.equal((await call(400, "GET", `${messages()}?limit=101`)).error.code, "invalid_limit");
    assert.equal((await call(400, "GET", `${messages()}?status=queued`)).error.code, "invalid_field_value");
});

test("a file is where its message says", async () => {
    const media = async (id) => fetch(`${house.url}/kirim/v1${messages()}/${id}/media`, { headers: { authorization: `Bearer ${key}` }, redirect: "manual" });
    const linked = (await send(types["image by link"])).data;
    const answer = await media(linked.id);
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get("location"), LINK);
    assert.equal((await media((await send(types.text)).data.id)).status, 404);
    assert.equal((await media(`msg_${ghost}`)).status, 404);
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex");
    const form = new FormData();
    form.append("type", "image");
    form.append("file", new Blob([png], { type: "image/png" }), "dot.png");
    const upload = await house.request("POST", "/v1/media", { key: house.testKey, body: form });
    assert.ok(upload.status < 300, upload.raw);
    const own = (await send({ type: "image", image: { id: upload.json.id } })).data;
    const stored = await media(own.id);
    assert.equal(stored.status, 302);
    const file = await fetch(stored.headers.get("location"));
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), png);
    assert.equal((await send({ type: "video", video: { id: upload.json.id } }, 400)).error.param, "video.id");
});

test("templates of a test number", async () => {
    const list = async (query = "") => (await call(200, "GET", `/${number}/templates${query}`)).data;
    assert.deepEqual((await list()).map((x) => x.name).sort(), ["hello_world", "order_update"]);
    assert.deepEqual(await list("?status=rejected"), []);
    assert.equal((await list("?status=all&language=en_US&limit=1")).length, 1);
    assert.equal((await call(400, "GET", `/${number}/templates?status=APPROVED`)).error.code, "invalid_field_value");
    const { data } = await call(200, "GET", `/${number}/templates/order_update`);
    assert.deepEqual(data.variables, ["1", "2"]);
    assert.match(data.content, /\{\{2\}\}/);
    assert.equal(data.components[0].type, "BODY");
    assert.equal(data.whatsapp_account.phone_number, ours);
    assert.equal((await call(404, "GET", `/${number}/templates/order_update?language=de`)).error.code, "resource_not_found");
    assert.equal((await call(404, "GET", "/999999999999/templates")).error.code, "resource_not_found");
});

// ---- Chirp beside it ----

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const number_of = (digits, of) => [...digits].reduce((n, c) => n * BigInt(of.length) + BigInt(of.indexOf(c)), 0n);
/** The 16 bytes of an id in either spelling. */
const bytesOf = (id) => {
    const digits = id.slice(id.lastIndexOf("_") + 1);
    const value = digits.length === 27 ? number_of(digits, letters) & ((1n << 128n) - 1n) : number_of(digits, alphabet);
    return value.toString(16);
};

test("both dialects show each other's messages, and every app that holds the number hears of them", async () => {
    const receiver = await Receiver.start();
    const hook = await house.request("POST", "/v1/webhooks", { key: house.testKey, body: { url: receiver.url, events: ["messages.whatsapp.sent", "messages.whatsapp.delivered"] } });
    assert.equal(hook.status, 201, hook.raw);
    const kirim = (await send({ ...types.text, to: "+15557770002" })).data;
    await settled(kirim.id, "read");
    const told = (await receiver.heard(2, (r) => bytesOf(r.json.data.message.id) === bytesOf(kirim.id))).map((r) => r.json);
    assert.deepEqual(told.map((x) => x.event).sort(), ["messages.whatsapp.delivered", "messages.whatsapp.sent"]);
    assert.ok(told.every((x) => x.data.app.id));
    const log = await house.request("GET", "/v1/organization/whatsapp/messages?limit=50", { key: house.credentials.admin_key });
    assert.equal(log.status, 200, log.raw);
    assert.ok(JSON.stringify(log.json).match(/msg_wa_(test_)?[0-9A-Za-z]{27}/g).some((id) => bytesOf(id) === bytesOf(kirim.id)));
    const chirp = await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body: { from: ours, to: "+15557770002", type: "text", text: { body: "From Chirp" } } });
    assert.equal(chirp.status, 201, chirp.raw);
    const seen = (await call(200, "GET", `${messages()}?conversation_id=${kirim.conversation_id}`)).data;
    assert.equal(seen.length, 2);
    assert.equal(seen[0].content, "From Chirp");
    assert.equal(bytesOf(seen[0].id), bytesOf(chirp.json.id));
    await receiver.stop();
});

test("a Cloud API client from npm sends every type, with its base URL changed and nothing else", async () => {
    const client = new WhatsAppClient({ accessToken: key, baseUrl: `${house.url}/kirim`, graphVersion: "v1" });
    const to = { phoneNumberId: number, to: "15557770003" };
    const sent = [
        await client.messages.sendText({ ...to, body: "Hello", previewUrl: false }),
        await client.messages.sendImage({ ...to, image: { link: LINK, caption: "c" } }),
        await client.messages.sendVideo({ ...to, video: { id: "1234567890123456" } }),
        await client.messages.sendAudio({ ...to, audio: { link: "https://files.example/a.ogg" } }),
        await client.messages.sendDocument({ ...to, document: { link: "https://files.example/a.pdf", filename: "a.pdf" } }),
        await client.messages.sendTemplate({ ...to, template: { name: "hello_world", language: { code: "en_US" } } }),
        await client.messages.sendInteractiveButtons({ ...to, bodyText: "B", buttons: [{ id: "a", title: "A" }] }),
        await client.messages.sendInteractiveList({ ...to, bodyText: "B", buttonText: "Open", sections: [{ title: "S", rows: [{ id: "1", title: "One" }] }] }),
        await client.messages.sendInteractiveCtaUrl({ ...to, bodyText: "B", parameters: { displayText: "Go", url: "https://shop.example/" } }),
    ];
    for (const answer of sent) assert.match(answer.data.id, /^msg_/);
    for (const answer of sent) await settled(answer.data.id, "read");
    const came = await personWrites("Read me by a client", "+15557770003");
    const { message_id } = await get(came.id);
    await client.messages.markRead({ phoneNumberId: number, messageId: message_id });
    assert.equal((await get(came.id)).status, "read");
});
